"""MultiStreamAsyncAccl: one test per published rule."""

import queue
import threading
import time
from collections import defaultdict
from typing import Any

import numpy as np
import pytest

from engine import MultiStreamAsyncAccl, SchedulerOptions


class Streams:
    """A source and a sink per stream; frame k of stream s holds the number 1000 s + k."""

    def __init__(self, frame: Any, counts: Any) -> None:
        self.frame = frame
        self.left = {index: iter(range(count)) for index, count in counts.items()}
        self.got = defaultdict(list)

    def source(self, stream_idx: int) -> Any:
        number = next(self.left[stream_idx], None)
        return None if number is None else self.frame(1000 * stream_idx + number)

    def sink(self, stream_idx: int, *outputs: Any) -> None:
        self.got[stream_idx].append(int(outputs[0].ravel()[0]) - 1000 * stream_idx)


def numbers(count: int) -> Any:
    return list(range(count))


def test_every_stream_gets_its_own_results_in_order(identity: bytes, frame: Any) -> None:
    streams = Streams(frame, dict.fromkeys(range(16), 500))
    with MultiStreamAsyncAccl(identity) as accl:
        accl.connect_streams(streams.source, streams.sink, 16)
        accl.wait()
    assert streams.got == {index: numbers(500) for index in range(16)}


@pytest.mark.parametrize("use_model_shape", [(True, True), (False, False)])
def test_the_published_example_runs_as_printed(
    use_model_shape: Any, program: Any, models: Any
) -> None:
    dfp = program(models.picture_to_scores((1, 224, 224, 3), (1, 2)), layout="nhwc")

    class Application:
        def __init__(self) -> None:
            self.streams = [
                [np.random.rand(224, 224, 3).astype(np.float32) for _ in range(10)]
                for _ in range(2)
            ]
            self.streams_idx = [0, 0]
            self.outputs = [[], []]

        def data_source(self, stream_idx: int) -> Any:
            if self.streams_idx[stream_idx] == len(self.streams[stream_idx]):
                return None
            self.streams_idx[stream_idx] += 1
            return self.streams[stream_idx][self.streams_idx[stream_idx] - 1]

        def output_processor(self, stream_idx: int, *outputs: Any) -> None:
            self.outputs[stream_idx].append(np.squeeze(outputs[0], 0))

    app = Application()
    accl = MultiStreamAsyncAccl(dfp, use_model_shape=use_model_shape)
    accl.connect_streams(app.data_source, app.output_processor, 2)
    accl.wait()
    accl.shutdown()
    assert [len(outputs) for outputs in app.outputs] == [10, 10]
    wanted = (3,) if use_model_shape[1] else (1, 1, 3)
    assert app.outputs[0][0].shape == wanted


def test_streams_end_one_by_one(identity: bytes, frame: Any) -> None:
    streams = Streams(frame, {0: 3, 1: 300, 2: 0})
    with MultiStreamAsyncAccl(identity) as accl:
        accl.connect_streams(streams.source, streams.sink, 3)
        accl.wait()
    assert {index: len(got) for index, got in streams.got.items()} == {0: 3, 1: 300}


def test_stop_iteration_and_iterators_are_accepted(identity: bytes, frame: Any) -> None:
    sources = {0: iter(map(frame, range(5))), 1: iter(map(frame, range(7)))}
    got = defaultdict(list)

    def source(stream_idx: int) -> Any:
        return sources[stream_idx] if stream_idx == 0 else next(sources[stream_idx])

    with MultiStreamAsyncAccl(identity) as accl:
        accl.connect_streams(source, lambda index, y: got[index].append(y[0, 0]), 2)
        accl.wait()
    assert got == {0: numbers(5), 1: numbers(7)}


@pytest.mark.expected_log
def test_a_generator_is_a_type_error(identity: bytes, frame: Any) -> None:
    def source(stream_idx: int) -> Any:
        yield frame(stream_idx)

    with MultiStreamAsyncAccl(identity) as accl:
        accl.connect_streams(source, lambda index, y: None, 1)
        with pytest.raises(TypeError, match="returned a generator"):
            accl.wait()


def test_further_streams_get_the_next_numbers_and_their_own_callbacks(
    identity: bytes, frame: Any
) -> None:
    first, second = Streams(frame, {0: 500, 1: 500}), Streams(frame, {2: 50, 3: 50})
    with MultiStreamAsyncAccl(identity) as accl:
        gate = threading.Event()

        def source(stream_idx: int) -> Any:
            gate.wait(10)
            return first.source(stream_idx)

        accl.connect_streams(source, first.sink, 2)
        accl.connect_streams(second.source, second.sink, 2)
        gate.set()
        accl.wait()
    assert first.got == {0: numbers(500), 1: numbers(500)}
    assert second.got == {2: numbers(50), 3: numbers(50)}


