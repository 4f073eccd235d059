import threading
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
import pytest

from engine.errors import ClosedError, EndOfStreamError, EngineTimeoutError, WrongStateError
from engine.lanes import DeviceLanes


def frame(value: Any) -> Any:
    return [np.array([value])]


def values(channel: Any, count: int) -> Any:
    return [int(channel.receive(5).outputs[0][0]) for _ in range(count)]


def test_outputs_come_in_the_order_of_submission_though_a_later_job_is_done_first(
    lanes: Any, gated: Any
) -> None:
    channel = lanes.open_channel(gated, name="a", depth=2)
    channel.submit(frame(0), "first")
    channel.submit(frame(1), "second")
    gated.gate(1).set()
    with pytest.raises(EngineTimeoutError):
        channel.receive(0.05)
    gated.gate(0).set()

    assert [channel.receive(5).tag, channel.receive(5).tag] == ["first", "second"]


def test_ten_thousand_frames_from_one_thread_to_another_stay_in_order(
    lanes: Any, echo: Any
) -> None:
    channel = lanes.open_channel(echo, name="a", depth=5)
    with ThreadPoolExecutor(1) as pool:
        received = pool.submit(values, channel, 10_000)
        for value in range(10_000):
            channel.submit(frame(value), timeout_s=5)
        assert received.result() == list(range(10_000))


def test_depth_counts_frames_until_they_are_received(lanes: Any, echo: Any) -> None:
    channel = lanes.open_channel(echo, name="a", depth=2)
    channel.submit(frame(0))
    assert channel.has_room()
    channel.submit(frame(1))
    assert not channel.has_room()
    with pytest.raises(EngineTimeoutError, match="'a' had no room"):
        channel.submit(frame(2), timeout_s=0.02)
    assert values(channel, 2) == [0, 1]
    assert channel.has_room()
    assert echo.seen == [0, 1]


def test_a_blocked_submit_goes_on_when_a_frame_is_received(lanes: Any, echo: Any) -> None:
    channel = lanes.open_channel(echo, name="a", depth=1)
    channel.submit(frame(0))
    with ThreadPoolExecutor(1) as pool:
        second = pool.submit(channel.submit, frame(1), timeout_s=5)
        assert values(channel, 1) == [0]
        second.result(5)
    assert values(channel, 1) == [1]


def test_the_room_callback_is_called_outside_locks_when_a_full_channel_gets_room(
    lanes: Any, echo: Any
) -> None:
    channel = lanes.open_channel(echo, name="a", depth=2)
    seen = []
    channel.set_on_room(lambda: seen.append(channel.has_room()))
    channel.submit(frame(0))
    values(channel, 1)
    assert seen == []  # it was never full
    channel.submit(frame(1))
    channel.submit(frame(2))
    values(channel, 2)
    assert seen == [True]


def test_an_error_belongs_to_its_own_frame_only(lanes: Any, echo: Any) -> None:
    broken = ValueError("bad frame")
    echo.failing[1] = broken
    channel = lanes.open_channel(echo, name="a")
    for value in range(3):
        channel.submit(frame(value), value)
    done = [channel.receive(5) for _ in range(3)]
    assert [job.error for job in done] == [None, broken, None]
    assert [job.outputs is None for job in done] == [False, True, False]


def test_even_an_exit_raised_by_a_backend_ends_no_lane(one_lane: Any, echo: Any) -> None:
    echo.failing[0] = SystemExit(3)
    channel = one_lane.open_channel(echo, name="a")
    channel.submit(frame(0))
    channel.submit(frame(1))
    assert isinstance(channel.receive(5).error, SystemExit)
    assert channel.receive(5).error is None


def test_times_of_a_frame_are_in_order(lanes: Any, echo: Any) -> None:
    channel = lanes.open_channel(echo, name="a")
    channel.submit(frame(0))
    done = channel.receive(5)
    assert 0 < done.queued_ns <= done.started_ns <= done.finished_ns


def test_finish_lets_everything_out_and_then_ends(lanes: Any, echo: Any) -> None:
    channel = lanes.open_channel(echo, name="a")
    channel.submit(frame(0))
    channel.finish()
    with pytest.raises(WrongStateError, match="was finished"):
        channel.submit(frame(1))
    assert values(channel, 1) == [0]
    for _ in range(2):
        with pytest.raises(EndOfStreamError):
            channel.receive(5)


