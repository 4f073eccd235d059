"""A frame on its way through the pipeline, and the times at which it passed each stage."""

from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from engine.pipeline.pre import Geometry
from engine.protocol import STAGES, StageTime, Truth

__all__ = ("Flight", "stage_durations_ns", "stage_times")


@dataclass(slots=True)
class Flight:
    """What must be known about a frame until its result is complete; times are monotonic ns."""

    frame_id: int
    slot: int
    frame: NDArray[np.generic]
    tensor: NDArray[np.generic]
    geometry: Geometry
    captured_at_ns: int
    ready_at_ns: int
    taken_at_ns: int
    prepared_at_ns: int
    truth: Truth | None = None


def stage_durations_ns(
    flight: Flight, started_ns: int, finished_ns: int, delivered_ns: int, complete_ns: int
) -> tuple[int, ...]:
    """Return the time spent in each of `STAGES`; their sum is the age of the result exactly."""
    moments = (
        flight.captured_at_ns,
        flight.ready_at_ns,
        flight.taken_at_ns,
        flight.prepared_at_ns,
        started_ns,
        finished_ns,
        delivered_ns,
        complete_ns,
    )
    return tuple(after - before for before, after in pairwise(moments))


def stage_times(durations_ns: tuple[int, ...]) -> tuple[StageTime, ...]:
    """Return the durations as they travel in a result."""
    return tuple(
        StageTime(stage, round(duration / 1e6, 4))
        for stage, duration in zip(STAGES, durations_ns, strict=True)
    )
