"""The global storage of this process; in a worker, with the parent's behind it."""

import os
import threading
from typing import Any, Protocol

from engine.machine._publishing import Publication, Publisher
from engine.machine._store import Store, Version, unknown_key

__all__ = ("ParentStorage", "Storage", "storage")


class ParentStorage(Protocol):
    """How a worker sees what its parent has stored."""

    def read(self, key: int) -> Any:  # noqa: ANN401 - whatever was stored
        """Return a value, arrays as read-only views; raises `GlobKeyError`."""
        ...

    def override(self, key: int, value: object) -> None:
        """Replace a value for this worker, until the parent changes it; raises `GlobKeyError`."""
        ...


class Storage:
    """What the functions of the global storage work on.

    Attributes
    ----------
    store : the values of this process.
    publisher : what its workers get of them.
    parent : in a worker, the parent's values.
    """

    def __init__(self) -> None:
        self.publisher = Publisher()
        self.store = Store(self.publisher.retire)
        self.parent: ParentStorage | None = None
        self._lock = threading.Lock()
        self._pools = 0
        os.register_at_fork(after_in_child=self._begin_anew)

    def read(self, key: int) -> Any:  # noqa: ANN401 - whatever was stored
        """Return the value of a key; see `engine.machine.glob_read`."""
        if self.parent is None or self.store.has(key):
            return self.store.read(key)
        self._check(key)
        return self.parent.read(key)

    def update(self, key: int, value: object) -> None:
        """Replace the value of a key; see `engine.machine.glob_update`."""
        if self.parent is None or self.store.has(key):
            self.store.update(key, value)
            return
        self._check(key)
        self.parent.override(key, value)

    def attach(self) -> None:
        """Note that a pool has started."""
        with self._lock:
            self._pools += 1

    def detach(self) -> None:
        """Note that a pool has ended; after the last, the memory that workers saw is given up."""
        with self._lock:
            self._pools -= 1
            if not self._pools:
                found = [p for p in self.store.withdraw() if isinstance(p, Publication)]
                self.publisher.close(found)

    def _begin_anew(self) -> None:
        """In a fork: the pools are not its own."""
        self._lock = threading.Lock()
        self._pools = 0

    def disown(self) -> list[tuple[int, Version]]:
        """Give up, and return, what came with a fork: it belongs to the parent."""
        found = [p for p in self.store.withdraw() if isinstance(p, Publication)]
        self.publisher.close(found)
        return list(self.store.take_all())

    def _check(self, key: object) -> None:
        if not isinstance(key, int) or self.store.owns(key):
            raise unknown_key(key, is_ours=self.store.owns(key))


# The published functions take no storage: there is one per process by their contract.
storage = Storage()
