"""Ages and stage times: windows look back in time, totals cover the whole run."""

import threading

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.errors import InvalidArgumentError
from engine.protocol import STAGES, LatencyFigures, StageFigures
from engine.telemetry import RollingFigures

MS = 1_000_000
SECOND = 1000 * MS


def stages(*durations_ms: float) -> list[int]:
    padded = (*durations_ms, *[0.0] * (len(STAGES) - len(durations_ms)))
    return [round(value * MS) for value in padded]


def test_a_window_holds_only_the_last_seconds() -> None:
    figures = RollingFigures()
    figures.add(90 * MS, stages(90), at_ns=1 * SECOND)
    figures.add(10 * MS, stages(10), at_ns=9 * SECOND)
    figures.add(20 * MS, stages(20), at_ns=10 * SECOND)

    recent = figures.window(2, at_ns=10 * SECOND)

    assert recent.frames == 2
    assert recent.latency_ms == LatencyFigures(p50=15.0, p95=19.5, p99=19.9)
    assert recent.stages_ms["capture"] == StageFigures(p50=15.0, p95=19.5)
    assert recent.age_mean_ms == 15.0


def test_a_window_without_results_is_all_zero() -> None:
    figures = RollingFigures()
    assert figures.window(10, at_ns=SECOND).frames == 0
    figures.add(10 * MS, stages(10), at_ns=SECOND)

    silent = figures.window(10, at_ns=60 * SECOND)

    assert silent.latency_ms == LatencyFigures()
    assert silent.stages_ms == dict.fromkeys(STAGES, StageFigures())
    assert silent.stages_mean_ms == dict.fromkeys(STAGES, 0.0)


def test_totals_cover_results_that_the_window_has_forgotten() -> None:
    figures = RollingFigures(capacity=8)
    for i in range(100):
        figures.add((i + 1) * MS, stages(i + 1), at_ns=i * SECOND)

    assert figures.window(1000, at_ns=100 * SECOND).frames == 8
    total = figures.total()
    assert total.frames == 100
    assert total.age_mean_ms == 50.5
    assert total.latency_ms.p50 == pytest.approx(50.5, rel=0.01)
    assert total.latency_ms.p99 == pytest.approx(99.01, rel=0.01)


def test_the_newest_results_are_kept_when_the_ring_is_full() -> None:
    figures = RollingFigures(capacity=4)
    for i in range(6):
        figures.add(i * MS, stages(i), at_ns=SECOND + i)
    assert figures.window(5, at_ns=2 * SECOND).age_mean_ms == pytest.approx((2 + 3 + 4 + 5) / 4)


@given(
    st.lists(
        st.lists(st.integers(0, 10**9), min_size=len(STAGES), max_size=len(STAGES)),
        min_size=1,
        max_size=60,
    )
)
def test_stage_means_add_up_to_the_mean_age(rows: list[list[int]]) -> None:
    figures = RollingFigures()
    for row in rows:
        figures.add(sum(row), row, at_ns=SECOND)

    for got in (figures.total(), figures.window(10, at_ns=SECOND)):
        assert sum(got.stages_mean_ms.values()) == pytest.approx(got.age_mean_ms)
        assert got.frames == len(rows)
    exact = np.percentile(np.array(rows) / MS, 95, axis=0)
    got_p95 = [figure.p95 for figure in figures.total().stages_ms.values()]
    np.testing.assert_allclose(got_p95, exact, rtol=0.01, atol=1e-6)


def test_every_stage_keeps_its_name() -> None:
    figures = RollingFigures()
    figures.add(28 * MS, stages(1, 2, 3, 4, 5, 6, 7), at_ns=SECOND)
    means = figures.window(1, at_ns=SECOND).stages_mean_ms
    assert means == dict(zip(STAGES, range(1, 8), strict=True))


@pytest.mark.parametrize("count", [0, len(STAGES) - 1, len(STAGES) + 1])
def test_a_wrong_number_of_stage_times_is_refused_and_nothing_is_counted(count: int) -> None:
    figures = RollingFigures()
    with pytest.raises(InvalidArgumentError, match=f"{count} stage times were given"):
        figures.add(1, [0] * count)
    assert figures.total().frames == 0


def test_a_capacity_of_zero_is_refused() -> None:
    with pytest.raises(InvalidArgumentError, match="capacity"):
        RollingFigures(capacity=0)


def test_results_of_several_threads_are_all_counted() -> None:
    figures = RollingFigures(capacity=64)
    ready = threading.Barrier(4)

    def work() -> None:
        ready.wait()
        for _ in range(500):
            figures.add(7 * MS, stages(1, 1, 1, 1, 1, 1, 1))

    workers = [threading.Thread(target=work, name=f"work-{i}") for i in range(4)]
    for worker in workers:
        worker.start()
    while any(worker.is_alive() for worker in workers):
        assert figures.window(60).age_mean_ms in (0.0, 7.0)
    for worker in workers:
        worker.join(10)

    assert figures.total().frames == 2000
    assert figures.total().age_mean_ms == 7.0
