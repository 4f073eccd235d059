"""Streams, progress, statistics, arrays: what ours does beyond the published text."""

import gc
import io
import resource
import threading
import time
from collections.abc import Callable
from typing import Any

import numpy as np
import psutil
import pytest
import rich
from rich.console import Console

from engine.errors import ClosedError, WrongStateError
from engine.runner import CfgNode, OrderedRunner, UnorderedRunner
from tests.support.runners import (
    Collecting,
    Echo,
    Obeying,
    Sleeper,
    Squares,
    UnorderedSleeper,
    UnorderedSquares,
)

Start = Callable[..., Any]

# -- with, dropping


def test_the_with_block_closes_the_runner() -> None:
    with Squares(2) as runner:
        assert runner([2]) == [4]
    assert not runner.is_activate


def test_a_runner_that_is_dropped_ends_its_workers(poll_for: Any) -> None:
    runner = Squares(2)
    runner([1])
    pids = [process.pid for process in psutil.Process().children()]
    assert len(pids) == 2
    del runner
    gc.collect()
    poll_for(lambda: psutil.Process().children() == [])


# -- streams


def test_a_stream_gives_ordered_results_one_by_one(start: Start) -> None:
    stream = start(Squares, 2).imap(range(1000))
    assert next(stream) == 0
    assert list(stream) == [i * i for i in range(1, 1000)]


def test_a_stream_of_an_unordered_runner_gives_what_is_done_first(start: Start) -> None:
    assert list(start(UnorderedSleeper, 2).imap([0.3, 0.0])) == [0.0, 0.3]


def test_a_stream_gives_results_before_a_slow_input_goes_on(start_anywhere: Start) -> None:
    go_on = threading.Event()

    def live() -> Any:
        for number in range(3):
            yield number
            assert go_on.wait(5)
            go_on.clear()

    seen = []
    for result in start_anywhere(Squares, 2).imap(live()):
        seen.append(result)
        go_on.set()  # the next item comes only after this result
    assert seen == [0, 1, 4]


def test_a_call_gives_results_before_a_slow_input_goes_on(start: Start) -> None:
    came = threading.Event()

    class Feedback(OrderedRunner):
        @staticmethod
        def consumer_work(cfg: Any, data: Any) -> None:
            came.set()

    def live() -> Any:
        for number in range(3):
            yield number
            assert came.wait(5)
            came.clear()

    start(Feedback, 2)(live())


def test_a_tiny_live_item_does_not_wait_for_others_to_travel_with(start_anywhere: Start) -> None:
    came = threading.Event()

    class Feedback(OrderedRunner):
        @staticmethod
        def consumer_work(cfg: Any, data: Any) -> None:
            if data >= 5000:
                came.set()

    def live() -> Any:
        yield from range(5000)  # by now many travel together
        for number in range(5000, 5020):
            yield number
            assert came.wait(5)
            came.clear()

    since = time.monotonic()
    start_anywhere(Feedback, 2)(live())
    assert time.monotonic() - since < 4


def test_the_failure_of_an_item_comes_in_its_place_in_the_stream(start_anywhere: Start) -> None:
    runner = start_anywhere(Obeying, 2)
    stream = runner.imap([1, 2, "raise", 4])
    assert [next(stream), next(stream)] == [10, 20]
    with pytest.raises(ValueError, match="bad item"):
        next(stream)
    with pytest.raises(StopIteration):
        next(stream)
    assert runner([1]) == [10]


def test_a_stream_that_is_left_early_leaves_the_runner_usable(start_anywhere: Start) -> None:
    runner = start_anywhere(Squares, 2)
    for _ in range(3):
        with runner.imap(range(10_000)) as stream:
            assert next(stream) == 0
        assert runner([1, 2]) == [1, 4]


def test_a_stream_that_is_dropped_leaves_the_runner_usable(start: Start, poll_for: Any) -> None:
    runner = start(Squares, 2)
    next(runner.imap(range(10_000)))
    gc.collect()
    poll_for(runner._run.is_over.is_set)
    assert runner([1, 2]) == [1, 4]


def test_a_stream_keeps_its_runner_alive() -> None:
    stream = Squares(2).imap(range(100))
    gc.collect()
    assert list(stream) == [i * i for i in range(100)]
    del stream
    gc.collect()