def test_streams_can_be_connected_again_after_the_end(identity: bytes, frame: Any) -> None:
    with MultiStreamAsyncAccl(identity) as accl:
        for _ in range(2):
            streams = Streams(frame, {0: 3, 1: 4})
            accl.connect_streams(streams.source, streams.sink, 2)
            accl.wait()
            assert streams.got == {0: numbers(3), 1: numbers(4)}


def test_models_have_streams_of_their_own(two_models: bytes, frame: Any) -> None:
    first, second = Streams(frame, {0: 20}), Streams(lambda n: frame(n / 2), {0: 30, 1: 30})
    with MultiStreamAsyncAccl(two_models) as accl:
        accl.connect_streams(first.source, first.sink, 1, 0)
        accl.connect_streams(second.source, second.sink, 2, model_idx=1)
        accl.wait()
    assert first.got == {0: numbers(20)}
    assert second.got == {0: numbers(30), 1: numbers(30)}


def _out(index: int, *outputs: Any) -> None:
    """Take anything."""


@pytest.mark.parametrize(
    ("arguments", "error", "words"),
    [
        ((lambda: None, _out, "2"), TypeError, "stream_count is an integer"),
        ((lambda: None, _out, 2.0), TypeError, "stream_count is an integer"),
        ((lambda: None, _out, 0), ValueError, "stream_count is 1 or more"),
        ((lambda: None, _out, -3), ValueError, "stream_count is 1 or more"),
        ((lambda: None, _out, 1), TypeError, "exactly one parameter"),
        ((lambda a, b: None, _out, 1), TypeError, "exactly one parameter"),
        ((lambda a: None, lambda a: None, 1), TypeError, "two or more parameters"),
        ((lambda a: None, lambda *a: None, 1, 5), TypeError, "two or more parameters"),
        ((lambda a: None, _out, 1, 5), IndexError, "model_idx"),
    ],
)
def test_connect_streams_checks_its_arguments_in_the_published_order(
    arguments: Any, error: Any, words: str, identity: bytes
) -> None:
    with MultiStreamAsyncAccl(identity) as accl, pytest.raises(error, match=words):
        accl.connect_streams(*arguments)


def test_true_counts_as_one_stream(identity: bytes, frame: Any) -> None:
    streams = Streams(frame, {0: 2})
    with MultiStreamAsyncAccl(identity) as accl:
        accl.connect_streams(streams.source, streams.sink, True)
        accl.wait()
    assert streams.got == {0: [0, 1]}


def test_wait_is_a_runtime_error_without_streams(two_models: bytes, frame: Any) -> None:
    streams = Streams(frame, {0: 2})
    with MultiStreamAsyncAccl(two_models) as accl:
        with pytest.raises(RuntimeError, match=r"model 0 .* has no streams"):
            accl.wait()
        accl.connect_streams(streams.source, streams.sink, 1)
        with pytest.raises(RuntimeError, match=r"model 1 .* has no streams"):
            accl.wait()
        accl.stop()


def test_a_stream_s_input_callback_never_overlaps_itself_but_streams_run_at_once(
    identity: bytes, frame: Any
) -> None:
    together = threading.Barrier(3)
    inside = defaultdict(int)
    most = defaultdict(int)
    calls = defaultdict(int)

    def source(stream_idx: int) -> Any:
        inside[stream_idx] += 1
        most[stream_idx] = max(most[stream_idx], inside[stream_idx])
        calls[stream_idx] += 1
        if calls[stream_idx] == 1:
            together.wait(10)  # all three streams have to be in here
        inside[stream_idx] -= 1
        return frame(0) if calls[stream_idx] < 100 else None

    with MultiStreamAsyncAccl(identity) as accl:
        accl.connect_streams(source, _out, 3)
        accl.wait()
    assert dict(most) == {0: 1, 1: 1, 2: 1}


def test_output_callbacks_run_one_after_the_other_in_one_thread(
    identity: bytes, frame: Any
) -> None:
    streams = Streams(frame, dict.fromkeys(range(4), 100))
    threads, inside, most = set(), [], []

    def output(stream_idx: int, *outputs: Any) -> None:
        threads.add(threading.current_thread())
        inside.append(stream_idx)
        most.append(len(inside))
        streams.sink(stream_idx, *outputs)
        inside.pop()

    with MultiStreamAsyncAccl(identity) as accl:
        accl.connect_streams(streams.source, output, 4)
        accl.wait()
    assert len(threads) == 1
    assert max(most) == 1


