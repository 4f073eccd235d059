"""The interface of a pool, the same for processes, threads and none of them."""

import multiprocessing
import threading
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from engine.errors import InvalidArgumentError, RemoteError, WorkerDiedError
from engine.machine import (
    PoolClosedError,
    PoolOpenError,
    ProcessPool,
    ResultPendingError,
    ResultTimeoutError,
    ThreadPool,
)
from tests.support import machine_calls as calls

Pool = Any


def test_apply_passes_arguments_and_returns_the_result(pool: Pool) -> None:
    assert pool.apply(calls.add, (1, 2), {"c": 4}) == 7


def test_apply_raises_what_the_call_raised(pool: Pool) -> None:
    with pytest.raises(ValueError, match="refused 5"):
        pool.apply(calls.fail, (5,))


def test_apply_async_returns_a_result_to_wait_for(pool: Pool) -> None:
    result = pool.apply_async(calls.square, (3,))
    result.wait(10)
    assert result.ready()
    assert result.successful()
    assert result.get() == 9


def test_the_callback_gets_the_result_before_it_counts_as_ready(pool: Pool) -> None:
    got: list[int] = []
    result = pool.apply_async(calls.square, (3,), callback=got.append)
    result.wait(10)
    assert got == [9]


def test_the_error_callback_gets_the_exception_and_get_raises_it(pool: Pool) -> None:
    got: list[BaseException] = []
    result = pool.apply_async(calls.fail, (3,), callback=got.append, error_callback=got.append)
    result.wait(10)
    assert [str(error) for error in got] == ["refused 3"]
    assert not result.successful()
    with pytest.raises(ValueError, match="refused 3"):
        result.get()


@pytest.mark.expected_log
def test_an_error_callback_that_raises_reaches_the_one_who_waits_and_nobody_else(
    pool: Pool,
) -> None:
    from engine.machine import raiser

    got: list[int] = []
    results = [
        pool.apply_async(calls.fail_at_three, (n,), callback=got.append, error_callback=raiser)
        for n in range(6)
    ]
    for number, result in enumerate(results):
        if number == 3:
            with pytest.raises(ValueError, match="refused 3"):
                result.wait(10)
        else:
            result.wait(10)
    assert sorted(got) == [0, 1, 2, 4, 5]
    assert pool.apply(calls.square, (2,)) == 4


def test_map_keeps_the_order(pool: Pool) -> None:
    assert pool.map(calls.square, range(200)) == [n * n for n in range(200)]


@pytest.mark.parametrize("chunksize", [1, 3, 100])
def test_map_cuts_into_chunks_of_any_size(pool: Pool, chunksize: int) -> None:
    assert pool.map(calls.square, range(10), chunksize) == [n * n for n in range(10)]


def test_map_takes_any_iterable_and_nothing_at_all(pool: Pool) -> None:
    assert pool.map(calls.square, (n for n in (1, 2))) == [1, 4]
    assert pool.map(calls.square, []) == []


def test_map_raises_the_first_error(pool: Pool) -> None:
    with pytest.raises(ValueError, match="refused 3"):
        pool.map(calls.fail_at_three, range(6), chunksize=1)


def test_map_async_calls_back_with_all_results(pool: Pool) -> None:
    got: list[list[int]] = []
    result = pool.map_async(calls.square, range(5), 2, callback=got.append)
    assert result.get(10) == [0, 1, 4, 9, 16]
    assert got == [[0, 1, 4, 9, 16]]


def test_map_async_calls_back_with_the_error(pool: Pool) -> None:
    got: list[BaseException] = []
    result = pool.map_async(calls.fail, range(5), error_callback=got.append)
    with pytest.raises(ValueError, match="refused"):
        result.get(10)
    assert len(got) == 1


def test_starmap_passes_the_elements_of_each_item(pool: Pool) -> None:
    assert pool.starmap(calls.add, [(1, 2), (3, 4), (5,)], chunksize=1) == [3, 7, 5]


def test_starmap_async_passes_the_elements_of_each_item(pool: Pool) -> None:
    assert pool.starmap_async(calls.add, [(1, 2), (3, 4)]).get(10) == [3, 7]


def test_imap_gives_results_in_order(pool: Pool) -> None:
    assert list(pool.imap(calls.square, range(50))) == [n * n for n in range(50)]
    assert list(pool.imap(calls.square, (n for n in range(50)), 7)) == [n * n for n in range(50)]


def test_imap_unordered_gives_every_result_once(pool: Pool) -> None:
    results = pool.imap_unordered(calls.square, (n for n in range(50)), 3)
    assert sorted(results) == [n * n for n in range(50)]


