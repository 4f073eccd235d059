"""Closes what a program forgot to close when its main thread ends.

Threads that are not daemons are waited for before ``atexit`` runs, so closing them from there
would come too late; the hook used here runs before that wait.
"""

import logging
import threading
import weakref
from typing import Protocol

__all__ = ("Closable", "close_at_exit")

log = logging.getLogger(__name__)


class Closable(Protocol):
    """Something with a close that may be called at any time."""

    def close(self) -> object:
        """Close within a deadline."""
        ...


class _Guard:
    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._owners: list[weakref.ref[Closable]] = []
        self._is_installed = False

    def add(self, owner: Closable) -> None:
        with self._lock:
            self._owners = [ref for ref in self._owners if ref() is not None]
            self._owners.append(weakref.ref(owner))
            if self._is_installed:
                return
            self._is_installed = True
        # concurrent.futures ends its workers by the same hook, which has no public name.
        threading._register_atexit(self.close_all)  # type: ignore[attr-defined]  # noqa: SLF001

    def close_all(self) -> None:
        with self._lock:
            owners, self._owners = self._owners, []
        for ref in reversed(owners):
            owner = ref()
            if owner is None:
                continue
            try:
                owner.close()
            except Exception:
                log.warning("closing %r at exit failed", type(owner).__name__, exc_info=True)


_guard = _Guard()


def close_at_exit(owner: Closable) -> None:
    """Close `owner` when the main thread ends, newest owner first; holds no reference to it."""
    _guard.add(owner)
