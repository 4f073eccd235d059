"""AsyncAccl: one test per published rule."""

import functools
import queue
import threading
import time
from typing import Any

import numpy as np
import pytest

from engine import AsyncAccl, ClientOptions, SchedulerOptions


class Sink:
    """An output callback that keeps the first number of every result."""

    def __init__(self) -> None:
        self.numbers = []
        self.changed = threading.Condition()

    def __call__(self, *outputs: Any) -> None:
        with self.changed:
            self.numbers.append(int(outputs[0].ravel()[0]))
            self.changed.notify_all()

    def wait_for(self, count: int, timeout_s: Any = 10) -> None:
        with self.changed:
            assert self.changed.wait_for(lambda: len(self.numbers) >= count, timeout_s)


@pytest.fixture
def sink() -> Any:
    return Sink()


@pytest.fixture
def count_to(frame: Any) -> Any:
    """Return an input callback giving 0, 1, ... n - 1 and then None."""

    def make(count: int) -> Any:
        numbers = iter(range(count))

        def source() -> Any:
            number = next(numbers, None)
            return None if number is None else frame(number)

        return source

    return make


@pytest.fixture
def endless(frame: Any) -> Any:
    def source() -> Any:
        return frame(0)

    return source


def endings(frame: Any, count: int) -> Any:
    numbers = iter(range(count))

    def by_none() -> Any:
        number = next(numbers, None)
        return None if number is None else frame(number)

    def by_stop_iteration() -> Any:
        return frame(next(numbers))

    def generator() -> Any:
        for number in range(count):
            yield frame(number)

    def generator_yielding_none() -> Any:
        yield from generator()
        yield None
        yield frame(-1)

    def iterator() -> Any:
        return map(frame, range(count))

    return {
        "None": by_none,
        "StopIteration": by_stop_iteration,
        "generator": generator,
        "generator yielding None": generator_yielding_none,
        "iterator": iterator,
        "generator object": functools.partial(lambda made: made, generator()),
    }


@pytest.mark.parametrize("ending", list(endings(None, 0)))
@pytest.mark.parametrize("count", [0, 1, 500])
def test_the_input_ends_cleanly_and_every_frame_is_delivered(
    ending: Any, count: int, identity: bytes, frame: Any, sink: Any
) -> None:
    with AsyncAccl(identity) as accl:
        accl.connect_input(endings(frame, count)[ending])
        accl.connect_output(sink)
        accl.wait()
    assert sink.numbers == list(range(count))


def test_the_published_example_runs_as_printed(program: Any, models: Any) -> None:
    dfp = program(models.picture_to_scores((1, 224, 224, 3), (1, 2)), layout="nhwc")

    def data_source() -> Any:
        for _ in range(10):
            yield np.random.rand(1, 224, 224, 3).astype(np.float32)

    outputs = []

    def output_processor(*logits: Any) -> None:
        outputs.append(logits[0])

    accl = AsyncAccl(dfp)
    accl.connect_input(data_source)
    accl.connect_output(output_processor)
    accl.wait()
    accl.shutdown()
    assert [output.shape for output in outputs] == [(1, 3)] * 10


def test_results_come_in_the_order_of_the_frames(identity: bytes, count_to: Any, sink: Any) -> None:
    with AsyncAccl(identity) as accl:
        accl.connect_input(count_to(10_000))
        accl.connect_output(sink)
        accl.wait()
    assert sink.numbers == list(range(10_000))


def test_the_output_callback_gets_the_outputs_in_port_order(two_ports: bytes, frame: Any) -> None:
    got = []
    with AsyncAccl(two_ports) as accl:
        accl.connect_input(lambda: iter([(frame(5), frame(3))]))
        accl.connect_output(lambda total, difference: got.append((total[0, 0], difference[0, 0])))
        accl.wait()
    assert got == [(8, 2)]


@pytest.mark.parametrize(
    "callback", [lambda x: None, lambda x=1: None, lambda *args: None, lambda **options: None]
)
def test_an_input_callback_with_parameters_is_a_runtime_error(
    callback: Any, identity: bytes
) -> None:
    with AsyncAccl(identity) as accl, pytest.raises(RuntimeError, match="without arguments"):
        accl.connect_input(callback)


