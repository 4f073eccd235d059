from hypothesis import given
from hypothesis import strategies as st

from engine.drivers.pacing import SourceClock

SECOND = 1_000_000_000


def test_ticks_do_not_drift() -> None:
    clock = SourceClock(30.0, now_ns=0)

    for _ in range(30 * 3600):
        clock.tick(clock.due_ns)

    assert clock.due_ns == 3600 * SECOND


def test_lateness_below_a_second_is_made_up_for() -> None:
    clock = SourceClock(10.0, now_ns=0)
    clock.tick(0)

    clock.tick(SECOND)

    assert clock.due_ns == SECOND // 5
    assert clock.wait_s(SECOND) == 0


def test_debt_above_a_second_is_forgotten() -> None:
    clock = SourceClock(10.0, now_ns=0)
    clock.tick(0)

    clock.tick(2 * SECOND)

    assert clock.due_ns == 2 * SECOND + SECOND // 10


def test_a_source_without_a_clock_never_waits() -> None:
    clock = SourceClock(0.0, now_ns=5)

    for now_ns in (5, 6, 7 * SECOND):
        assert clock.wait_s(now_ns) == 0
        clock.tick(now_ns)


@given(
    st.floats(0.1, 10_000),
    st.lists(st.integers(0, 3 * SECOND), min_size=1, max_size=60),
)
def test_a_source_never_runs_ahead_nor_rushes_for_longer_than_a_second(
    rate_hz: float, delays_ns: list[int]
) -> None:
    clock = SourceClock(rate_hz, now_ns=0)
    now_ns = 0
    for delay_ns in delays_ns:
        now_ns = max(now_ns, clock.due_ns) + delay_ns
        assert clock.wait_s(now_ns) == 0
        clock.tick(now_ns)
        period_ns = SECOND / rate_hz
        assert clock.due_ns <= now_ns + period_ns + 1
        assert clock.due_ns >= now_ns - SECOND
