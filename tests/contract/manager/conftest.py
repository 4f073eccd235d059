"""A device manager of its own for a test, or one for all tests of a module."""

from collections.abc import Iterator

import pytest

from tests.support.manager_rig import Rig, rig


@pytest.fixture(scope="module")
def managed() -> Iterator[Rig]:
    """Return a manager that tests share: two devices, both the processor."""
    with rig() as made:
        made.start("onnxruntime-cpu", "onnxruntime-cpu")
        yield made


@pytest.fixture
def own() -> Iterator[Rig]:
    """Return the place of a manager that was not started yet."""
    with rig() as made:
        yield made
