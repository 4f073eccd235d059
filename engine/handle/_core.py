"""What a handle is made of; models, contexts and devices hold this, never the handle itself."""

import logging
import threading
import weakref
from pathlib import Path
from typing import Protocol, TypeVar

from engine.errors import EngineError
from engine.handle._access import AccessGuard
from engine.handle._plugins import PluginTable
from engine.handle._queue import InitFunction, QueueCore
from engine.handle.errors import HandleAlreadyCreatedError, HandleNoLongerValidError
from engine.lanes import close_at_exit
from engine.license import License, require_within

__all__ = ("Dependent", "HandleCore")

log = logging.getLogger(__name__)

_Kind = TypeVar("_Kind")


class Dependent(Protocol):
    """Something that cannot outlive the handle."""

    def release(self) -> None:
        """Let go of everything; called once the handle's threads have stopped."""
        ...


class _Slot:
    """The place for the one handle there may be in a process."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._holder: weakref.ref[HandleCore] | None = None

    def take(self, core: "HandleCore") -> None:
        with self._lock:
            if self._holder is not None and self._holder() is not None:
                raise HandleAlreadyCreatedError(
                    "there is a handle already, and only one may exist at a time; delete the old "
                    "one with del, or call its close()"
                )
            self._holder = weakref.ref(core)

    def free(self, core: "HandleCore") -> None:
        with self._lock:
            if self._holder is not None and self._holder() is core:
                self._holder = None


_slot = _Slot()


class HandleCore:
    """The state of one handle, from its creation to its end.

    Parameters
    ----------
    terms : the license it works under.

    Raises
    ------
    HandleAlreadyCreatedError
        When another handle lives.
    """

    def __init__(self, terms: License) -> None:
        self.terms = terms
        self.guard = AccessGuard()
        self.plugins = PluginTable()
        self.queue = QueueCore(self.guard, "the handle")
        self.driver_folder: Path | None = None
        self.isolation_executable: Path | None = None
        self._lock = threading.RLock()
        self._queues: weakref.WeakSet[QueueCore] = weakref.WeakSet([self.queue])
        self._dependents: weakref.WeakSet[Dependent] = weakref.WeakSet()
        self._is_open = True
        _slot.take(self)
        close_at_exit(self)

    @property
    def is_open(self) -> bool:
        """Whether the handle lives."""
        return self._is_open

    def check(self) -> None:
        """Refuse use after the end, and use from inside an initialization function.

        Raises
        ------
        HandleNoLongerValidError, HandleReentryError
            For these reasons.
        """
        self.guard.check()
        if not self._is_open:
            raise HandleNoLongerValidError("this handle was closed; make a new one")

    def new_queue(self, name: str) -> QueueCore:
        """Make a further queue set."""
        queue = QueueCore(self.guard, name)
        with self._lock:
            self.check()
            self._queues.add(queue)
        return queue

    def add(self, dependent: Dependent) -> None:
        """Have something released when the handle ends."""
        with self._lock:
            self.check()
            self._dependents.add(dependent)

    def dependents(self, kind: type) -> int:
        """Count what is alive of a kind."""
        with self._lock:
            return sum(isinstance(one, kind) for one in self._dependents)

    def all_dependents(self, kind: type[_Kind]) -> list[_Kind]:
        """Return what is alive of a kind."""
        with self._lock:
            return [one for one in self._dependents if isinstance(one, kind)]

    def create_threads(self, queue: QueueCore, count: int, init: InitFunction | None) -> None:
        """Start a queue set's threads, as far as the license allows."""
        with self._lock:
            others = sum(one.thread_count - 1 for one in self._queues if one is not queue)
        require_within(self.terms, "threads", others + count)
        queue.create(count, init)

    def close(self) -> None:
        """Stop all processing, release what depends on the handle and give its place free.

        Safe to call twice and from any thread.
        """
        with self._lock:
            if not self._is_open:
                return
            self._is_open = False
            queues, dependents = list(self._queues), list(self._dependents)
        try:
            for queue in queues:
                queue.close("its handle was deleted or closed")
            for dependent in dependents:
                _release(dependent)
        finally:
            _slot.free(self)
        log.debug("handle closed, %d queue sets, %d dependents", len(queues), len(dependents))


def _release(dependent: Dependent) -> None:
    """Release one; what cannot be released must not keep the others."""
    try:
        dependent.release()
    except EngineError as error:
        log.warning("%s was not released cleanly: %s", type(dependent).__name__, error)