def test_imap_raises_an_error_in_its_place_and_goes_on(pool: Pool) -> None:
    results = pool.imap(calls.fail_at_three, range(5))
    assert [next(results) for _ in range(3)] == [0, 1, 2]
    with pytest.raises(ValueError, match="refused 3"):
        next(results)
    assert list(results) == [4]


def test_imap_raises_the_error_of_its_input_after_what_came_before(pool: Pool) -> None:
    results = pool.imap(calls.square, calls.failing_items())
    assert [next(results), next(results)] == [1, 4]
    with pytest.raises(LookupError, match="no third item"):
        next(results)


def test_imap_of_nothing_ends_at_once(pool: Pool) -> None:
    assert list(pool.imap(calls.square, [])) == []
    assert list(pool.imap_unordered(calls.square, iter([]))) == []


@pytest.mark.parametrize("name", ["map", "imap", "imap_unordered", "starmap"])
def test_a_chunk_size_below_one_is_refused(pool: Pool, name: str) -> None:
    with pytest.raises(InvalidArgumentError, match="chunksize must be at least 1, not 0"):
        getattr(pool, name)(calls.square, [(1,)], 0)


def test_leaving_by_exit_is_an_error_of_that_call_alone(new_pool: Pool) -> None:
    with pytest.raises(WorkerDiedError) as caught:
        new_pool.apply(calls.leave, (3,))
    assert caught.value.details["exit_code"] == 3
    assert new_pool.apply(calls.square, (2,)) == 4


def test_a_function_no_worker_can_import_works(pool: Pool) -> None:
    offset = 5

    def shifted(value: int) -> int:
        return offset + (shifted(value - 1) if value else 0)

    assert pool.map(shifted, [0, 1]) == [5, 10]
    assert pool.apply(lambda text: text.upper(), ("a",)) == "A"


# -- ends


def test_a_closed_pool_takes_no_more_work(new_pool: Pool) -> None:
    new_pool.close()
    for call in (new_pool.apply, new_pool.apply_async):
        with pytest.raises(PoolClosedError):
            call(calls.square, (1,))
    for call in (new_pool.map, new_pool.imap, new_pool.starmap_async):
        with pytest.raises(ValueError, match="closed"):
            call(calls.square, [1])


def test_a_closed_pool_still_does_what_it_was_given(new_pool: Pool) -> None:
    some = new_pool.map_async(calls.square, range(100), 1)
    stream = new_pool.imap(calls.square, (n for n in range(100)))
    new_pool.close()
    new_pool.join()
    assert some.get(0) == [n * n for n in range(100)]
    assert list(stream) == [n * n for n in range(100)]


def test_joining_an_open_pool_is_refused(new_pool: Pool) -> None:
    with pytest.raises(PoolOpenError, match="close it before joining"):
        new_pool.join()


def test_closing_terminating_and_joining_may_be_repeated(new_pool: Pool) -> None:
    for _ in range(2):
        new_pool.close()
        new_pool.terminate()
        new_pool.join()


def test_leaving_the_with_block_terminates(new_pool: Pool) -> None:
    with new_pool as same:
        assert same is new_pool
    with pytest.raises(PoolClosedError), new_pool:
        pytest.fail("a terminated pool was entered")


# -- what only real pools can show


REAL = [
    pytest.param(lambda: ThreadPool(2), id="threads"),
    pytest.param(lambda: ProcessPool(2, start_method="fork"), id="fork"),
]


@pytest.mark.parametrize("make", REAL)
def test_a_result_that_is_not_there_in_time_raises_and_can_be_had_later(
    make: Any, tmp_path: Path
) -> None:
    go = tmp_path / "go"
    with make() as pool:
        result = pool.apply_async(calls.wait_for_file, (str(go),))
        with pytest.raises(ResultPendingError):
            result.successful()
        with pytest.raises(multiprocessing.TimeoutError):
            result.get(0.05)
        stream = pool.imap(calls.wait_for_file, [str(go)])
        with pytest.raises(ResultTimeoutError):
            stream.next(0.05)
        go.touch()
        assert result.get(10) == str(go)
        assert stream.next(10) == str(go)


@pytest.mark.parametrize("make", REAL)
def test_terminating_wakes_everybody_who_waits(make: Any, tmp_path: Path) -> None:
    go = tmp_path / "go"
    with make() as pool:
        results = [pool.apply_async(calls.wait_for_file, (str(go),)) for _ in range(5)]
        stream = pool.imap(calls.wait_for_file, (str(go) for _ in range(5)))
        terminator = threading.Timer(0.05, pool.terminate)
        terminator.start()
        for result in results:
            with pytest.raises(PoolClosedError):
                result.get(10)
        with pytest.raises(PoolClosedError):
            list(stream)
        terminator.join()
        go.touch()


