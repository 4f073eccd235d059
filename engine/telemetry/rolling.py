"""Ages and stage times of a stream: the last seconds, and the whole run."""

import threading
from array import array
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from engine.errors import InvalidArgumentError
from engine.protocol import STAGES, LatencyFigures, StageFigures
from engine.telemetry.clock import now_ns
from engine.telemetry.histogram import Histogram

__all__ = ("Figures", "RollingFigures")

_COLUMNS = 2 + len(STAGES)  # when, age, one per stage
_MS = 1e6


class Figures(NamedTuple):
    """Ages and stage times of some results, in milliseconds; all 0 or empty without results.

    Attributes
    ----------
    latency_ms : percentiles of the results' ages.
    stages_ms : percentiles of each stage, in the order of `STAGES`.
    stages_mean_ms : mean of each stage; the means add up to `age_mean_ms`.
    age_mean_ms : mean age.
    frames : how many results the figures are made of.
    """

    latency_ms: LatencyFigures
    stages_ms: dict[str, StageFigures]
    stages_mean_ms: dict[str, float]
    age_mean_ms: float
    frames: int


class RollingFigures:
    """Collect the times of every result of a stream; all methods may be called from any thread.

    Parameters
    ----------
    capacity : results that are kept one by one; a window never reaches further back than these.
    """

    def __init__(self, capacity: int = 4096) -> None:
        if capacity < 1:
            raise InvalidArgumentError(f"capacity is 1 or more results, not {capacity}")
        self._lock = threading.Lock()
        self._capacity = capacity
        self._cells = array("q", bytes(8 * capacity * _COLUMNS))
        self._rows = np.frombuffer(self._cells, np.int64).reshape(capacity, _COLUMNS)
        self._count = 0
        self._totals = tuple(Histogram() for _ in range(_COLUMNS - 1))

    def add(self, age_ns: int, stage_ns: Sequence[int], at_ns: int | None = None) -> None:
        """Count one result.

        Parameters
        ----------
        age_ns : from capture to finish.
        stage_ns : duration of each stage in the order of `STAGES`.
        at_ns : when it was finished; None is now.
        """
        durations = (age_ns, *stage_ns)
        if len(durations) != _COLUMNS - 1:
            raise InvalidArgumentError(
                f"{len(stage_ns)} stage times were given; there are {len(STAGES)} stages"
            )
        row = array("q", (now_ns() if at_ns is None else at_ns, *durations))
        with self._lock:
            start = self._count % self._capacity * _COLUMNS
            self._cells[start : start + _COLUMNS] = row
            self._count += 1
            for histogram, duration in zip(self._totals, durations, strict=True):
                histogram.add(duration)

    def window(self, seconds: float, at_ns: int | None = None) -> Figures:
        """Return the figures of the results of the last `seconds`, as seen at `at_ns` (now)."""
        until = now_ns() if at_ns is None else at_ns
        with self._lock:
            rows = self._rows[: min(self._count, self._capacity)].copy()
        recent: NDArray[np.int64] = rows[(rows[:, 0] > until - seconds * 1e9), 1:]
        if not len(recent):
            return _figures(0, [(0.0, 0.0, 0.0)] * (_COLUMNS - 1), [0.0] * (_COLUMNS - 1))
        percentiles = np.percentile(recent, (50, 95, 99), axis=0).T
        return _figures(len(recent), percentiles.tolist(), recent.mean(axis=0).tolist())

    def total(self) -> Figures:
        """Return the figures of all results: percentiles within 1 %, means exact."""
        with self._lock:
            return _figures(
                self._count,
                [histogram.percentiles_ns((50, 95, 99)) for histogram in self._totals],
                [histogram.mean_ns for histogram in self._totals],
            )


def _figures(
    frames: int, percentiles_ns: Sequence[Sequence[float]], means_ns: Sequence[float]
) -> Figures:
    """Build the figures from one row of percentiles and one mean for age and each stage."""
    age, *stages = [[value / _MS for value in row] for row in percentiles_ns]
    age_mean, *stage_means = [mean / _MS for mean in means_ns]
    return Figures(
        LatencyFigures(p50=age[0], p95=age[1], p99=age[2]),
        {
            name: StageFigures(p50=row[0], p95=row[1])
            for name, row in zip(STAGES, stages, strict=True)
        },
        dict(zip(STAGES, stage_means, strict=True)),
        age_mean,
        frames,
    )
