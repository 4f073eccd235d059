"""Small inputs travel in groups, so that handing them out is no work compared with doing them."""

import threading
from collections.abc import Iterable, Iterator

from engine.batch.journal import BatchItem

__all__ = ("Groups",)

_GROUP_S = 0.25
_GROUP_S_PER_WORKER = 0.002  # so that thousands of workers ask for at most 500 groups a second
_MOST = 256
_SHARES_LEFT = 4
_NEW_WEIGHT = 0.2


class Groups:
    """Inputs in groups of about a quarter of a second's work, smaller ones towards the end.

    Beyond 125 workers groups get longer, 2 ms for each worker.

    A group is what a killed run does again at most, per worker.

    Parameters
    ----------
    items : one after the other; read by the thread that iterates.
    count : how many there are.
    workers : how many share them.
    """

    def __init__(self, items: Iterable[BatchItem], count: int, workers: int) -> None:
        self._items = items
        self._left = count
        self._workers = workers
        self._lock = threading.Lock()
        self._seconds_each = 0.0
        self._group_s = max(_GROUP_S, _GROUP_S_PER_WORKER * workers)

    def __iter__(self) -> Iterator[list[BatchItem]]:
        group: list[BatchItem] = []
        for item in self._items:
            group.append(item)
            if len(group) >= self._size():
                self._left -= len(group)
                yield group
                group = []
        if group:
            yield group

    def was_done(self, count: int, seconds: float) -> None:
        """Learn how long a group of `count` inputs took; from any thread."""
        each = seconds / count
        with self._lock:
            before = self._seconds_each
            self._seconds_each = before + _NEW_WEIGHT * (each - before) if before else each

    def _size(self) -> int:
        with self._lock:
            each = self._seconds_each
        if not each:
            return 1
        fair = self._left // (self._workers * _SHARES_LEFT)
        return max(1, min(_MOST, fair, int(self._group_s / each)))
