"""Rates follow what happens, and fall when nothing does."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.telemetry import RateMeter

SECOND = 1_000_000_000


@given(rate_hz=st.floats(2, 2000), phase=st.floats(0, 1))
def test_steady_events_give_their_exact_rate_at_any_moment(rate_hz: float, phase: float) -> None:
    meter = RateMeter()
    gap_ns = SECOND / rate_hz
    for i in range(int(rate_hz * 3) + 1):
        meter.add(round(i * gap_ns))
    now = round((int(rate_hz * 3) + phase) * gap_ns)
    assert meter.rate_hz(now) == pytest.approx(rate_hz, rel=0.01)


def test_without_events_the_rate_is_zero() -> None:
    assert RateMeter().rate_hz(5 * SECOND) == 0.0


def test_a_single_event_is_no_rate_yet() -> None:
    meter = RateMeter()
    meter.add(SECOND)
    assert meter.rate_hz(SECOND) == 0.0


def test_the_rate_falls_steadily_to_zero_when_events_stop() -> None:
    meter = RateMeter()
    for i in range(101):
        meter.add(i * SECOND // 50)
    rates = [meter.rate_hz(2 * SECOND + tenth * SECOND // 10) for tenth in range(22)]
    assert rates[0] == pytest.approx(50)
    assert rates == sorted(rates, reverse=True)
    assert rates[10] == pytest.approx(25, rel=0.02)  # a second of 50 events, a second of silence
    assert rates[-1] == 0.0


def test_events_before_the_window_do_not_count() -> None:
    meter = RateMeter()
    for i in range(1000):
        meter.add(i * SECOND // 1000)
    for i in range(21):
        meter.add(2 * SECOND + i * SECOND // 10)
    assert meter.rate_hz(4 * SECOND) == pytest.approx(10)


def test_a_first_burst_is_not_a_rate() -> None:
    meter = RateMeter()
    for i in range(11):
        meter.add(SECOND + i * SECOND // 1000)
    assert meter.rate_hz(SECOND + SECOND // 10) == pytest.approx(10)


def test_many_events_at_once_do_not_divide_by_zero() -> None:
    meter = RateMeter()
    for _ in range(11):
        meter.add(SECOND)
    assert meter.rate_hz(SECOND + SECOND // 2) == pytest.approx(10)


def test_a_slow_stream_of_one_event_in_the_window_is_not_reported_as_stopped() -> None:
    meter = RateMeter()
    for i in range(4):
        meter.add(i * 2 * SECOND)
    assert meter.rate_hz(7 * SECOND) == pytest.approx(0.5)
