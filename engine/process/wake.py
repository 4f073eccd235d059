"""A doorbell inside one process: lets a thread interrupt another one's wait."""

import contextlib
import os
import socket
import threading
from typing import Self

from engine.errors import ClosedError

__all__ = ("WakePipe",)

_HAS_EVENTFD = hasattr(os, "eventfd")


class WakePipe:
    """Make a descriptor readable from any thread; many wakes before one clear count as one.

    `fileno` fits ``select``, ``poll`` and ZeroMQ's poller. Safe to use from all threads, also from
    a signal handler's thread; `wake` after `close` does nothing.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._eventfd = -1
        self._sockets: tuple[socket.socket, socket.socket] | None = None
        if _HAS_EVENTFD:
            self._eventfd = os.eventfd(0, os.EFD_CLOEXEC | os.EFD_NONBLOCK)
        else:  # macOS, Windows
            self._sockets = socket.socketpair()
            for end in self._sockets:
                end.setblocking(False)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def fileno(self) -> int:
        """Return the descriptor that is readable after `wake`; `ClosedError` after `close`."""
        fd = self._sockets[0].fileno() if self._sockets else self._eventfd
        if fd < 0:
            raise ClosedError("the wake pipe was closed; make a new one")
        return fd

    def wake(self) -> None:
        """Make the descriptor readable. Never blocks."""
        with self._lock, contextlib.suppress(BlockingIOError):
            if self._sockets:
                self._sockets[1].send(b"w")
            elif self._eventfd >= 0:
                os.eventfd_write(self._eventfd, 1)

    def clear(self) -> None:
        """Make the descriptor unreadable until the next `wake`."""
        with self._lock, contextlib.suppress(BlockingIOError):
            if self._sockets:
                while self._sockets[0].recv(4096):
                    pass
            elif self._eventfd >= 0:
                os.eventfd_read(self._eventfd)

    def close(self) -> None:
        """Release the descriptor. Safe to call twice."""
        with self._lock:
            eventfd, self._eventfd = self._eventfd, -1
            sockets, self._sockets = self._sockets, None
        if eventfd >= 0:
            os.close(eventfd)
        for end in sockets or ():
            end.close()
