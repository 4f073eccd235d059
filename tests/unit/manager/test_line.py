"""A line that is closed while another thread waits on it."""

import sys
import threading
from collections.abc import Iterator

import pytest

from engine.errors import ClosedError
from engine.manager.line import Line


@pytest.fixture
def threads_change_often() -> Iterator[None]:
    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    yield
    sys.setswitchinterval(before)


@pytest.mark.usefixtures("threads_change_often")
def test_who_waits_on_a_line_that_is_closed_hears_so_at_whatever_moment() -> None:
    heard: list[BaseException] = []

    def wait(line: Line) -> None:
        try:
            line.recv(20)
        except (ClosedError, ValueError) as error:
            heard.append(error)

    for _ in range(1000):
        ours, theirs = Line.pair()
        waiting = threading.Thread(target=wait, args=(ours,))
        waiting.start()
        ours.close()
        waiting.join(20)
        theirs.close()
    assert {type(error) for error in heard} == {ClosedError}
    assert len(heard) == 1000