@pytest.mark.expected_log
@pytest.mark.parametrize("bad", ["raises", "returns rubbish", "output raises", "device fails"])
def test_a_stream_that_fails_ends_alone_and_wait_raises_when_all_have_ended(
    bad: Any, identity: bytes, frame: Any, device: Any
) -> None:
    streams = Streams(frame, {0: 300, 1: 300, 2: 300})
    if bad == "device fails":
        device.breaks_on = {1005.0}

    def source(stream_idx: int) -> Any:
        taken = streams.source(stream_idx)
        if stream_idx == 1 and taken is not None and taken[0, 0] == 1005:
            if bad == "raises":
                raise ZeroDivisionError("camera 1 is gone")
            if bad == "returns rubbish":
                return "rubbish"
        return taken

    def output(stream_idx: int, y: Any) -> None:
        if bad == "output raises" and stream_idx == 1 and y[0, 0] == 1005:
            raise ZeroDivisionError("cannot draw 1")
        streams.sink(stream_idx, y)

    with MultiStreamAsyncAccl(identity) as accl:
        accl.connect_streams(source, output, 3)
        for _ in range(2):
            with pytest.raises((ZeroDivisionError, TypeError, RuntimeError)):
                accl.wait()
    assert streams.got == {0: numbers(300), 1: numbers(5), 2: numbers(300)}


def test_streams_whose_camera_waits_hold_up_no_other(identity: bytes, frame: Any) -> None:
    camera = queue.Queue()
    streams = Streams(frame, {6: 1000})

    def source(stream_idx: int) -> Any:
        return streams.source(stream_idx) if stream_idx == 6 else camera.get()

    done = threading.Event()

    def output(stream_idx: int, y: Any) -> None:
        streams.sink(stream_idx, y)
        if len(streams.got[6]) == 1000:
            done.set()

    with MultiStreamAsyncAccl(identity, stream_workers=2) as accl:
        accl.connect_streams(source, output, 7)
        assert done.wait(10)
        for _ in range(6):
            camera.put(None)
        accl.wait()
    assert streams.got == {6: numbers(1000)}


@pytest.mark.parametrize(("given", "used"), [(0, 2), (1, 2), (64, 64)])
def test_there_are_at_least_two_stream_workers(
    given: Any, used: Any, identity: bytes, frame: Any
) -> None:
    streams = Streams(frame, {0: 10, 1: 10})
    with MultiStreamAsyncAccl(identity, [0], given) as accl:
        assert accl.stream_workers == used
        accl.connect_streams(streams.source, streams.sink, 2)
        accl.wait()
    assert len(streams.got) == 2


def test_minus_one_stream_workers_is_one_less_than_the_cores(
    identity: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("os.cpu_count", lambda: 9)
    with MultiStreamAsyncAccl(identity) as accl:
        assert accl.stream_workers == 8


def test_stop_ends_all_streams_within_a_second(identity: bytes, frame: Any) -> None:
    seen = threading.Semaphore(0)
    camera = queue.Queue()

    def source(stream_idx: int) -> Any:
        return camera.get() if stream_idx == 3 else frame(0)

    with MultiStreamAsyncAccl(identity) as accl:
        accl.connect_streams(source, lambda index, y: seen.release(), 4)
        for _ in range(20):
            assert seen.acquire(timeout=5)
        begun = time.monotonic()
        accl.stop()
        assert time.monotonic() - begun < 1
        accl.wait()
        camera.put(None)


def test_stop_may_be_called_from_a_callback(identity: bytes, frame: Any) -> None:
    with MultiStreamAsyncAccl(identity) as accl:
        accl.connect_streams(lambda index: frame(0), lambda index, y: accl.stop(), 3)
        accl.wait()


def test_streams_wait_in_line_for_a_full_queue(identity: bytes, frame: Any, device: Any) -> None:
    device.takes_s = 0.002
    got = []
    done = threading.Event()

    def output(stream_idx: int, _y: Any) -> None:
        got.append(stream_idx)
        if len(got) == 240:
            done.set()

    options = SchedulerOptions(ifmap_queue_size=2)
    with MultiStreamAsyncAccl(identity, scheduler_options=options) as accl:
        accl.connect_streams(frame, output, 4)
        assert done.wait(10)
        accl.stop()
    counts = [got[40:240].count(index) for index in range(4)]
    assert min(counts) >= 48
    assert max(counts) <= 52
