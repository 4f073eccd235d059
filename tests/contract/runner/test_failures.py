"""What is raised where, and that a runner goes on after it."""

import gc
import threading
import time
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from engine.errors import BusyError, ClosedError, EngineError, InvalidArgumentError, RemoteError
from engine.runner import ItemError, OrderedRunner, WorkerTracebackError
from tests.support.runners import (
    Collecting,
    Echo,
    Obeying,
    OddResults,
    Sleeper,
    Squares,
    Staged,
    UnorderedObeying,
    UnorderedSquares,
)

Start = Callable[..., Any]


class TwoPartError(Exception):
    """Cannot be rebuilt from its pickle."""

    def __init__(self, what: str, why: str) -> None:
        super().__init__(f"{what}: {why}")


class RaisingTwoPart(Collecting, OrderedRunner):
    @staticmethod
    def producer_work(device: Any, cfg: Any, data: Any) -> Any:
        raise TwoPartError("item", "bad")


# -- exceptions of hooks


@pytest.mark.parametrize("kind", [Obeying, UnorderedObeying])
def test_an_exception_in_a_worker_is_raised_in_the_caller_with_its_traceback(
    start_anywhere: Start, kind: Any
) -> None:
    with pytest.raises(ValueError, match="bad item") as caught:
        start_anywhere(kind, 2)([1, "raise", 3])
    assert isinstance(caught.value.__cause__, WorkerTracebackError)
    assert "in producer_work" in str(caught.value.__cause__)
    assert "item 1" in caught.value.__notes__[0]


@pytest.mark.parametrize("kind", [Obeying, UnorderedObeying])
def test_a_runner_can_be_called_again_after_an_exception(start: Start, kind: Any) -> None:
    runner = start(kind, 2)
    for _ in range(3):
        with pytest.raises(ValueError, match="bad item"):
            runner([1, "raise", *range(50)])
        assert sorted(runner(range(5))) == [0, 10, 20, 30, 40]


def test_an_exception_that_cannot_be_pickled_is_told_in_words(start_anywhere: Start) -> None:
    with pytest.raises(RemoteError, match="TwoPartError: item: bad") as caught:
        start_anywhere(RaisingTwoPart, 1)([1])
    assert caught.value.details["item"] == 0


@pytest.mark.parametrize(
    "stage", ["producer_init", "producer_work", "consumer_init", "consumer_work", "consumer_end"]
)
def test_an_exception_in_any_hook_is_raised_by_the_call(start: Start, stage: str) -> None:
    runner = start(Staged, 2, {"fail_at": stage, "how": "raise"})
    since = time.monotonic()
    for _ in range(2):
        with pytest.raises(ValueError, match="bad item"):
            runner(range(10))
    assert time.monotonic() - since < 2


@pytest.mark.parametrize("stage", ["producer_init", "consumer_work"])
def test_an_exception_in_a_hook_is_raised_wherever_workers_are(
    start_anywhere: Start, stage: str
) -> None:
    runner = start_anywhere(Staged, 1, {"fail_at": stage, "how": "raise"})
    with pytest.raises(ValueError, match="bad item"):
        runner(range(10))
    with pytest.raises(ValueError, match="bad item"):
        runner(range(10))


def test_an_exception_in_the_workers_last_hook_is_raised_by_close() -> None:
    runner = Staged(2, {"fail_at": "producer_end", "how": "raise"})
    assert runner([1]) == [1]
    with pytest.raises(ValueError, match="bad item"):
        runner.close()
    runner.close()
    assert not runner.is_activate


@pytest.mark.expected_log
def test_leaving_the_with_block_keeps_the_exception_that_is_on_its_way(
    caplog: pytest.LogCaptureFixture,
) -> None:
    with (
        pytest.raises(KeyError, match="mine"),
        Staged(1, {"fail_at": "producer_end", "how": "raise"}),
    ):
        raise KeyError("mine")
    assert "producer_end failed" in caplog.text


def test_an_exception_of_the_input_is_raised_and_the_next_call_is_clean(
    start_anywhere: Start,
) -> None:
    def broken() -> Any:
        yield from range(100, 110)
        raise LookupError("no more")

    runner = start_anywhere(Squares, 2)
    for _ in range(5):
        with pytest.raises(LookupError, match="no more"):
            runner(broken())
        assert runner([1, 2, 3]) == [1, 4, 9]


def test_the_last_hook_of_the_consumer_rests_when_the_call_fails(start: Start) -> None:
    ended = []

    class Ending(OrderedRunner):
        @staticmethod
        def producer_work(device: Any, cfg: Any, data: Any) -> Any:
            return 1 / data

        @staticmethod
        def consumer_end(cfg: Any) -> Any:
            ended.append(1)

    runner = start(Ending, 1)
    with pytest.raises(ZeroDivisionError):
        runner([1, 0])
    assert ended == []


