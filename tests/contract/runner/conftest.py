from collections.abc import Callable, Iterator
from typing import Any

import pytest

Start = Callable[..., Any]


@pytest.fixture
def start() -> Iterator[Start]:
    """Make runners and close them after the test."""
    made: list[Any] = []

    def make(kind: Callable[..., Any], *args: Any, **keywords: Any) -> Any:
        made.append(kind(*args, **keywords))
        return made[-1]

    yield make
    for runner in made:
        runner.close()