def test_a_stream_ends_with_an_error_when_the_runner_is_closed(start_anywhere: Start) -> None:
    runner = start_anywhere(Squares, 2)
    stream = runner.imap(range(1_000_000))
    next(stream)
    runner.close()
    with pytest.raises(ClosedError):
        list(stream)


def test_the_input_of_a_stream_runs_ahead_no_further_than_asked(start_anywhere: Start) -> None:
    taken = []

    def items() -> Any:
        for number in range(50):
            taken.append(number)
            yield np.zeros(2_000_000, np.uint8)  # too big to travel together

    stream = start_anywhere(Echo, 2, {}, 2.0).imap(items())
    for delivered in range(1, 20):
        next(stream)
        assert len(taken) <= delivered + 4
    stream.close()


def test_an_exception_of_the_input_is_raised_by_the_stream(start: Start) -> None:
    def broken() -> Any:
        yield 1
        raise LookupError("no more")

    with pytest.raises(LookupError, match="no more"):
        list(start(Squares, 1).imap(broken()))


# -- progress and statistics


def test_progress_reaches_the_end_and_knows_the_total(start: Start) -> None:
    told: list[tuple[int, int | None]] = []

    def tell(done: int, total: int | None) -> None:
        told.append((done, total))

    runner = start(Squares, 2, progress=tell)
    runner(range(1000))
    assert told[-1] == (1000, 1000)
    assert told == sorted(told)
    told.clear()
    runner(i for i in range(10))
    assert told[-1] == (10, None)
    told.clear()
    assert len(list(runner.imap(range(10)))) == 10
    assert told[-1] == (10, 10)


def test_progress_can_be_a_bar(start: Start, monkeypatch: pytest.MonkeyPatch) -> None:
    screen = io.StringIO()
    console = Console(file=screen, force_terminal=True, width=80)
    monkeypatch.setattr(rich, "_console", console)
    start(Squares, 2)(range(100), progress=True)
    assert "100/100" in screen.getvalue()


def test_an_exception_in_the_progress_callback_ends_the_call(start: Start) -> None:
    def refuse(done: int, total: int | None) -> None:
        raise RuntimeError("no screen")

    runner = start(Squares, 1)
    with pytest.raises(RuntimeError, match="no screen"):
        runner([1], progress=refuse)
    assert runner([1]) == [1]


def test_statistics_count_what_happened(start_anywhere: Start) -> None:
    runner = start_anywhere(UnorderedSquares, 2)
    runner(range(5000))
    runner(range(10))
    figures = runner.statistics
    assert (figures.calls, figures.items, figures.results) == (2, 5010, 5010)
    assert 0 < figures.parcels < 5010
    assert figures.items_per_parcel > 1
    assert figures.elapsed_s >= figures.consumer_s > 0


def test_tiny_items_travel_together_and_slow_ones_alone(start_anywhere: Start) -> None:
    tiny, slow = start_anywhere(Squares, 2), start_anywhere(Sleeper, 2)
    tiny(range(20_000))
    slow([0.01] * 20)
    assert tiny.statistics.items_per_parcel > 5
    assert slow.statistics.items_per_parcel == 1


# -- values


VALUES: list[Any] = [
    None,
    True,
    0,
    -(1 << 200),
    10**300_000,
    1.5,
    "",
    "a" * 300,
    "b" * 100_000,
    b"",
    b"c" * 200_000,
    bytearray(b"d" * 100_000),
    (1, (2, [3])),
    {"x": [1, 2]},
    [],
    [[1], "list"],
    np.int64(3),
    np.arange(5),
    np.arange(100_000, dtype=np.float32).reshape(100, 1000),
    np.arange(100_000).reshape(100, 1000).T,
    np.arange(200_000)[::2],
    np.zeros((0, 3)),
    np.array(["a", None], dtype=object),
    {"left": np.ones(50_000), "right": np.zeros(50_000, np.int8)},
]


def same(one: Any, other: Any) -> bool:
    if isinstance(one, np.ndarray):
        return bool(np.array_equal(one, other)) and one.dtype == other.dtype
    if isinstance(one, dict):
        return one.keys() == other.keys() and all(same(one[k], other[k]) for k in one)
    return type(one) is type(other) and one == other


