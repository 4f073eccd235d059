"""The last minute of figures in arrays that never grow."""

from collections.abc import Hashable, Mapping

import numpy as np
from numpy.typing import NDArray

__all__ = ("History",)


class History:
    """Keeps the newest samples of any number of series with common times.

    Every series is written twice, half an array apart, so that the newest samples always lie in
    one piece and reading copies nothing.

    Parameters
    ----------
    capacity : samples that are kept per series.
    """

    def __init__(self, capacity: int = 384) -> None:
        self._capacity = capacity
        self._times = np.full(2 * capacity, np.nan)
        self._series: dict[Hashable, NDArray[np.float64]] = {}
        self._next = 0
        self._count = 0

    def __len__(self) -> int:
        return self._count

    @property
    def keys(self) -> set[Hashable]:
        """The series that have at least one sample."""
        return set(self._series)

    def add(self, at_s: float, values: Mapping[Hashable, float]) -> None:
        """Add one sample of each given series; the others get a gap at this time.

        A time before the newest one starts a new history: the clock is another one.
        """
        if self._count and at_s < self._times[self._next - 1 + self._capacity]:
            self.clear()
        for key in values.keys() - self._series.keys():
            self._series[key] = np.full(2 * self._capacity, np.nan)
        for array in self._series.values():
            array[self._next] = array[self._next + self._capacity] = np.nan
        for key, value in values.items():
            array = self._series[key]
            array[self._next] = array[self._next + self._capacity] = value
        self._times[self._next] = self._times[self._next + self._capacity] = at_s
        self._next = (self._next + 1) % self._capacity
        self._count = min(self._count + 1, self._capacity)
        if self._next == 0:
            self._forget_empty()

    def clear(self) -> None:
        """Forget everything."""
        self._series.clear()
        self._times.fill(np.nan)
        self._next = self._count = 0

    def times(self) -> NDArray[np.float64]:
        """Return the times of all samples, oldest first; a view, valid until the next `add`."""
        return self._newest(self._times)

    def values(self, key: Hashable) -> NDArray[np.float64]:
        """Return a series beside `times`, NaN where it has no sample; a view as well."""
        array = self._series.get(key)
        return np.full(self._count, np.nan) if array is None else self._newest(array)

    def latest(self, key: Hashable) -> float:
        """Return the newest sample of a series, NaN when it has none."""
        values = self.values(key)
        return float(values[-1]) if values.size else float("nan")

    def at(self, key: Hashable, at_s: float, *, within_s: float = 1.0) -> float:
        """Return the sample next to a time, NaN when there is none that near."""
        times = self.times()
        if not times.size:
            return float("nan")
        index = int(np.argmin(np.abs(times - at_s)))
        if abs(times[index] - at_s) > within_s:
            return float("nan")
        return float(self.values(key)[index])

    def _newest(self, array: NDArray[np.float64]) -> NDArray[np.float64]:
        end = self._next + self._capacity
        return array[end - self._count : end]

    def _forget_empty(self) -> None:
        """Drop series without any sample left: their stream is gone."""
        empty = [key for key, array in self._series.items() if np.isnan(array).all()]
        for key in empty:
            del self._series[key]
