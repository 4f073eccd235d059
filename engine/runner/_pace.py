"""How many items travel together, and how many are sent ahead. Pure: fed with measurements."""

__all__ = ("MAX_PARCEL_ITEMS", "Pace", "parcels_ahead")

MAX_PARCEL_ITEMS = 512
_PARCEL_S = 0.001
_PARCEL_BYTES = 2_000_000
_SLOW_ITEM_S = 0.02
_PATIENCE_S = 0.002
_WEIGHT = 0.3


def parcels_ahead(workers: int, queue_scale: float) -> int:
    """Return how many parcels may be between the input and the consumer; never without end.

    At least one per worker, so that all of them can work whatever the scale.
    """
    return max(workers, int(workers * queue_scale))


class Pace:
    """Finds the size of parcels while a run is under way.

    It begins with single items, doubles while they prove quick and small, and falls back at once
    when they do not.

    Parameters
    ----------
    max_items : most items of a parcel.
    parcel_s : a parcel holds about this much work: enough to forget its cost, little enough to
        share out.
    """

    def __init__(self, *, max_items: int = MAX_PARCEL_ITEMS, parcel_s: float = _PARCEL_S) -> None:
        self.items = 1
        self._parcel_s = parcel_s
        self._max_items = max_items
        self._item_s = 0.0
        self._item_bytes = 0.0
        self._consumer_s = 0.0

    @property
    def item_s(self) -> float:
        """Recent seconds of work per item."""
        return self._item_s

    def worked(self, items: int, seconds: float, size_bytes: int) -> None:
        """Learn how long a worker took for some items and how large they and their results were."""
        if items < 1:
            return
        self._item_s = _blend(self._item_s, seconds / items)
        self._item_bytes = _blend(self._item_bytes, size_bytes / items)
        fitting = min(
            self._parcel_s / max(self._item_s, 1e-9),
            _PARCEL_BYTES / max(self._item_bytes, 1.0),
            self._max_items,
        )
        self.items = max(1, min(int(fitting), self.items * 2))

    def consumed(self, items: int, seconds: float) -> None:
        """Learn how long the consumer took for some results."""
        if items > 0:
            self._consumer_s = _blend(self._consumer_s, seconds / items)

    @property
    def depth(self) -> int:
        """How many parcels a worker may have at a time, the one at work included.

        Items that take long are handed out one by one, so that none waits behind a slow one while
        another worker has nothing to do; unless the consumer is so slow that a worker would wait.
        """
        if self._item_s > _SLOW_ITEM_S and self._consumer_s < self._item_s / 10:
            return 1
        return 2

    @property
    def patience_s(self) -> float:
        """How long a worker may be silent before it counts as held up by a slow item."""
        return _PATIENCE_S + 3 * self._item_s * self.items


def _blend(old: float, new: float) -> float:
    """Mix in a measurement; what grows is believed at once."""
    return new if new > old else old + _WEIGHT * (new - old)