def test_bound_methods_and_partials_are_input_callbacks(
    identity: bytes, frame: Any, sink: Any
) -> None:
    class Source:
        def __init__(self) -> None:
            self.left = 3

        def read(self) -> Any:
            self.left -= 1
            return frame(self.left) if self.left >= 0 else None

    with AsyncAccl(identity) as accl:
        accl.connect_input(Source().read)
        accl.connect_output(sink)
        accl.wait()
        accl.connect_input(functools.partial(lambda source: source.read(), Source()))
        accl.connect_output(sink)
        accl.wait()
    assert sink.numbers == [2, 1, 0, 2, 1, 0]


@pytest.mark.parametrize("first", ["input", "output"])
def test_input_and_output_are_connected_in_any_order(
    first: Any, identity: bytes, count_to: Any, sink: Any
) -> None:
    with AsyncAccl(identity) as accl:
        connects = [
            lambda: accl.connect_input(count_to(100)),
            lambda: accl.connect_output(sink),
        ]
        for connect in connects if first == "input" else reversed(connects):
            connect()
            threading.Event().wait(0.05)
        accl.wait()
    assert sink.numbers == list(range(100))


def test_the_input_waits_while_too_many_frames_are_under_way(
    identity: bytes, frame: Any, sink: Any, poll_for: Any
) -> None:
    calls = []

    def source() -> Any:
        calls.append(len(calls))
        return frame(calls[-1]) if len(calls) <= 50 else None

    options = SchedulerOptions(ifmap_queue_size=4)
    with AsyncAccl(identity, scheduler_options=options) as accl:
        accl.connect_input(source)
        poll_for(lambda: len(calls) == 5)  # four are under way, one waits to go in
        threading.Event().wait(0.1)
        assert len(calls) == 5
        accl.connect_output(sink)
        accl.wait()
    assert sink.numbers == list(range(50))


def test_callbacks_of_a_model_are_never_entered_twice_and_keep_their_thread(
    identity: bytes, frame: Any
) -> None:
    threads = {"input": set(), "output": set()}
    inside = {"input": 0, "output": 0}
    most = {"input": 0, "output": 0}
    numbers = iter(range(200))

    def note(side: Any) -> None:
        threads[side].add(threading.current_thread())
        inside[side] += 1
        most[side] = max(most[side], inside[side])
        threading.Event().wait(0.0002)
        inside[side] -= 1

    def source() -> Any:
        note("input")
        return frame(next(numbers))

    with AsyncAccl(identity) as accl:
        accl.connect_input(source)
        accl.connect_output(lambda y: note("output"))
        accl.wait()
    assert most == {"input": 1, "output": 1}
    assert [len(ids) for ids in threads.values()] == [1, 1]
    assert threads["input"] != threads["output"]


def test_input_and_output_callbacks_run_at_the_same_time(identity: bytes, frame: Any) -> None:
    both = threading.Barrier(2)
    numbers = iter(range(5))

    def source() -> Any:
        number = next(numbers)
        if number == 3:
            both.wait(10)  # the output callback of an earlier frame comes here too
        return frame(number)

    def output(y: Any) -> None:
        if y[0, 0] == 1:
            both.wait(10)

    with AsyncAccl(identity) as accl:
        accl.connect_input(source)
        accl.connect_output(output)
        accl.wait()


def test_results_of_one_model_may_feed_another(two_models: bytes, count_to: Any, sink: Any) -> None:
    between = queue.Queue()
    with AsyncAccl(two_models) as accl:
        accl.connect_output(sink, 1)
        accl.connect_input(lambda: between.get(timeout=10), 1)
        accl.connect_output(lambda y: between.put(y if y[0, 0] < 99 else None), 0)
        accl.connect_input(count_to(100), 0)
        accl.wait()
    assert sink.numbers == [2 * number for number in range(99)]


@pytest.mark.parametrize(
    ("connected", "words"),
    [
        ([], "the input of model 0"),
        (["input 0"], "the output of model 0"),
        (["output 0"], "the input of model 0"),
        (["input 0", "output 0"], "the input of model 1"),
        (["input 0", "output 0", "input 1"], "the output of model 1"),
    ],
)
def test_wait_is_a_runtime_error_while_something_is_not_connected(
    connected: Any, words: str, two_models: bytes, count_to: Any, sink: Any
) -> None:
    with AsyncAccl(two_models) as accl:
        for name in connected:
            side, index = name.split()
            if side == "input":
                accl.connect_input(count_to(3), int(index))
            else:
                accl.connect_output(sink, int(index))
        with pytest.raises(RuntimeError, match=words):
            accl.wait()
        accl.stop()


