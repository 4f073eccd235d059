"""The doorbell inside one process, and waiting with a deadline."""

import threading
from collections.abc import Iterator

import pytest

from engine.errors import ClosedError
from engine.process import Deadline, WakePipe, wait_readable, wait_writable, wake


@pytest.fixture(params=["eventfd", "sockets"])
def pipe(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[WakePipe]:
    monkeypatch.setattr(wake, "_HAS_EVENTFD", request.param == "eventfd")
    with WakePipe() as pipe:
        yield pipe


def is_awake(pipe: WakePipe) -> bool:
    return wait_readable([pipe.fileno()], 0) == [pipe.fileno()]


def test_a_wake_is_seen_until_it_is_cleared(pipe: WakePipe) -> None:
    assert not is_awake(pipe)
    pipe.wake()
    assert is_awake(pipe)
    assert is_awake(pipe)
    pipe.clear()
    assert not is_awake(pipe)


def test_many_wakes_are_one_and_never_block(pipe: WakePipe) -> None:
    for _ in range(5000):
        pipe.wake()
    pipe.clear()
    assert not is_awake(pipe)


def test_clearing_what_was_not_woken_does_nothing(pipe: WakePipe) -> None:
    pipe.clear()
    pipe.wake()
    assert is_awake(pipe)


def test_a_wake_ends_the_wait_of_another_thread(pipe: WakePipe) -> None:
    seen: list[list[int]] = []
    thread = threading.Thread(target=lambda: seen.append(wait_readable([pipe.fileno()], 10)))
    thread.start()
    pipe.wake()
    thread.join(5)
    assert seen == [[pipe.fileno()]]


def test_after_close_wakes_are_ignored_and_there_is_no_descriptor(pipe: WakePipe) -> None:
    pipe.close()
    pipe.close()
    pipe.wake()
    pipe.clear()
    with pytest.raises(ClosedError):
        pipe.fileno()


def test_a_wait_names_only_what_is_ready(pipe: WakePipe) -> None:
    with WakePipe() as other:
        other.wake()
        assert wait_readable([pipe.fileno(), other.fileno()], 1) == [other.fileno()]
        assert wait_writable([other.fileno()], 1) == [other.fileno()]
        assert wait_readable([pipe.fileno()], 0.001) == []


def test_a_deadline_counts_down_to_zero_and_no_deadline_to_nothing() -> None:
    left = Deadline(100).left_s()
    assert left is not None
    assert 99 < left <= 100
    assert Deadline(-1).left_s() == 0
    assert Deadline(None).left_s() is None