def test_every_kind_of_value_comes_back_as_it_was(start_anywhere: Start) -> None:
    back = start_anywhere(Echo, 2)(VALUES * 3)
    assert [index for index, value in enumerate(VALUES * 3) if not same(value, back[index])] == []


def test_a_result_array_is_private_and_can_be_written(start_anywhere: Start) -> None:
    first, second = start_anywhere(Echo, 2)([np.zeros(100_000, np.uint8)] * 2)
    first[:] = 7
    assert not second.any()


def test_results_that_are_kept_never_change(start_anywhere: Start) -> None:
    class Reusing(Collecting, OrderedRunner):
        @staticmethod
        def producer_init(device: Any, cfg: Any) -> None:
            cfg.array = np.zeros(60_000, np.uint32)

        @staticmethod
        def producer_work(device: Any, cfg: Any, data: Any) -> Any:
            cfg.array[:] = data
            return cfg.array

    kept = start_anywhere(Reusing, 2)(range(300))
    assert all((array == number).all() for number, array in enumerate(kept))


def test_kept_results_outlive_the_runner() -> None:
    with Echo(2) as runner:
        kept = runner([np.full(100_000, n, np.uint8) for n in range(20)])
    gc.collect()
    assert all((array == n).all() for n, array in enumerate(kept))


def test_items_a_worker_keeps_never_change(start: Start) -> None:
    class Keeping(Collecting, OrderedRunner):
        @staticmethod
        def producer_init(device: Any, cfg: Any) -> None:
            cfg.kept = []

        @staticmethod
        def producer_work(device: Any, cfg: Any, data: Any) -> Any:
            cfg.kept.append((int(data[0]), data))
            return all((array == value).all() for value, array in cfg.kept)

    results = start(Keeping, 2)(np.full(200_000, n % 251, np.uint8) for n in range(100))
    assert all(results)


def test_an_input_buffer_may_be_used_again_at_once(start_anywhere: Start) -> None:
    def frames() -> Any:
        frame = np.zeros(100_000, np.uint8)
        small = [0]
        for number in range(100):
            frame[:] = number
            small[0] = number
            yield frame, small

    for number, (frame, small) in enumerate(start_anywhere(Echo, 2).imap(frames())):
        assert (frame == number).all()
        assert small == [number]


def test_a_result_that_is_changed_after_it_was_returned_stays_as_it_was(
    start: Start,
) -> None:
    class Growing(Collecting, OrderedRunner):
        @staticmethod
        def producer_init(device: Any, cfg: Any) -> None:
            cfg.list = []

        @staticmethod
        def producer_work(device: Any, cfg: Any, data: Any) -> Any:
            cfg.list.append(data)
            return cfg.list

    results = start(Growing, 1)(range(200))
    assert [len(result) for result in results] == list(range(1, 201))


def test_big_results_flow_while_the_first_is_slow(start_anywhere: Start) -> None:
    class Uneven(Collecting, OrderedRunner):
        @staticmethod
        def producer_work(device: Any, cfg: Any, data: Any) -> Any:
            time.sleep(0.5 if data == 0 else 0)
            return np.full(1_000_000, data, np.uint8)

    results = start_anywhere(Uneven, 2)(range(40))
    assert [int(array[-1]) for array in results] == list(range(40))


# -- configuration


def test_a_big_array_in_cfg_is_not_copied_per_worker_and_call(start: Start) -> None:
    size = 100_000_000

    class Reading(Collecting, OrderedRunner):
        @staticmethod
        def producer_work(device: Any, cfg: Any, data: Any) -> Any:
            info = psutil.Process().memory_full_info()
            return int(cfg.table[data]), info.uss

    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    runner = start(Reading, 2, {"table": np.ones(size, np.uint8)})
    (value, private), *_ = runner(range(4))
    assert value == 1
    assert private < size // 2
    since = time.monotonic()
    for _ in range(5):
        runner([0])
    assert time.monotonic() - since < 1
    grown = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) * 1024
    assert grown < 3 * size