@pytest.mark.expected_log
@pytest.mark.parametrize("good", [0, 1, 50])
def test_an_exception_in_the_input_callback_is_raised_by_wait_after_the_frames_before_it(
    good: Any, identity: bytes, frame: Any, sink: Any
) -> None:
    problem = ZeroDivisionError("camera unplugged")
    numbers = iter(range(1000))

    def source() -> Any:
        number = next(numbers)
        if number == good:
            raise problem
        return frame(number)

    with AsyncAccl(identity) as accl:
        accl.connect_input(source)
        accl.connect_output(sink)
        for _ in range(2):
            with pytest.raises(ZeroDivisionError) as caught:
                accl.wait()
            assert caught.value is problem
    assert sink.numbers == list(range(good))


@pytest.mark.expected_log
def test_an_exception_in_a_generator_is_raised_by_wait(
    identity: bytes, frame: Any, sink: Any
) -> None:
    def source() -> Any:
        yield frame(0)
        raise OSError("file gone")

    with AsyncAccl(identity) as accl:
        accl.connect_input(source)
        accl.connect_output(sink)
        with pytest.raises(OSError, match="file gone"):
            accl.wait()
    assert sink.numbers == [0]


@pytest.mark.expected_log
def test_an_exception_in_the_output_callback_ends_the_stream_and_is_raised_by_wait(
    identity: bytes, endless: Any
) -> None:
    calls = []

    def output(_y: Any) -> None:
        calls.append(1)
        if len(calls) == 5:
            raise ZeroDivisionError("cannot draw")

    with AsyncAccl(identity) as accl:
        accl.connect_input(endless)
        accl.connect_output(output)
        for _ in range(2):
            with pytest.raises(ZeroDivisionError, match="cannot draw"):
                accl.wait()
    assert len(calls) == 5


@pytest.mark.expected_log
def test_wait_raises_though_the_input_callback_still_waits_for_a_camera(
    identity: bytes, frame: Any
) -> None:
    frames = queue.Queue()
    frames.put(frame(0))

    def output(_y: Any) -> None:
        raise ZeroDivisionError

    with AsyncAccl(identity) as accl:
        accl.connect_input(lambda: frames.get(timeout=60))
        accl.connect_output(output)
        begun = time.monotonic()
        with pytest.raises(ZeroDivisionError):
            accl.wait()
        assert time.monotonic() - begun < 3
        frames.put(None)


@pytest.mark.expected_log
def test_a_device_that_fails_on_a_frame_ends_the_stream_and_wait_raises(
    identity: bytes, device: Any, count_to: Any, sink: Any
) -> None:
    device.breaks_on = {5.0}
    with AsyncAccl(identity) as accl:
        accl.connect_input(count_to(100))
        accl.connect_output(sink)
        with pytest.raises(RuntimeError, match="the device broke"):
            accl.wait()
    assert sink.numbers == [0, 1, 2, 3, 4]


@pytest.mark.expected_log
@pytest.mark.parametrize(
    ("bad", "error", "words"),
    [
        (3.5, TypeError, "NumPy array"),
        ([[1]], TypeError, "NumPy array"),
        (np.zeros((1, 4)), RuntimeError, "takes float32"),
        (np.zeros((2, 4), np.float32), ValueError, "takes one frame of shape"),
        ([np.zeros((1, 4), np.float32)] * 2, RuntimeError, "has 1 inputs"),
    ],
)
def test_a_frame_that_does_not_fit_is_raised_by_wait(
    bad: Any, error: Any, words: str, identity: bytes, frame: Any, sink: Any
) -> None:
    frames = iter([frame(0), bad])
    with AsyncAccl(identity) as accl:
        accl.connect_input(lambda: next(frames))
        accl.connect_output(sink)
        with pytest.raises(error, match=words):
            accl.wait()
    assert sink.numbers == [0]


@pytest.mark.expected_log
def test_an_output_callback_with_the_wrong_parameters_is_raised_by_wait(
    identity: bytes, count_to: Any
) -> None:
    with AsyncAccl(identity) as accl:
        accl.connect_input(count_to(3))
        accl.connect_output(lambda: None)
        with pytest.raises(TypeError):
            accl.wait()


