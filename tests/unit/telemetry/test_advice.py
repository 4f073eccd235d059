"""The advice names the stage that limits the slowest stream, in one sentence with numbers."""

import pytest

from engine.protocol import STAGES, StreamFigures
from engine.telemetry import advise, now_ns


def stream(name: str, *, rate_in: float, rate_out: float, **means_ms: float) -> StreamFigures:
    return StreamFigures(
        name=name,
        frames_in=1000,
        frames_out=500,
        rate_in_hz=rate_in,
        rate_out_hz=rate_out,
        stages_mean_ms={stage: means_ms.get(stage, 0.1) for stage in STAGES},
    )


def test_the_device_is_named_with_its_share_of_the_age_and_the_delivered_rate() -> None:
    street = stream("street", rate_in=30, rate_out=12, pre=3, device=38, post=3.6)
    assert advise([street], {"street": 30.0}) == (
        "The device limits street: 38 ms of 45 ms; 12 of 30 frames/s are delivered"
    )


@pytest.mark.parametrize(
    ("means", "words"),
    [
        ({"capture": 60, "device": 20, "pre": 2}, "The source (capture) limits"),
        ({"pre": 50, "device": 20, "wait": 90}, "Pre-processing limits"),
        ({"device": 50, "pre": 10}, "The device limits"),
        ({"queue": 45, "device": 15, "pre": 30}, "The device limits"),
        ({"order": 25, "device": 15, "pre": 30}, "The device limits"),
        ({"post": 70, "device": 30, "wait": 100}, "Post-processing limits"),
    ],
)
def test_the_slow_part_is_found(means: dict[str, float], words: str) -> None:
    slow = stream("street", rate_in=30, rate_out=15, **means)
    assert advise([slow], {"street": 30.0}).startswith(f"{words} street: ")


def test_a_part_that_never_pauses_limits_even_when_the_device_takes_longer() -> None:
    busy = stream("street", rate_in=60, rate_out=40, pre=24, device=38)
    assert advise([busy], {"street": 60.0}).startswith("Pre-processing limits street: 24 ms of ")


def test_waiting_for_a_lane_is_told() -> None:
    crowded = stream("a", rate_in=30, rate_out=10, queue=40, device=20, order=0)
    assert "60 ms of 60 ms (40 ms of it waiting for a free lane);" in advise([crowded], {"a": 30.0})


def test_the_slowest_stream_is_named() -> None:
    figures = [
        stream("a", rate_in=30, rate_out=30, device=10),
        stream("b", rate_in=30, rate_out=20, device=30),
        stream("c", rate_in=100, rate_out=25, device=20),
    ]
    assert "limits c:" in advise(figures, {"a": 30.0, "b": 30.0, "c": 100.0})


def test_nothing_is_said_when_all_streams_keep_up() -> None:
    figures = [stream("a", rate_in=30, rate_out=29.2), stream("b", rate_in=60, rate_out=60)]
    assert advise(figures, {"a": 30.0, "b": 60.0}) == ""


def test_a_source_without_a_clock_that_loses_nothing_keeps_up() -> None:
    assert advise([stream("a", rate_in=15, rate_out=15, device=60)], {}) == ""
    assert advise([stream("a", rate_in=15, rate_out=15, device=60)], {"a": 0.0}) == ""


def test_a_stream_that_has_not_delivered_yet_is_not_judged() -> None:
    assert advise([StreamFigures(name="a", frames_in=3, rate_in_hz=30)], {"a": 30.0}) == ""
    assert advise([], {}) == ""


def test_small_numbers_keep_a_decimal() -> None:
    slow = stream("a", rate_in=800, rate_out=400, device=1.26, pre=0.3)
    assert ": 1.5 ms of 2.1 ms;" in advise([slow], {"a": 800.0})


def test_the_clock_never_goes_back() -> None:
    times = [now_ns() for _ in range(100)]
    assert times == sorted(times)
