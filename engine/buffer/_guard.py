"""Stops what a program forgot to stop, and keeps forked copies from touching what is not theirs."""

import atexit
import logging
import multiprocessing.util  # noqa: F401 - its exit function must be registered before ours
import os
import threading
import weakref
from typing import Protocol

__all__ = ("Guarded", "guard", "let_go")

log = logging.getLogger(__name__)


class Guarded(Protocol):
    """Something with processes and descriptors."""

    def stop(self) -> None:
        """Stop the processes within a deadline."""
        ...

    def disown(self) -> None:
        """Forget everything: this is a forked copy of the process it belongs to."""
        ...


class _Guard:
    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._is_installed = False
        self.teams: weakref.WeakSet[Guarded] = weakref.WeakSet()

    def add(self, team: Guarded) -> None:
        with self._lock:
            self.teams.add(team)
            if self._is_installed:
                return
            self._is_installed = True
        atexit.register(self._stop_all)
        os.register_at_fork(after_in_child=self._disown_all)

    def _stop_all(self) -> None:
        for team in list(self.teams):
            try:
                team.stop()
            except Exception:
                log.warning("stopping a buffer at exit failed", exc_info=True)

    def _disown_all(self) -> None:
        self._lock = threading.Lock()
        for team in list(self.teams):
            team.disown()
        self.teams.clear()


_guard = _Guard()


def guard(team: Guarded) -> None:
    """Stop a team when the program ends, and disown it in forked copies of this process."""
    _guard.add(team)


def let_go(team: Guarded) -> None:
    """Undo `guard`."""
    _guard.teams.discard(team)