def test_stop_ends_an_endless_stream_within_a_second_and_no_callback_follows(
    identity: bytes, endless: Any, sink: Any
) -> None:
    with AsyncAccl(identity) as accl:
        accl.connect_input(endless)
        accl.connect_output(sink)
        sink.wait_for(10)
        begun = time.monotonic()
        accl.stop()
        assert time.monotonic() - begun < 1
        count = len(sink.numbers)
        accl.stop()
        accl.wait()
        threading.Event().wait(0.05)
        assert len(sink.numbers) == count


@pytest.mark.parametrize("side", ["input", "output"])
def test_stop_may_be_called_from_a_callback(side: Any, identity: bytes, frame: Any) -> None:
    stopped = []

    def stop() -> None:
        begun = time.monotonic()
        accl.stop()
        stopped.append(time.monotonic() - begun)

    def source() -> Any:
        if side == "input" and not stopped:
            stop()
        return frame(0)

    def output(_y: Any) -> None:
        if side == "output" and not stopped:
            stop()

    with AsyncAccl(identity) as accl:
        accl.connect_output(output)
        accl.connect_input(source)
        accl.wait()
    assert stopped[0] < 1


def test_shutdown_may_be_called_from_a_callback(identity: bytes, endless: Any) -> None:
    accl = AsyncAccl(identity)
    done = threading.Event()

    def output(_y: Any) -> None:
        accl.shutdown()
        done.set()

    accl.connect_output(output)
    accl.connect_input(endless)
    assert done.wait(5)


def test_stop_returns_within_a_second_though_the_input_callback_is_blocked(
    identity: bytes, frame: Any, sink: Any
) -> None:
    frames = queue.Queue()
    frames.put(frame(0))
    with AsyncAccl(identity) as accl:
        accl.connect_input(lambda: frames.get(timeout=60))
        accl.connect_output(sink)
        sink.wait_for(1)
        begun = time.monotonic()
        accl.stop()
        assert time.monotonic() - begun < 1
        accl.wait()
        frames.put(frame(1))  # comes too late
    assert sink.numbers == [0]


def test_stop_returns_within_a_second_though_the_device_is_busy(
    identity: bytes, device: Any, endless: Any, sink: Any
) -> None:
    device.hold()
    with AsyncAccl(identity) as accl:
        accl.connect_input(endless)
        accl.connect_output(sink)
        begun = time.monotonic()
        accl.stop()
        assert time.monotonic() - begun < 1
        device.release()
    assert sink.numbers == []


def test_stop_before_anything_is_connected_does_nothing(
    identity: bytes, count_to: Any, sink: Any
) -> None:
    with AsyncAccl(identity) as accl:
        accl.stop()
        accl.connect_input(count_to(3))
        accl.connect_output(sink)
        accl.wait()
    assert sink.numbers == [0, 1, 2]


def test_callbacks_can_be_connected_again_after_stop_and_after_the_end(
    identity: bytes, frame: Any, endless: Any, sink: Any
) -> None:
    with AsyncAccl(identity) as accl:
        accl.connect_input(endless)
        accl.connect_output(lambda y: None)
        accl.stop()
        for first in (0, 10):
            accl.connect_input(functools.partial(map, frame, range(first, first + 3)))
            accl.connect_output(sink)
            accl.wait()
    assert sink.numbers == [0, 1, 2, 10, 11, 12]


def test_after_the_end_wait_asks_for_both_callbacks_again(
    identity: bytes, count_to: Any, sink: Any
) -> None:
    with AsyncAccl(identity) as accl:
        accl.connect_input(count_to(1))
        accl.connect_output(sink)
        accl.wait()
        accl.wait()
        accl.connect_input(count_to(1))
        with pytest.raises(RuntimeError, match="the output of model 0"):
            accl.wait()
        accl.connect_output(sink)
        accl.wait()
    assert sink.numbers == [0, 0]