@pytest.mark.parametrize("make", REAL)
def test_a_slow_call_holds_up_no_other(make: Any, tmp_path: Path) -> None:
    go = tmp_path / "go"
    with make() as pool:
        pool.map(calls.square, range(1000), 1)
        slow = pool.apply_async(calls.wait_for_file, (str(go),))
        others = [pool.apply_async(calls.square, (n,)) for n in range(100)]
        assert [other.get(10) for other in others] == [n * n for n in range(100)]
        assert not slow.ready()
        go.touch()
        slow.get(10)


@pytest.mark.parametrize("make", REAL)
def test_an_endless_input_is_taken_as_work_proceeds(make: Any) -> None:
    taken = []

    def endless() -> Any:
        number = 0
        while True:
            taken.append(number)
            yield number
            number += 1

    with make() as pool:
        results = pool.imap(calls.square, endless())
        assert [next(results) for _ in range(10)] == [n * n for n in range(10)]
        results.abandon()


@pytest.mark.parametrize("make", REAL)
def test_a_very_long_range_costs_no_memory_and_no_wait(make: Any) -> None:
    with make() as pool:
        results = pool.imap(calls.square, range(10**9), 100)
        assert [next(results) for _ in range(500)] == [n * n for n in range(500)]
        results.abandon()


def test_two_calls_that_need_each_other_run_at_the_same_time(tmp_path: Path) -> None:
    a, b = str(tmp_path / "a"), str(tmp_path / "b")
    with ProcessPool(2, start_method="fork") as pool:
        pool.map(calls.square, range(1000), 1)  # tasks lie far ahead in the workers' lines now
        results = pool.starmap_async(calls.touch_and_wait, [(a, b), (b, a)], chunksize=1)
        assert results.get(10) == [b, a]


def test_a_pool_of_processes_is_a_pool_of_multiprocessing() -> None:
    assert issubclass(ProcessPool, multiprocessing.pool.Pool)
    assert issubclass(ThreadPool, multiprocessing.pool.Pool)


def test_the_traceback_of_the_worker_is_the_cause(workers: ProcessPool) -> None:
    with pytest.raises(ValueError, match="refused 1") as caught:
        workers.apply(calls.fail, (1,))
    assert "machine_calls.py" in str(caught.value.__cause__)


def test_what_cannot_travel_is_an_error_of_that_call_alone(workers: ProcessPool) -> None:
    with pytest.raises(TypeError, match="cannot pickle"):
        workers.apply(calls.identity, ((n for n in (1,)),))
    with pytest.raises(RemoteError, match="generator, cannot be sent back"):
        workers.apply(calls.make_unpicklable)
    with pytest.raises(ValueError, match="cannot be rebuilt"):
        workers.apply(calls.identity, (calls.Unloadable(),))
    with pytest.raises(RemoteError, match="cannot be read here"):
        workers.apply(calls.make_unloadable)
    with pytest.raises(RemoteError, match="StubbornError: stubborn"):
        workers.apply(calls.error_that_cannot_travel)
    assert workers.apply(calls.square, (3,)) == 9


def test_big_arguments_and_results_arrive_whole_and_writable(workers: ProcessPool) -> None:
    import numpy as np

    arrays = [np.full((300, 1000), n, np.float64) for n in range(5)]
    assert workers.map(calls.array_facts, arrays, 1) == [
        (300_000.0 * n, True, "float64") for n in range(5)
    ]
    back = workers.map(calls.identity, arrays, 2)
    for sent, got in zip(arrays, back, strict=True):
        np.testing.assert_array_equal(sent, got)
        got[0, 0] = 7
    assert workers.apply(calls.make_zeros, (3_000_000,)) == bytes(3_000_000)


def test_waiting_in_a_callback_is_refused_instead_of_hanging(workers: ProcessPool) -> None:
    from engine.errors import BusyError

    told: list[BaseException] = []

    def wait_there(_: int) -> None:
        try:
            workers.apply(calls.square, (2,))
        except BusyError as error:
            told.append(error)

    workers.apply_async(calls.square, (1,), callback=wait_there).get(10)
    assert len(told) == 1


def test_native_libraries_use_one_thread_in_workers_only(workers: ProcessPool) -> None:
    before = calls.blas_threads()
    assert workers.apply(calls.blas_threads) == ("1", 1)
    assert calls.blas_threads() == before


@pytest.mark.parametrize("start_method", ["fork", "spawn"])
def test_workers_begin_when_opencv_has_threads_of_its_own_here(start_method: str) -> None:
    import cv2

    before = cv2.getNumThreads()
    cv2.setNumThreads(4)
    try:
        cv2.resize(np.zeros((2000, 2000, 3), np.uint8), (1999, 1999))  # starts them
        with ProcessPool(2, start_method=start_method) as pool:
            assert pool.apply_async(calls.square, (3,)).get(20) == 9
        assert cv2.getNumThreads() == 4
    finally:
        cv2.setNumThreads(before)
