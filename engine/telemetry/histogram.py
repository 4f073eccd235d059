"""Counts durations in buckets that grow with the value: bounded memory, 0.4 % error."""

from bisect import bisect_right
from collections.abc import Sequence
from itertools import accumulate
from math import floor

__all__ = ("Histogram",)

_SUB_BITS = 7
_LARGEST = (1 << 47) - 1  # 39 hours in nanoseconds; longer durations count as this
_BUCKETS = ((_LARGEST.bit_length() - _SUB_BITS) << _SUB_BITS) + (1 << _SUB_BITS)


class Histogram:
    """Count durations and give percentiles of all of them.

    Values below 256 ns have a bucket each; above, every power of two is cut into 128 buckets, so
    that a bucket's center is at most 0.4 % away from any value in it. The mean is exact.
    Not thread-safe: its owner holds a lock.
    """

    __slots__ = ("_counts", "count", "sum_ns")

    def __init__(self) -> None:
        self._counts = [0] * _BUCKETS
        self.count = 0
        self.sum_ns = 0

    def add(self, value_ns: int) -> None:
        """Count one duration; a negative one (a clock fault) counts as 0 in the percentiles."""
        self.count += 1
        self.sum_ns += value_ns
        clipped = min(max(value_ns, 0), _LARGEST)
        shift = clipped.bit_length() - _SUB_BITS - 1
        if shift > 0:
            self._counts[(shift << _SUB_BITS) + (clipped >> shift)] += 1
        else:
            self._counts[clipped] += 1

    @property
    def mean_ns(self) -> float:
        """Exact mean in nanoseconds, 0 when nothing was counted."""
        return self.sum_ns / self.count if self.count else 0.0

    def percentiles_ns(self, percents: Sequence[float]) -> list[float]:
        """Return the percentiles (0..100, rising), interpolated linearly between neighbors."""
        if not self.count:
            return [0.0] * len(percents)
        running = list(accumulate(self._counts))
        return [self._at(percent / 100 * (self.count - 1), running) for percent in percents]

    def _at(self, rank: float, running: list[int]) -> float:
        low = floor(rank)
        share = rank - low
        lower = _center_ns(_bucket_of(low, running))
        if not share:
            return lower
        upper = _center_ns(_bucket_of(low + 1, running))
        return lower + (upper - lower) * share


def _bucket_of(rank: int, running: list[int]) -> int:
    """Return the bucket that holds the value of that rank (counting from 0)."""
    return bisect_right(running, rank)


def _center_ns(bucket: int) -> float:
    shift = (bucket >> _SUB_BITS) - 1
    if shift <= 0:
        return float(bucket)
    start = (bucket - (shift << _SUB_BITS)) << shift
    return start + ((1 << shift) - 1) / 2