def test_a_new_input_callback_goes_on_where_the_old_one_is_left(
    identity: bytes, frame: Any, sink: Any
) -> None:
    reached = threading.Event()
    go_on = threading.Event()

    def old() -> Any:
        if not reached.is_set():
            reached.set()
            return frame(0)
        go_on.wait(10)
        return frame(1)

    with AsyncAccl(identity) as accl:
        accl.connect_output(sink)
        accl.connect_input(old)
        sink.wait_for(1)
        new = iter([frame(2), frame(3)])
        accl.connect_input(lambda: next(new))
        go_on.set()
        accl.wait()
    # The frame the old callback was at is not lost, whether it had been begun or not.
    assert sink.numbers in ([0, 1, 2, 3], [0, 2, 3])


def test_an_input_that_ended_before_the_output_was_connected_may_be_continued(
    identity: bytes, count_to: Any, sink: Any, poll_for: Any
) -> None:
    with AsyncAccl(identity) as accl:
        accl.connect_input(count_to(3))
        poll_for(lambda: not any("accl-input" in t.name for t in threading.enumerate()))
        accl.connect_input(count_to(2))
        accl.connect_output(sink)
        accl.wait()
    assert sink.numbers == [0, 1, 2, 0, 1]


def test_a_new_output_callback_takes_over_without_losing_a_frame(
    identity: bytes, count_to: Any
) -> None:
    first, second = Sink(), Sink()
    with AsyncAccl(identity) as accl:
        accl.connect_output(first)
        accl.connect_input(count_to(3000))
        first.wait_for(5)
        accl.connect_output(second)
        count = len(first.numbers)
        accl.wait()
    assert len(first.numbers) == count
    assert first.numbers + second.numbers == list(range(3000))


def test_wait_from_a_callback_is_refused(identity: bytes, count_to: Any) -> None:
    problems = []

    def output(_y: Any) -> None:
        try:
            accl.wait()
        except RuntimeError as error:
            problems.append(str(error))

    with AsyncAccl(identity) as accl:
        accl.connect_output(output)
        accl.connect_input(count_to(1))
        accl.wait()
    assert "called from a callback" in problems[0]


def test_smoothing_keeps_the_distance_between_results(identity: bytes, count_to: Any) -> None:
    times = []
    options = ClientOptions(smoothing=True, fps_target=100)
    with AsyncAccl(identity, client_options=options) as accl:
        accl.connect_input(count_to(6))
        accl.connect_output(lambda y: times.append(time.monotonic()))
        accl.wait()
    assert times[-1] - times[0] >= 0.045


@pytest.mark.parametrize("options", [ClientOptions(True, 0.0), ClientOptions(False, 1.0)])
def test_a_rate_without_smoothing_or_smoothing_without_a_rate_changes_nothing(
    options: Any, identity: bytes, count_to: Any, sink: Any
) -> None:
    begun = time.monotonic()
    with AsyncAccl(identity, client_options=options) as accl:
        accl.connect_input(count_to(100))
        accl.connect_output(sink)
        accl.wait()
    assert len(sink.numbers) == 100
    assert time.monotonic() - begun < 10


def test_a_stream_goes_on_though_nobody_holds_the_accelerator(
    identity: bytes, count_to: Any, sink: Any
) -> None:
    def start() -> None:
        accl = AsyncAccl(identity)
        accl.connect_input(count_to(2000))
        accl.connect_output(sink)

    start()
    sink.wait_for(2000)
    assert sink.numbers == list(range(2000))


def test_stop_takes_less_than_a_second_for_all_models_together(two_models: bytes) -> None:
    camera: Any = queue.Queue()
    with AsyncAccl(two_models) as accl:
        for model_idx in (0, 1):
            accl.connect_input(lambda: camera.get(timeout=60), model_idx)
            accl.connect_output(lambda *_: None, model_idx)
        begun = time.monotonic()
        accl.stop()
        assert time.monotonic() - begun < 1
        camera.put(None)
        camera.put(None)


@pytest.mark.expected_log
def test_only_the_error_that_ended_the_stream_is_reported(identity: bytes, endless: Any) -> None:
    calls = []

    def output(_y: Any) -> None:
        calls.append(1)
        raise ZeroDivisionError

    options = SchedulerOptions(ifmap_queue_size=1)
    with AsyncAccl(identity, scheduler_options=options) as accl:
        accl.connect_output(output)
        accl.connect_input(endless)
        with pytest.raises(ZeroDivisionError):
            accl.wait()
        assert [len(run.errors) for run in accl._runs.values()] == [1]
    assert calls == [1]
