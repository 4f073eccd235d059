"""Notices when a thread's initialization function uses the handle that waits for it."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager

from engine.handle.errors import HandleReentryError

__all__ = ("AccessGuard",)


class AccessGuard:
    """Knows which threads are inside an initialization function of one handle."""

    def __init__(self) -> None:
        self._here = threading.local()

    @property
    def is_initializing(self) -> bool:
        """Whether the calling thread is inside an initialization function."""
        return getattr(self._here, "depth", 0) > 0

    @contextmanager
    def initializing(self) -> Iterator[None]:
        """Mark the calling thread for as long as its initialization function runs."""
        self._here.depth = 1
        try:
            yield
        finally:
            self._here.depth = 0

    def check(self) -> None:
        """Raise `HandleReentryError` inside an initialization function."""
        if self.is_initializing:
            raise HandleReentryError(
                "a thread's initialization function used the handle whose threads are being "
                "created, which would wait for itself for ever; use the handle after "
                "createProcessingThreads has returned"
            )