def test_finish_wakes_all_receivers_that_wait(lanes: Any, echo: Any) -> None:
    channel = lanes.open_channel(echo, name="a")
    with ThreadPoolExecutor(3) as pool:
        waiting = [pool.submit(channel.receive, 10) for _ in range(3)]
        channel.submit(frame(0))
        channel.finish()
        outcomes = [future.exception(10) for future in waiting]
    assert sorted(type(o).__name__ for o in outcomes) == [
        "EndOfStreamError",
        "EndOfStreamError",
        "NoneType",
    ]


def test_close_returns_the_tags_that_were_not_delivered_oldest_first(
    one_lane: Any, gated: Any
) -> None:
    channel = one_lane.open_channel(gated, name="a", depth=4)
    for value in range(4):
        channel.submit(frame(value), f"tag {value}")
    gated.gate(0).set()
    assert channel.receive(5).tag == "tag 0"
    assert channel.close() == ["tag 1", "tag 2", "tag 3"]
    assert channel.close() == []
    gated.gate(1).set()
    assert channel.wait_idle(5)
    assert gated.seen == [0, 1]  # what was queued is not executed any more


def test_close_wakes_everybody_who_waits(one_lane: Any, gated: Any) -> None:
    channel = one_lane.open_channel(gated, name="a", depth=1)
    channel.submit(frame(0))
    with ThreadPoolExecutor(2) as pool:
        started = threading.Barrier(3)

        def wait_for(call: Any, *args: Any) -> Any:
            started.wait(5)
            return call(*args)

        submit = pool.submit(wait_for, channel.submit, frame(1))
        receive = pool.submit(wait_for, channel.receive)
        started.wait(5)
        channel.close()
        assert isinstance(submit.exception(5), ClosedError)
        assert isinstance(receive.exception(5), ClosedError)


def test_wait_idle_says_whether_a_lane_still_executes(one_lane: Any, gated: Any) -> None:
    channel = one_lane.open_channel(gated, name="a")
    channel.submit(frame(0))
    while not gated.seen:
        threading.Event().wait(0.001)
    channel.close()
    assert not channel.wait_idle(0.01)
    gated.gate(0).set()
    assert channel.wait_idle(5)


def test_a_received_frame_is_not_kept_alive_by_an_idle_lane(
    one_lane: Any, echo: Any, poll_for: Any
) -> None:
    import weakref

    channel = one_lane.open_channel(echo, name="a")
    array = np.array([7])
    channel.submit([array])
    done = channel.receive(5)
    alive = [weakref.ref(array), weakref.ref(done.outputs[0])]
    del array, done
    poll_for(lambda: not any(ref() is not None for ref in alive))


def test_several_senders_and_receivers_lose_and_double_nothing(lanes: Any, echo: Any) -> None:
    channel = lanes.open_channel(echo, name="a", depth=4)

    def send(first: Any) -> None:
        for value in range(first, first + 1000):
            channel.submit(frame(value), timeout_s=10)

    with ThreadPoolExecutor(6) as pool:
        received = [pool.submit(values, channel, 1000) for _ in range(3)]
        sent = [pool.submit(send, first) for first in (0, 1000, 2000)]
        assert [future.result(30) for future in sent] == [None] * 3
        everything = [value for future in received for value in future.result(30)]
    assert sorted(everything) == list(range(3000))


def test_a_channel_may_be_opened_while_another_device_is_closed(echo: Any) -> None:
    with DeviceLanes(1) as one, DeviceLanes(1) as other:
        one.close()
        channel = other.open_channel(echo, name="a")
        channel.submit(frame(3))
        assert values(channel, 1) == [3]


def test_who_waits_first_for_room_goes_first_and_nobody_passes(
    one_lane: Any, gated: Any, poll_for: Any
) -> None:
    channel = one_lane.open_channel(gated, name="a", depth=1)
    channel.submit(frame(0))
    with ThreadPoolExecutor(3) as pool:
        for value in (1, 2, 3):
            pool.submit(channel.submit, frame(value))
            poll_for(lambda value=value: len(channel._line) == value)
        assert not channel.has_room()
        with pytest.raises(EngineTimeoutError):
            channel.submit(frame(9), timeout_s=0.01)
        gated.open_all()
        assert values(channel, 4) == [0, 1, 2, 3]
    assert channel.has_room()
