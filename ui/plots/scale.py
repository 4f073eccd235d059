"""Where a value axis ends, and where the names at the ends of lines stand."""

from collections.abc import Sequence
from math import floor, isfinite, log10

__all__ = ("Scale", "nice_top", "spread", "value_ticks")

_STEPS = (1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 8.0, 10.0)
_PARTS = {
    1.0: (5, 2, 1),
    2.0: (4, 2, 1),
    3.0: (3, 1),
    4.0: (4, 2, 1),
    5.0: (5, 1),
    6.0: (3, 2, 1),
    8.0: (4, 2, 1),
}
_SHRINK_BELOW = 0.5


class Scale:
    """The upper end of a value axis that begins at 0: grows at once, shrinks late, changes rarely.

    Parameters
    ----------
    least : the top is never lower than that.
    pause_s : least time between two changes.
    """

    def __init__(self, least: float = 1.0, *, pause_s: float = 1.0) -> None:
        self.top = nice_top(least)
        self._least = least
        self._pause_s = pause_s
        self._changed_at_s = float("-inf")

    def fit(self, highest: float, now_s: float) -> bool:
        """Adapt to the highest value shown; returns whether `top` changed."""
        if now_s - self._changed_at_s < self._pause_s or not isfinite(highest):
            return False
        wanted = nice_top(max(highest * 1.05, self._least))
        if self.top * _SHRINK_BELOW <= wanted <= self.top:
            return False
        self.top = wanted
        self._changed_at_s = now_s
        return True


def nice_top(value: float) -> float:
    """Return the next round number that is not below a positive value."""
    if not isfinite(value) or value <= 0:
        return 1.0
    power = 10.0 ** floor(log10(value))
    return next(step * power for step in _STEPS if step * power >= value * (1 - 1e-9))


def value_ticks(top: float, height: float, *, label_px: float = 20.0) -> list[float]:
    """Return the values from 0 to a round top that get a grid line and fit a height in pixels."""
    power = 10.0 ** floor(log10(top) + 1e-9)
    choices = _PARTS.get(round(top / power, 6), (1,))
    parts = next((choice for choice in choices if height / label_px >= choice + 0.5), 1)
    return [round(top * part / parts, 9) for part in range(parts + 1)]


def spread(wanted: Sequence[float], height: float, low: float, high: float) -> list[float]:
    """Move labels apart so that none covers another, each as near as may be to its place.

    Parameters
    ----------
    wanted : middle of each label, ascending.
    height : of a label.
    low, high : no middle lies outside, as long as all fit between.

    Returns
    -------
    list of float
        The middles in the same order.
    """
    middles: list[float] = []
    for place in wanted:
        least = middles[-1] + height if middles else low
        middles.append(max(place, least))
    limit = high
    for index in reversed(range(len(middles))):
        middles[index] = min(middles[index], limit)
        limit = middles[index] - height
    return middles