# -- things that cannot be pickled


def test_an_item_that_cannot_be_pickled_is_named(start: Start) -> None:
    runner = start(Echo, 2)
    with pytest.raises(ItemError, match="item 2 cannot be sent") as caught:
        runner([1, 2, lambda: None])
    assert caught.value.details == {"item": 2}
    assert caught.value.__cause__ is not None
    assert runner([1]) == [1]


def test_a_result_that_cannot_be_pickled_is_named(start: Start) -> None:
    runner = start(Obeying, 2)
    with pytest.raises(ItemError, match=r"result of item 1 .* cannot be sent back"):
        runner([1, "lambda", 3])
    assert runner([1]) == [10]


def test_an_item_that_cannot_be_unpickled_is_named(start_anywhere: Start) -> None:
    from tests.support.runners import Odd

    runner = start_anywhere(Echo, 2)
    with pytest.raises(ItemError, match=r"item 1 .* cannot be unpickled"):
        runner([1, Odd(), 3])
    assert runner([1]) == [1]


def test_a_result_that_cannot_be_unpickled_is_named(start: Start) -> None:
    runner = start(OddResults, 2)
    with pytest.raises(ItemError, match=r"result of item 3 .* cannot be unpickled"):
        runner(range(10))
    assert runner([1]) == [1]


# -- arguments


@pytest.mark.parametrize("devices", [0, -1, [], (), 2.5, None])
def test_devices_that_make_no_worker_are_refused(devices: Any) -> None:
    with pytest.raises(InvalidArgumentError, match="devices"):
        Squares(devices)


def test_a_string_is_one_device(start: Start) -> None:
    class Device(Collecting, OrderedRunner):
        @staticmethod
        def producer_work(device: Any, cfg: Any, data: Any) -> Any:
            return device

    assert start(Device, "cuda:0")(range(3)) == ["cuda:0"] * 3
    assert set(start(Device, (f"cuda:{n}" for n in range(2)))(range(9))) <= {"cuda:0", "cuda:1"}


def test_numbers_of_other_kinds_count_workers(start: Start) -> None:
    assert start(Squares, np.int64(2))([3]) == [9]


@pytest.mark.parametrize("scale", [0, -1.0, float("inf"), float("nan")])
def test_a_queue_scale_that_is_no_bound_is_refused(scale: float) -> None:
    with pytest.raises(InvalidArgumentError, match="queue_scale"):
        Squares(1, {}, scale)


def test_a_small_queue_scale_never_means_without_bound(start: Start) -> None:
    taken = []

    def items() -> Any:
        for number in range(100):
            taken.append(number)
            yield number

    runner = start(Squares, 2, {}, 0.1)
    stream = runner.imap(items())
    next(stream)
    assert len(taken) <= 4
    stream.close()


@pytest.mark.parametrize(
    "keywords",
    [{"timeout": 0}, {"on_error": "ignore"}, {"retries": -1}, {"start_method": "clone"}],
)
def test_options_that_make_no_sense_are_refused(keywords: Any) -> None:
    with pytest.raises(InvalidArgumentError):
        Squares(1, **keywords)


def test_an_unknown_executor_is_refused() -> None:
    with pytest.raises(InvalidArgumentError, match="executor 'moon'"):
        Squares(1, executor="moon")


def test_a_local_class_cannot_be_spawned_and_the_message_says_so() -> None:
    class Local(OrderedRunner):
        pass

    with pytest.raises(InvalidArgumentError, match="top level of a module"):
        Local(1, start_method="spawn")
    from tests.contract.runner.test_documented import stop_helpers_of_multiprocessing

    stop_helpers_of_multiprocessing()


# -- two users


def test_a_second_call_at_the_same_time_is_refused(start_anywhere: Start) -> None:
    runner = start_anywhere(Squares, 1)
    stream = runner.imap(range(100))
    next(stream)
    with pytest.raises(BusyError):
        runner([1])
    stream.close()
    assert runner([1]) == [1]


