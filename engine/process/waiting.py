"""Wait for file descriptors with a deadline, without polling."""

import select
import time
from collections.abc import Sequence

__all__ = ("Deadline", "wait_readable", "wait_writable")


class Deadline:
    """A point in time that several waits share.

    Parameters
    ----------
    timeout_s : seconds from now; None never comes.
    """

    def __init__(self, timeout_s: float | None) -> None:
        self._at_s = None if timeout_s is None else time.monotonic() + timeout_s

    def left_s(self) -> float | None:
        """Return the seconds left, at least 0; None without a deadline."""
        return None if self._at_s is None else max(0.0, self._at_s - time.monotonic())


def wait_readable(fds: Sequence[int], timeout_s: float | None) -> list[int]:
    """Return those of `fds` that can be read or are at their end; empty when the time is over."""
    return _wait(fds, [], timeout_s)


def wait_writable(fds: Sequence[int], timeout_s: float | None) -> list[int]:
    """Return those of `fds` that take data or are broken; empty when the time is over."""
    return _wait([], fds, timeout_s)


def _wait(readers: Sequence[int], writers: Sequence[int], timeout_s: float | None) -> list[int]:
    if not hasattr(select, "poll"):
        readable, writable, _ = select.select(readers, writers, [], timeout_s)
        return [*readable, *writable]
    poll = select.poll()
    for fd in readers:
        poll.register(fd, select.POLLIN)
    for fd in writers:
        poll.register(fd, select.POLLOUT)
    ready = poll.poll(None if timeout_s is None else timeout_s * 1000.0)
    return [fd for fd, _ in ready]
