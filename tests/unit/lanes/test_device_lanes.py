import logging
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
import pytest

from engine.errors import ClosedError, InvalidArgumentError
from engine.lanes import DeviceLanes


def frame(value: Any) -> Any:
    return [np.array([value])]


def lane_names() -> Any:
    return sorted(t.name for t in threading.enumerate() if t.name.startswith("lane-"))


def test_channels_take_turns_so_that_a_busy_one_does_not_hold_up_another(
    one_lane: Any, gated: Any
) -> None:
    busy = one_lane.open_channel(gated, name="busy", depth=50)
    other = one_lane.open_channel(gated, name="other", depth=50)
    for value in range(6):
        busy.submit(frame(value))
    for value in range(10, 13):
        other.submit(frame(value))
    gated.open_all()
    for _ in range(6):
        busy.receive(5)
    for _ in range(3):
        other.receive(5)
    # One of the busy channel was taken before the other had submitted anything.
    assert gated.seen in ([0, 1, 10, 2, 11, 3, 12, 4, 5], [0, 10, 1, 11, 2, 12, 3, 4, 5])


def test_jobs_of_one_channel_run_on_all_lanes_at_once(
    lanes: Any, gated: Any, poll_for: Any
) -> None:
    channel = lanes.open_channel(gated, name="a")
    channel.submit(frame(0))
    channel.submit(frame(1))
    poll_for(lambda: sorted(gated.seen) == [0, 1])


def test_lanes_are_named_after_their_number_and_follow_the_count(echo: Any, poll_for: Any) -> None:
    with DeviceLanes(1) as device:
        assert lane_names() == ["lane-0"]
        device.set_count(3)
        assert lane_names() == ["lane-0", "lane-1", "lane-2"]
        device.set_count(1)
        poll_for(lambda: lane_names() == ["lane-0"])
        assert device.count == 1
        channel = device.open_channel(echo, name="a")
        channel.submit(frame(1))
        assert channel.receive(5).error is None
    assert lane_names() == []


def test_zero_lanes_means_one_per_core() -> None:
    with DeviceLanes() as device:
        assert device.count >= 1
        assert len(lane_names()) == device.count


def test_changing_the_count_while_frames_run_loses_none(echo: Any) -> None:
    with DeviceLanes(2) as device, ThreadPoolExecutor(1) as pool:
        channel = device.open_channel(echo, name="a", depth=4)
        received = pool.submit(
            lambda: [int(channel.receive(10).outputs[0][0]) for _ in range(2000)]
        )
        for value in range(2000):
            channel.submit(frame(value), timeout_s=10)
            if value % 50 == 0:
                device.set_count(value // 50 % 3 + 1)
        assert received.result(10) == list(range(2000))


@pytest.mark.parametrize("count", [-1, 257])
def test_an_impossible_number_of_lanes_is_refused(count: int) -> None:
    with pytest.raises(InvalidArgumentError, match="number of lanes is 0"):
        DeviceLanes(count)


def test_a_depth_below_one_is_refused(lanes: Any, echo: Any) -> None:
    with pytest.raises(InvalidArgumentError, match="depth of channel 'a'"):
        lanes.open_channel(echo, name="a", depth=0)


def test_busy_fraction_counts_a_job_that_is_still_running(gated: Any, poll_for: Any) -> None:
    with DeviceLanes(2) as device:
        channel = device.open_channel(gated, name="a")
        channel.submit(frame(0))
        poll_for(lambda: gated.seen)
        device.busy_fraction()
        threading.Event().wait(0.1)
        assert 0.45 < device.busy_fraction() <= 0.5
        gated.open_all()
        channel.receive(5)
        device.busy_fraction()
        threading.Event().wait(0.02)
        assert device.busy_fraction() == 0.0


def test_close_ends_all_channels_and_may_be_called_twice(echo: Any) -> None:
    device = DeviceLanes(2)
    channel = device.open_channel(echo, name="a")
    with ThreadPoolExecutor(1) as pool:
        waiting = pool.submit(channel.receive)
        device.close()
        assert isinstance(waiting.exception(5), ClosedError)
    device.close()
    with pytest.raises(ClosedError):
        channel.submit(frame(0))
    with pytest.raises(ClosedError):
        device.open_channel(echo, name="b")
    with pytest.raises(ClosedError):
        device.set_count(1)


@pytest.mark.expected_log
def test_close_keeps_its_deadline_when_a_program_runs_on(
    gated: Any, poll_for: Any, caplog: pytest.LogCaptureFixture
) -> None:
    device = DeviceLanes(1)
    channel = device.open_channel(gated, name="a")
    channel.submit(frame(0))
    poll_for(lambda: gated.seen)
    begun = time.monotonic()
    with caplog.at_level(logging.WARNING):
        device.close(0.1)
    assert time.monotonic() - begun < 2
    assert "lane-0 still executes a program" in caplog.text
    gated.open_all()


def test_a_program_that_forgets_to_close_its_lanes_ends_all_the_same() -> None:
    script = (
        "from engine.lanes import DeviceLanes\ndevice = DeviceLanes(2)\nprint('end of script')\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, timeout=20, check=False
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "end of script\n", "")
