"""Order, patience and rest: what holds under random delays, when nothing happens, and for long."""

import random
import threading
import time
from collections import defaultdict
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import psutil
import pytest

from engine import AsyncAccl, ClientOptions, MultiStreamAsyncAccl, SchedulerOptions, SyncAccl
from engine.manager import ManagerAddress, manager_status
from engine.plugins import PluginRegistry

STREAMS = 16
ALL = [SyncAccl, AsyncAccl, MultiStreamAsyncAccl]


def pause(seed: int) -> Callable[[], None]:
    """Return something that sleeps for 0 to 2 ms now and then."""
    dice = random.Random(seed)
    return lambda: threading.Event().wait(dice.random() * 0.002) if dice.random() < 0.3 else None


def test_1000_frames_over_16_streams_with_random_sleeps_come_in_order_and_none_is_lost(
    identity: bytes, frame: Any
) -> None:
    counts = [1000 // STREAMS + (index < 1000 % STREAMS) for index in range(STREAMS)]
    left = [iter(range(count)) for count in counts]
    pauses = [pause(index) for index in range(2 * STREAMS)]
    got: dict[int, list[int]] = defaultdict(list)

    def source(stream: int) -> Any:
        pauses[stream]()
        number = next(left[stream], None)
        return None if number is None else frame(1000 * stream + number)

    def sink(stream: int, outputs: Any) -> None:
        pauses[STREAMS + stream]()
        got[stream].append(int(outputs[0, 0]) - 1000 * stream)

    with MultiStreamAsyncAccl(identity) as accl:
        accl.connect_streams(source, sink, STREAMS)
        accl.wait()
    assert sum(map(len, got.values())) == 1000
    assert got == {stream: list(range(count)) for stream, count in enumerate(counts)}


def test_output_k_belongs_to_input_k_whatever_the_callbacks_wait_for(
    identity: bytes, frame: Any
) -> None:
    numbers, before, after = iter(range(600)), pause(1), pause(2)
    got: list[int] = []

    def source() -> Any:
        before()
        return frame(next(numbers))

    def sink(outputs: Any) -> None:
        after()
        got.append(int(outputs[0, 0]))

    with AsyncAccl(identity) as accl:
        accl.connect_input(source)
        accl.connect_output(sink)
        accl.wait()
    assert got == list(range(600))


def test_a_slow_client_with_the_smallest_output_queue_loses_nothing(
    identity: bytes, frame: Any
) -> None:
    options = SchedulerOptions(ifmap_queue_size=1, ofmap_queue_size=1)
    numbers = iter(range(60))
    got: list[int] = []

    def slow(outputs: Any) -> None:
        threading.Event().wait(0.005)
        got.append(int(outputs[0, 0]))

    with AsyncAccl(identity, scheduler_options=options) as accl:
        accl.connect_input(lambda: frame(next(numbers)))
        accl.connect_output(slow)
        accl.wait()
    assert got == list(range(60))


def waits_of(threads: set[int]) -> int:
    """Return how often these threads went to sleep by themselves; a thread that polls does."""
    total = 0
    for thread in threads:
        status = Path(f"/proc/self/task/{thread}/status").read_text()
        (line,) = (one for one in status.splitlines() if one.startswith("voluntary_ctxt"))
        total += int(line.split()[1])
    return total


def cpu_s_behind(place: ManagerAddress) -> float:
    """Return the processor time of the device manager and of its workers; 0 without one."""
    status = manager_status(place)
    pids = [] if status is None else [status.pid, *(one.worker_pid for one in status.devices)]
    times = [psutil.Process(pid).cpu_times() for pid in pids if pid]
    return sum(one.user + one.system for one in times)


def own_threads() -> set[int]:
    return {thread.id for thread in psutil.Process().threads()}


@pytest.mark.parametrize("cls", ALL)
def test_an_idle_accelerator_uses_no_cpu(
    cls: Any, identity: bytes, poll_for: Any, place: ManagerAddress
) -> None:
    before = own_threads()
    camera, opened = threading.Event(), threading.Semaphore(0)

    def source() -> None:
        opened.release()
        camera.wait()

    with cls(identity) as accl:
        waiting = 0
        if cls is AsyncAccl:
            accl.connect_output(lambda _: None)
            accl.connect_input(source)
            waiting = 1
        elif cls is MultiStreamAsyncAccl:
            accl.connect_streams(lambda _: source(), lambda _i, _y: None, 3)
            waiting = 3
        for _ in range(waiting):
            assert opened.acquire(timeout=20)
        threads = own_threads() - before
        assert threads
        seen: list[int] = []

        def has_settled() -> bool:
            seen.append(waits_of(threads))
            return len(seen) > 3 and seen[-1] == seen[-3]

        poll_for(has_settled)
        settled, used_s = waits_of(threads), cpu_s_behind(place)
        threading.Event().wait(0.6)
        assert waits_of(threads) == settled
        assert cpu_s_behind(place) - used_s <= 0.1
        camera.set()


@pytest.mark.parametrize("cls", ALL)
def test_making_and_shutting_down_takes_50_ms_beside_loading_the_model(
    cls: Any, identity: bytes
) -> None:
    graph = _graph_of(identity)
    loading, making = [], []
    for _ in range(8):
        begun = time.perf_counter()
        PluginRegistry().choose().load(graph).close()
        loading.append(time.perf_counter() - begun)
        begun = time.perf_counter()
        cls(identity).shutdown()
        making.append(time.perf_counter() - begun)
    assert min(making) - min(loading) <= 0.05


def _graph_of(program: bytes) -> bytes:
    from engine import Dfp

    return Dfp(program).graph()


@pytest.mark.slow
@pytest.mark.soak
def test_a_long_run_needs_no_more_memory_and_threads_at_its_end(
    identity: bytes, frame: Any
) -> None:
    one, counts, marks = frame(1), [0] * 8, []
    me = psutil.Process()

    def source(stream: int) -> Any:
        return one if counts[stream] < 2500 else None

    def sink(stream: int, _: Any) -> None:
        counts[stream] += 1
        if stream == 0 and counts[0] in (1000, 2000):
            marks.append((me.memory_info().rss, threading.active_count()))

    with MultiStreamAsyncAccl(identity) as accl:
        accl.connect_streams(source, sink, 8)
        accl.wait()
    (rss, threads), (rss_later, threads_later) = marks
    assert rss_later - rss < 8_000_000
    assert threads_later <= threads
    assert min(counts) >= 2500


# -- the same numbers as the bare library


@pytest.mark.parametrize("cls", ALL)
def test_results_are_those_of_bare_onnxruntime(cls: Any) -> None:
    import onnxruntime

    from engine import Dfp
    from tests.support.mobilenet import INPUT, mobilenet_program

    dfp = Dfp(mobilenet_program())
    picture = np.random.default_rng(5).random(INPUT).astype(np.float32)
    bare = onnxruntime.InferenceSession(dfp.graph(), providers=["CPUExecutionProvider"])
    (wanted,) = bare.run(None, {"x": picture})
    got: list[Any] = []
    with cls(dfp) as accl:
        if cls is SyncAccl:
            got.append(accl.run(picture))
        elif cls is AsyncAccl:
            accl.connect_input(lambda: iter([picture]))
            accl.connect_output(got.append)
            accl.wait()
        else:
            once = iter([picture])
            accl.connect_streams(lambda _: next(once), lambda _, y: got.append(y), 1)
            accl.wait()
    (found,) = got
    cosine = float((found * wanted).sum() / np.linalg.norm(found) / np.linalg.norm(wanted))
    assert cosine > 0.999
    assert found.argmax() == wanted.argmax()


# -- the rate of results, frame by frame


@pytest.mark.parametrize("how", ["receive", "run one by one", "run a list"])
def test_smoothing_keeps_the_distance_between_results_of_sync_accl(
    how: str, identity: bytes, frame: Any
) -> None:
    options = ClientOptions(smoothing=True, fps_target=100)
    with SyncAccl(identity, client_options=options) as accl:
        accl.run(frame(0))
        begun = time.monotonic()
        if how == "run a list":
            results = accl.run([frame(number) for number in range(6)])
        elif how == "receive":
            for number in range(6):
                accl.send(frame(number))
            results = [accl.receive() for _ in range(6)]
        else:
            results = [accl.run(frame(number)) for number in range(6)]
        assert time.monotonic() - begun >= 0.055
    assert [int(result[0, 0]) for result in results] == list(range(6))


@pytest.mark.parametrize("options", [ClientOptions(True, 0.0), ClientOptions(False, 0.01)])
def test_without_both_smoothing_and_a_rate_sync_accl_waits_for_nothing(
    options: ClientOptions, identity: bytes, frame: Any
) -> None:
    with SyncAccl(identity, client_options=options) as accl:
        begun = time.monotonic()
        for number in range(5):
            accl.run(frame(number))
        assert time.monotonic() - begun < 20


def test_a_receive_that_times_out_before_its_turn_loses_no_frame_and_no_turn(
    identity: bytes, frame: Any
) -> None:
    options = ClientOptions(smoothing=True, fps_target=2)
    with SyncAccl(identity, client_options=options) as accl:
        accl.send(frame(1))
        accl.send(frame(2))
        assert accl.receive()[0, 0] == 1
        with pytest.raises(TimeoutError):
            accl.receive(timeout=5)
        begun = time.monotonic()
        while True:  # the pattern that the API's text shows
            try:
                second = accl.receive(timeout=5)
                break
            except TimeoutError:
                assert time.monotonic() - begun < 20
        assert second[0, 0] == 2


def test_shutdown_wakes_a_receive_that_waits_for_its_turn(identity: bytes, frame: Any) -> None:
    options = ClientOptions(smoothing=True, fps_target=0.01)
    problems: list[str] = []
    accl = SyncAccl(identity, client_options=options)
    accl.run(frame(0))
    accl.send(frame(1))

    def receive() -> None:
        try:
            accl.receive()
        except RuntimeError as error:
            problems.append(str(error))

    waiting = threading.Thread(target=receive)
    waiting.start()
    threading.Event().wait(0.05)
    accl.shutdown()
    waiting.join(20)
    assert not waiting.is_alive()
    assert "was shut down" in problems[0]


# -- forms of calls seen in the field


def test_options_may_be_given_by_place_and_shapes_as_a_list(identity: bytes, frame: Any) -> None:
    with (
        AsyncAccl(identity, [0], [True, False], False),
        MultiStreamAsyncAccl(identity, [0], 2, [True, True], False),
        SyncAccl(identity, 0, [True, False]) as accl,
    ):
        assert accl.run(frame(2)).shape == (1, 1, 1, 4)


@pytest.mark.parametrize("cls", ALL)
def test_group_id_is_an_argument_and_a_property_and_chip_gen_is_ignored(
    cls: Any, identity: bytes
) -> None:
    with pytest.warns(DeprecationWarning, match="group_id is called device_ids"):
        accl = cls(identity, group_id=0)
    assert (accl.group_id, accl.device_ids) == (0, [0])
    accl.shutdown()
    with pytest.warns(DeprecationWarning, match="chip_gen has no meaning"):
        cls(identity, chip_gen=3.1).shutdown()


def test_a_send_that_times_out_leaves_no_half_frame_of_several_inputs(
    two_ports: bytes, frame: Any, device: Any
) -> None:
    device.hold()
    options = SchedulerOptions(ifmap_queue_size=1, ofmap_queue_size=0)
    with SyncAccl(two_ports, scheduler_options=options) as accl:
        accl.send([frame(5), frame(3)], timeout=2000)
        for _ in range(3):
            with pytest.raises(TimeoutError):
                accl.send([frame(70), frame(80)], timeout=10)
        device.release()
        assert [int(output[0, 0]) for output in accl.receive(timeout=20000)] == [8, 2]
        accl.send([frame(6), frame(1)], timeout=20000)
        assert [int(output[0, 0]) for output in accl.receive(timeout=20000)] == [7, 5]
