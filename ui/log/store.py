"""The newest log records and which of them are shown, without Qt.

Records come in by three steps, so that a table can announce each before it happens: `leaving` and
`make_room`, then `matching` and `append`. `add` does all at once.
"""

from collections import deque
from collections.abc import Iterable, Sequence

from engine.protocol import LogEntry

__all__ = ("CAPACITY", "LEVELS", "LogStore", "is_trouble")

CAPACITY = 10_000
LEVELS = ("DEBUG", "INFO", "WARNING", "ERROR")
"""Levels to choose from; CRITICAL counts as ERROR."""

_RANK = {"DEBUG": 0, "INFO": 1, "WARNING": 2, "ERROR": 3, "CRITICAL": 3}


class LogStore:
    """A ring of records with a filter by level and text.

    Parameters
    ----------
    capacity : older records beyond that number are forgotten.
    """

    def __init__(self, capacity: int = CAPACITY) -> None:
        self.capacity = capacity
        self._all: deque[LogEntry] = deque()
        self._shown: deque[tuple[int, LogEntry]] = deque()
        self._held: deque[LogEntry] = deque(maxlen=capacity)
        self._first = 0
        self._least_rank = _RANK["INFO"]
        self._words: tuple[str, ...] = ()

    def __len__(self) -> int:
        return len(self._shown)

    def __getitem__(self, row: int) -> LogEntry:
        return self._shown[row][1]

    @property
    def total(self) -> int:
        """Records that are kept, shown or not, without those that wait."""
        return len(self._all)

    @property
    def waiting(self) -> int:
        """Records that were held back."""
        return len(self._held)

    def hold(self, entries: Iterable[LogEntry]) -> None:
        """Keep records aside until `take_held`."""
        self._held.extend(entries)

    def take_held(self) -> tuple[LogEntry, ...]:
        """Return what was held back and hold it no longer."""
        held = tuple(self._held)
        self._held.clear()
        return held

    def leaving(self, incoming: int) -> int:
        """Return how many of the oldest shown records go when that many come."""
        limit = self._first + self._overflow(incoming)
        count = 0
        for number, _ in self._shown:
            if number >= limit:
                break
            count += 1
        return count

    def make_room(self, incoming: int) -> None:
        """Forget the oldest records so that that many fit."""
        leaving = self.leaving(incoming)
        for _ in range(leaving):
            self._shown.popleft()
        overflow = self._overflow(incoming)
        for _ in range(overflow):
            self._all.popleft()
        self._first += overflow

    def matching(self, entries: Iterable[LogEntry]) -> int:
        """Return how many of these records the filter shows."""
        return sum(map(self._is_shown, entries))

    def append(self, entries: Iterable[LogEntry]) -> None:
        """Keep records for which there is room."""
        for entry in entries:
            if self._is_shown(entry):
                self._shown.append((self._first + len(self._all), entry))
            self._all.append(entry)

    def add(self, entries: Sequence[LogEntry]) -> None:
        """Keep records and forget the oldest ones for them."""
        newest = entries[-self.capacity :]
        self.make_room(len(newest))
        self.append(newest)

    def set_filter(self, level: str, text: str) -> None:
        """Show only records of at least a level that contain all words of a text, in any case."""
        self._least_rank = _RANK.get(level, 0)
        self._words = tuple(text.lower().split())
        self._shown = deque(
            (self._first + index, entry)
            for index, entry in enumerate(self._all)
            if self._is_shown(entry)
        )

    def clear(self) -> None:
        """Forget all records."""
        self._first += len(self._all)
        self._all.clear()
        self._shown.clear()
        self._held.clear()

    def _overflow(self, incoming: int) -> int:
        return max(0, len(self._all) + incoming - self.capacity)

    def _is_shown(self, entry: LogEntry) -> bool:
        if _RANK.get(entry.level, _RANK["ERROR"]) < self._least_rank:
            return False
        if not self._words:
            return True
        text = f"{entry.message} {entry.stream} {entry.role} {entry.level} {entry.logger}".lower()
        return all(word in text for word in self._words)


def is_trouble(entry: LogEntry) -> bool:
    """Return whether a record is a warning or worse."""
    return _RANK.get(entry.level, _RANK["ERROR"]) >= _RANK["WARNING"]
