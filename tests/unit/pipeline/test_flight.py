import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from engine.pipeline.flight import Flight, stage_durations_ns, stage_times
from engine.pipeline.pre import Geometry
from engine.protocol import STAGES


def flight(moments: list[int]) -> Flight:
    nothing = np.empty(0, np.uint8)
    captured, ready, taken, prepared = moments
    return Flight(0, 0, nothing, nothing, Geometry(), captured, ready, taken, prepared)


@given(st.lists(st.integers(0, 10**12), min_size=8, max_size=8))
def test_the_stages_add_up_to_the_age_exactly(moments: list[int]) -> None:
    moments.sort()

    durations = stage_durations_ns(flight(moments[:4]), *moments[4:])

    assert len(durations) == len(STAGES)
    assert sum(durations) == moments[-1] - moments[0]


def test_stage_times_are_named_and_in_milliseconds() -> None:
    times = stage_times(tuple(n * 1_000_000 for n in range(len(STAGES))))

    assert [time.stage for time in times] == list(STAGES)
    assert [time.duration_ms for time in times] == [float(n) for n in range(len(STAGES))]
