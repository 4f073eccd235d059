"""The pools a program shares, switching parallelism off, and the small tools."""

import contextvars
import logging
import multiprocessing.pool
import pickle
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

import engine.machine
from engine.errors import InvalidArgumentError
from engine.machine import (
    Counter,
    FakePool,
    ProcessPool,
    glob_remove,
    glob_store,
    no_parallel,
    parallel_enabled,
    process_pool,
    raiser,
    thread_pool,
)
from engine.machine.processes import cpu_count
from tests.support import machine_calls as calls
from tests.support.machine_calls import shared_files

pytestmark = pytest.mark.usefixtures("shared_pools")


def test_process_pool_is_parallel_with_as_many_processes_as_cpus() -> None:
    pool = process_pool()
    assert isinstance(pool, multiprocessing.pool.Pool)
    assert isinstance(pool, ProcessPool)
    assert len(pool.pids) == cpu_count()
    assert process_pool() is pool
    assert pool.apply(calls.pid) in pool.pids


def test_a_new_pool_replaces_the_old_one_which_still_does_its_work() -> None:
    old = process_pool()
    results = old.map_async(calls.square, range(100), 1)
    new = process_pool(new=True)
    assert new is not old
    assert process_pool() is new
    assert results.get(10) == [n * n for n in range(100)]
    old.join()


def test_closing_the_shared_pool_makes_the_next_call_give_another() -> None:
    pool = process_pool()
    pool.close()
    assert process_pool() is not pool
    pool.join()
    threads = thread_pool()
    threads.terminate()
    assert thread_pool().apply(calls.square, (3,)) == 9
    threads.join()


def test_thread_pool_runs_in_threads_of_this_process() -> None:
    pool = thread_pool()
    assert isinstance(pool, multiprocessing.pool.Pool)
    assert pool.apply(threading.current_thread) is not threading.current_thread()
    assert thread_pool() is pool


def test_a_worker_gets_fake_pools() -> None:
    assert process_pool().apply(calls.nested_pool_is_fake) == (True, False, [1, 4, 9])
    assert isinstance(thread_pool().apply(thread_pool), FakePool)


def test_no_parallel_gives_fake_pools_while_it_lasts() -> None:
    assert parallel_enabled()
    with no_parallel():
        assert not parallel_enabled()
        assert isinstance(process_pool(), FakePool)
        assert isinstance(process_pool(new=True), FakePool)
        assert isinstance(thread_pool(), FakePool)
        with no_parallel():
            assert not parallel_enabled()
        assert not parallel_enabled()
    assert parallel_enabled()


def test_no_parallel_ends_with_an_exception() -> None:
    with pytest.raises(ValueError, match="out"), no_parallel():
        raise ValueError("out")
    assert parallel_enabled()


def test_no_parallel_is_not_seen_by_other_contexts() -> None:
    with no_parallel(), ThreadPoolExecutor(1) as other:
        assert other.submit(parallel_enabled).result()
        assert contextvars.Context().run(parallel_enabled)
        assert not contextvars.copy_context().run(parallel_enabled)


def test_shared_memory_goes_with_the_last_pool() -> None:
    key = glob_store(bytes(4_000_000))
    with ProcessPool(1, start_method="spawn") as pool:
        pool.apply(calls.read, (key,))
        assert shared_files()
    assert not shared_files()
    glob_remove(key)


def test_counter_logs_each_time_a_multiple_is_met_or_passed(
    caplog: pytest.LogCaptureFixture,
) -> None:
    counter = Counter(print_every=10, print_message="at {} now")
    with caplog.at_level(logging.INFO):
        for step in (9, 1, 35, 4, 1):
            counter.increment(step)
    assert caplog.messages == ["at 10 now", "at 45 now", "at 50 now"]
    assert counter.count == 50


def test_counter_is_exact_with_many_threads() -> None:
    counter = Counter(print_every=10**9)
    with ThreadPoolExecutor(8) as threads:
        list(threads.map(lambda _: [counter.increment() for _ in range(500)], range(8)))
    assert counter.count == 4000


def test_counter_can_be_pickled_and_refuses_to_print_every_zeroth() -> None:
    counter = Counter(5)
    counter.increment(3)
    again: Counter = pickle.loads(pickle.dumps(counter))
    again.increment(1)
    assert (again.count, counter.count) == (4, 3)
    with pytest.raises(InvalidArgumentError, match="at least 1, not 0"):
        Counter(print_every=0)


def test_raiser_raises() -> None:
    with pytest.raises(KeyError, match="x"):
        raiser(KeyError("x"))


def test_every_published_name_is_there() -> None:
    published = {
        "Counter", "FakePool", "glob_read", "glob_remove", "glob_store", "glob_store_attributes",
        "glob_update", "no_parallel", "parallel_enabled", "process_pool", "raiser", "thread_pool",
    }  # fmt: skip
    assert published <= set(engine.machine.__all__)
    assert all(callable(getattr(engine.machine, name)) for name in engine.machine.__all__)


def test_importing_starts_nothing_and_changes_no_environment() -> None:
    script = (
        "import os, sys, threading\n"
        "before = dict(os.environ)\n"
        "from engine.machine import *\n"
        "print(threading.active_count(), dict(os.environ) == before, 'numpy' in sys.modules)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True
    )
    assert done.stdout.split()[:2] == ["1", "True"]


UNGUARDED = """
from engine.machine import process_pool
print(process_pool().map(abs, [-1]))
"""

INTERACTIVE = """
from engine.machine import process_pool, glob_store, glob_read
pool = process_pool()
pool.map(abs, range(4))
factor = 3
def later(x):
    return factor * x if x < 5 else later(x - 5)
print(pool.map(later, [1, 2, 8]))
key = glob_store("kept")
print(pool.apply(lambda: glob_read(key)))
"""


def run_script(script: str, *, is_file: bool, tmp_path: Any) -> subprocess.CompletedProcess[str]:
    path = tmp_path / "script.py"
    path.write_text(script)
    how = [str(path)] if is_file else ["-c", script]
    return subprocess.run(
        [sys.executable, *how], capture_output=True, text=True, timeout=30, check=False
    )


def test_a_main_program_without_guard_is_told_how_to_help_itself(tmp_path: Any) -> None:
    done = run_script(UNGUARDED, is_file=True, tmp_path=tmp_path)
    assert done.returncode == 1
    assert 'if __name__ == "__main__":' in done.stderr


def test_a_main_program_that_came_from_a_pipe_works() -> None:
    command = [sys.executable, "-"]
    done = subprocess.run(
        command, input=INTERACTIVE, capture_output=True, text=True, timeout=30, check=True
    )
    assert done.stdout.splitlines() == ["[3, 6, 9]", "kept"]


def test_functions_of_an_interactive_session_defined_later_work(tmp_path: Any) -> None:
    done = run_script(INTERACTIVE, is_file=False, tmp_path=tmp_path)
    assert done.stdout.splitlines() == ["[3, 6, 9]", "kept"], done.stderr
    assert done.stderr == ""