def test_of_two_threads_that_call_at_once_one_is_told_and_neither_gets_foreign_results(
    start: Start,
) -> None:
    runner = start(Squares, 2)
    told: list[Any] = []
    deadline = time.monotonic() + 20

    def is_enough() -> bool:
        seen = {type(one) for one in told}
        return (len(told) >= 200 and seen == {bool, BusyError}) or time.monotonic() > deadline

    def call(begin: int) -> None:
        items = range(begin, begin + 50)
        while not is_enough():
            try:
                told.append(runner(items) == [number * number for number in items])
            except BusyError as error:
                told.append(error)

    threads = [threading.Thread(target=call, args=(begin,)) for begin in (0, 1000)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(40)
    assert False not in told
    assert {type(one) for one in told} == {bool, BusyError}


def test_a_constructor_that_fails_leaves_no_noise_behind(
    capfd: pytest.CaptureFixture[str],
) -> None:
    with pytest.raises(InvalidArgumentError):
        Squares(-1)
    with pytest.raises(InvalidArgumentError):
        Squares(1, timeout=-1)
    gc.collect()
    assert capfd.readouterr().err == ""


def test_a_call_from_within_a_call_is_refused_and_not_waited_for(start: Start) -> None:
    caught: list[BaseException] = []

    class Again(OrderedRunner):
        @staticmethod
        def consumer_work(cfg: Any, data: Any) -> None:
            try:
                runner([1])
            except BusyError as error:
                caught.append(error)

    runner = start(Again, 1)
    runner([1])
    assert len(caught) == 1


# -- skip and retry


@pytest.mark.parametrize("kind", [Obeying, UnorderedObeying])
def test_skip_leaves_failed_items_out(start: Start, kind: Any) -> None:
    runner = start(kind, 2, on_error="skip")
    assert sorted(runner([1, "raise", 2, "lambda", 3])) == [10, 20, 30]
    assert runner.statistics.skipped == 2
    assert runner.statistics.results == 3


def test_retry_does_an_item_again(start_anywhere: Start, tmp_path: Any) -> None:
    runner = start_anywhere(Obeying, 2, on_error="retry")
    again = ("once", str(tmp_path / "done"), "raise")
    assert runner([1, again, 2]) == [10, "done", 20]
    assert runner.statistics.retried == 1


def test_retry_gives_up_after_so_many_times(start_anywhere: Start) -> None:
    runner = start_anywhere(Obeying, 2, on_error="retry", retries=3)
    with pytest.raises(ValueError, match="bad item"):
        runner([1, "raise", 2])
    assert runner.statistics.retried == 3
    assert runner([1]) == [10]


def test_a_big_item_is_whole_when_it_is_done_again(start_anywhere: Start, tmp_path: Any) -> None:
    class Spoiling(Collecting, OrderedRunner):
        @staticmethod
        def producer_work(device: Any, cfg: Any, data: Any) -> Any:
            total = int(data.sum())
            data[:] = 0
            if not (mark := tmp_path / str(total)).exists():
                mark.touch()
                raise ValueError("again")
            return total

    runner = start_anywhere(Spoiling, 2, on_error="retry")
    items = [np.full(100_000, n, np.uint8) for n in range(1, 9)]
    assert runner(items) == [100_000 * n for n in range(1, 9)]


@pytest.mark.parametrize("on_error", ["skip", "retry"])
def test_memory_of_items_is_used_again_under_every_policy(start: Start, on_error: Any) -> None:
    runner = start(Echo, 2, on_error=on_error)
    for _ in range(3):
        assert len(runner(np.zeros(1_000_000, np.uint8) for _ in range(30))) == 30
    arena = runner._crews[0]._arena
    assert sum(area.slab.size_bytes for area in arena.areas) <= 32_000_000


def test_options_of_a_call_replace_those_of_the_runner(start: Start) -> None:
    runner = start(Obeying, 1)
    assert runner([1, "raise"], on_error="skip") == [10]
    with pytest.raises(ValueError, match="bad item"):
        runner([1, "raise"])


# -- time


def test_a_call_that_takes_too_long_ends_with_a_timeout(start_anywhere: Start) -> None:
    runner = start_anywhere(Sleeper, 2, timeout=0.3)
    assert runner([0.0] * 2, timeout=30) == [0.0] * 2  # by then a worker is there
    since = time.monotonic()
    with pytest.raises(TimeoutError, match=r"not done after 0.3 s: 1 of 3 items"):
        runner([0.0, 30.0, 30.0])
    assert time.monotonic() - since < 1.3
    assert runner([0.0], timeout=30) == [0.0]  # with new workers


def test_a_stream_whose_next_result_takes_too_long_ends_with_a_timeout(
    start_anywhere: Start,
) -> None:
    runner = start_anywhere(Sleeper, 1, timeout=0.3)
    assert runner([0.0], timeout=30) == [0.0]  # by then the worker is there
    stream = runner.imap([0.0, 30.0])
    assert next(stream) == 0.0
    with pytest.raises(TimeoutError, match=r"no further result came within 0.3 s"):
        next(stream)
    assert runner([0.0], timeout=30) == [0.0]


# -- closing in the middle


def test_close_from_the_consumer_ends_the_call(start_anywhere: Start) -> None:
    class Closing(OrderedRunner):
        @staticmethod
        def consumer_work(cfg: Any, data: Any) -> None:
            runner.close()

    runner = start_anywhere(Closing, 2)
    with pytest.raises(ClosedError, match="closed during the call"):
        runner(range(100))


def test_errors_are_the_engines_own_where_the_user_raised_none(start: Start) -> None:
    with pytest.raises(EngineError):
        start(UnorderedSquares, 1)([lambda: None])
