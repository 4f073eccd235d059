"""What this process keeps in the global storage, with the past that running work still sees."""

import os
import secrets
import threading
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import count
from typing import Any

from engine.machine.errors import GlobKeyError

__all__ = ("Store", "Version", "unknown_key")

_COUNTER_BITS = 40
_FOREVER = float("inf")


@dataclass(eq=False)
class Version:
    """One value of a key.

    Attributes
    ----------
    number : different for each value ever stored in this process.
    since, until : the epochs during which it was the key's value (`until` is the first without).
    publication : what the workers get of it, once one has asked.
    """

    number: int
    value: Any
    since: int
    until: float = _FOREVER
    publication: Any = None


@dataclass(eq=False)
class _Entry:
    versions: list[Version] = field(default_factory=list)

    @property
    def current(self) -> Version | None:
        newest = self.versions[-1:]  # another thread may take the last one away meanwhile
        return newest[0] if newest and newest[0].until == _FOREVER else None


class Store:
    """The values of one process by key; all methods may be called from any thread.

    Each update and removal begins a new epoch. Work that was handed to a pool keeps seeing the
    epoch in which it was handed over: it is pinned, and what it may still read is kept.

    Parameters
    ----------
    retired : called, outside of locks, with each version that nothing can read any more.
    """

    def __init__(self, retired: Callable[[Version], None]) -> None:
        self._retired = retired
        self._lock = threading.RLock()  # the garbage collector may call `drop_later` anywhere
        self._entries: dict[int, _Entry] = {}
        self._past: deque[tuple[int, Version]] = deque()
        self._pins: dict[int, int] = {}
        self._dropped: deque[int] = deque()
        self._numbers = count(1)
        self._keys = count(1)
        self._token = 0
        self._token_pid = 0
        self.epoch = 1
        os.register_at_fork(
            before=self._lock.acquire,
            after_in_parent=self._lock.release,
            after_in_child=self._lock.release,
        )

    def __len__(self) -> int:
        """Return how many keys have a value."""
        self._tidy()
        return sum(1 for entry in list(self._entries.values()) if entry.current is not None)

    def owns(self, key: object) -> bool:
        """Say whether this process made the key."""
        return isinstance(key, int) and key >> _COUNTER_BITS == self._own_token()

    def add(self, value: object) -> int:
        """Keep a value and return its key, which no other process will ever hand out."""
        with self._locked():
            key = self._own_token() << _COUNTER_BITS | next(self._keys)
            # Visible in every epoch: nobody can know the key earlier.
            self._entries[key] = _Entry([Version(next(self._numbers), value, since=0)])
        return key

    def has(self, key: object) -> bool:
        """Say whether the key has a value here."""
        self._tidy()
        entry = self._entries.get(key) if isinstance(key, int) else None
        return entry is not None and entry.current is not None

    def read(self, key: int) -> Any:  # noqa: ANN401 - whatever was stored
        """Return the value of a key, the very object that was stored.

        Raises
        ------
        GlobKeyError : it has none.
        """
        self._tidy()
        return self._current(key).value

    def update(self, key: int, value: object) -> None:
        """Replace the value of a key.

        Raises
        ------
        GlobKeyError : it has none.
        """
        with self._locked():
            version = self._current(key)
            self._end(key, version)
            self._entries[key].versions.append(Version(next(self._numbers), value, self.epoch))

    def remove(self, key: int) -> None:
        """Forget the value of a key.

        Raises
        ------
        GlobKeyError : it has none.
        """
        with self._locked():
            self._end(key, self._current(key))

    def drop_later(self, key: int) -> None:
        """Forget the value of a key; safe where the garbage collector calls, so never waits."""
        self._dropped.append(key)
        self._tidy()

    def revive(self, key: int) -> bool:
        """Bring a removed value back while work still sees it; say whether the key has a value."""
        with self._locked():
            entry = self._entries.get(key)
            if entry is None:
                return False
            if entry.current is None:
                old = entry.versions[-1]
                self.epoch += 1
                entry.versions.append(Version(next(self._numbers), old.value, self.epoch))
            return True

    def pin(self) -> int:
        """Keep what can be read now until `unpin`; return the epoch."""
        with self._locked():
            self._pins[self.epoch] = self._pins.get(self.epoch, 0) + 1
            return self.epoch

    def unpin(self, epoch: int) -> None:
        """Undo one `pin`."""
        with self._locked():
            self._pins[epoch] -= 1
            if not self._pins[epoch]:
                del self._pins[epoch]

    def version_at(self, key: int, epoch: int) -> Version | None:
        """Return what a key's value was in a pinned epoch; its newest when that is gone."""
        with self._lock:
            entry = self._entries.get(key)
            if entry is None:
                return None
            for version in entry.versions:
                if version.since <= epoch < version.until:
                    return version
            return entry.current

    def publish(self, version: Version, publication: object) -> object:
        """Note what workers get of a version, and return it; the first one noted stays."""
        with self._lock:
            version.publication = version.publication or publication
            return version.publication

    def withdraw(self) -> list[object]:
        """Forget, and return, what workers got of all versions: there are no workers any more."""
        with self._lock:
            versions = [v for entry in self._entries.values() for v in entry.versions]
            found = [v.publication for v in versions if v.publication is not None]
            for version in versions:
                version.publication = None
        return found

    def take_all(self) -> Iterator[tuple[int, Version]]:
        """Give up all values, as (key, newest version): for a process just forked."""
        entries, self._entries = self._entries, {}
        self._past.clear()
        self._pins.clear()
        self._dropped.clear()
        for key, entry in entries.items():
            if entry.current is not None:
                yield key, entry.current

    def _own_token(self) -> int:
        if self._token_pid != os.getpid():  # a fork has keys of its own
            self._token, self._token_pid = secrets.randbits(64), os.getpid()
        return self._token

    def _current(self, key: object) -> Version:
        entry = self._entries.get(key) if isinstance(key, int) else None
        version = entry.current if entry is not None else None
        if version is None:
            raise unknown_key(key, is_ours=self.owns(key))
        return version

    def _end(self, key: int, version: Version) -> None:
        self.epoch += 1
        version.until = self.epoch
        self._past.append((key, version))

    @contextmanager
    def _locked(self) -> Iterator[None]:
        with self._lock:
            yield
        self._tidy()

    def _tidy(self) -> None:
        """Remove what was dropped, and what nothing can see; values die outside of the lock."""
        while (self._dropped or self._past) and self._lock.acquire(blocking=False):
            try:
                is_done = not self._dropped
                self._end_dropped()
                gone = self._unseen()
            finally:
                self._lock.release()
            for version in gone:
                self._retired(version)
            if is_done and not gone:
                return

    def _end_dropped(self) -> None:
        while self._dropped:
            key = self._dropped.popleft()
            entry = self._entries.get(key)
            if entry is not None and entry.current is not None:
                self._end(key, entry.current)

    def _unseen(self) -> list[Version]:
        oldest = next(iter(self._pins), self.epoch)
        gone = []
        while self._past and self._past[0][1].until <= oldest:
            key, version = self._past.popleft()
            gone.append(version)
            entry = self._entries[key]
            entry.versions.remove(version)
            if not entry.versions:
                del self._entries[key]
        return gone


def unknown_key(key: object, *, is_ours: bool) -> GlobKeyError:
    """Return the error for a key that has no value here."""
    story = (
        "it was removed"
        if is_ours
        else "no value was ever stored under it in this process or the one that started it; "
        "a key made in a worker is valid in that worker only"
    )
    return GlobKeyError(f"key {key!r} is not in the global storage: {story}")