def test_a_worker_may_change_its_arrays_in_cfg_and_nobody_else_sees_it(
    start_anywhere: Start,
) -> None:
    class Counting(Collecting, OrderedRunner):
        @staticmethod
        def producer_work(device: Any, cfg: Any, data: Any) -> Any:
            cfg.table += 1
            return int(cfg.table[0])

    table = np.zeros(100_000)
    runner = start_anywhere(Counting, ["a"], {"table": table})
    other = start_anywhere(Counting, ["b"], {"table": table})
    assert runner(range(3)) == [1, 2, 3]
    assert other(range(2)) == [1, 2]
    assert table[0] == 0


def test_a_cfg_that_cannot_be_pickled_reaches_forked_workers(start: Start) -> None:
    class Calling(Collecting, OrderedRunner):
        @staticmethod
        def producer_work(device: Any, cfg: Any, data: Any) -> Any:
            return cfg.function(data)

    assert start(Calling, 2, {"function": lambda x: x + 1})([1]) == [2]


def test_a_node_has_attributes_can_be_frozen_and_merged() -> None:
    node = CfgNode({"a": {"b": 1}, "c": [2]})
    assert node.a.b == 1
    node.freeze()
    with pytest.raises(WrongStateError, match="frozen"):
        node.a.b = 2
    with pytest.raises(WrongStateError, match="frozen"):
        del node.c
    other = node.copy()
    other.merge({"a": {"d": 3}, "e": 4})
    assert other == {"a": {"b": 1, "d": 3}, "c": [2], "e": 4}
    assert node.is_frozen
    assert not other.is_frozen
    with pytest.raises(AttributeError, match="no entry 'z'"):
        _ = node.z
    del other.e
    assert "e" not in other


def test_a_frozen_configuration_reaches_the_hooks_writable(start: Start) -> None:
    cfg = CfgNode({"x": 1})
    cfg.freeze()
    assert start(Squares, 1, cfg)([2]) == [4]


def test_a_configuration_may_be_any_object(start: Start) -> None:
    class Reading(OrderedRunner):
        @staticmethod
        def producer_work(device: Any, cfg: Any, data: Any) -> Any:
            return cfg[data]

    assert list(start(Reading, 1, ("a", "b")).imap([1, 0])) == ["b", "a"]


# -- nothing is left, nothing is burnt


@pytest.mark.slow
def test_many_runners_leave_nothing() -> None:
    def cycle() -> None:
        with UnorderedRunner(2) as runner:
            runner([np.zeros(100_000), 1])

    for _ in range(5):
        cycle()
    process = psutil.Process()
    before = process.num_fds(), process.num_threads(), process.memory_info().rss
    for _ in range(40):
        cycle()
    gc.collect()
    after = process.num_fds(), process.num_threads(), process.memory_info().rss
    assert after[0] <= before[0]
    assert after[1] <= before[1]
    assert after[2] - before[2] < 5_000_000


def test_an_idle_runner_uses_no_processor_time(start: Start) -> None:
    runner = start(Squares, 2)
    runner(range(10))
    everybody = [psutil.Process(), *psutil.Process().children()]
    before = sum(sum(process.cpu_times()[:2]) for process in everybody)
    threading.Event().wait(0.5)
    assert sum(sum(process.cpu_times()[:2]) for process in everybody) - before <= 0.02


def test_a_blocked_call_uses_no_processor_time(start: Start) -> None:
    runner = start(Sleeper, 2)
    before = time.process_time()
    runner([0.5] * 2)
    assert time.process_time() - before < 0.1


@pytest.mark.slow
def test_memory_stays_flat_over_a_million_small_items(start: Start) -> None:
    class Counting(UnorderedRunner):
        pass

    runner = start(Counting, 2)
    runner(range(100_000))
    gc.collect()
    before = psutil.Process().memory_info().rss
    runner(range(1_000_000))
    assert psutil.Process().memory_info().rss - before < 5_000_000


def test_keeping_all_results_does_not_fill_shared_memory(start: Start) -> None:
    runner = start(Echo, 2)
    kept = runner(np.full(1_000_000, n, np.uint8) for n in range(100))
    assert len(kept) == 100
    lent = [slab.size_bytes for link in runner._crews[0]._links for slab in link.lender._slabs]
    assert sum(lent) < 60_000_000
