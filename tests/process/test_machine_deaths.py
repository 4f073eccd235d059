"""Workers, parents and calls that end in every way there is: told at once, and nothing is left."""

import gc
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import numpy as np
import psutil
import pytest

import engine.errors
from engine.errors import BrokenError, WorkerDiedError
from engine.machine import PoolClosedError, ProcessPool, glob_remove, glob_store
from tests.contract.machine.conftest import stop_fork_server
from tests.support import machine_calls as calls

ROOT = Path(__file__).resolve().parents[2]
LIMIT_S = 1.0

WAYS = {
    "killed": (calls.die, (signal.SIGKILL,), "SIGKILL", None),
    "terminated": (calls.die, (signal.SIGTERM,), "SIGTERM", None),
    "segmentation fault": (calls.crash, (), "SIGSEGV", None),
    "exit": (calls.leave, (7,), "", 7),
    "exit at once": (calls.leave_at_once, (8,), "", 8),
}


METHODS = ["fork", *(pytest.param(m, marks=pytest.mark.slow) for m in ("spawn", "forkserver"))]


@pytest.fixture(params=METHODS)
def pool(request: pytest.FixtureRequest) -> Iterator[ProcessPool]:
    with ProcessPool(2, start_method=request.param) as made:
        made.map(calls.pid, range(20), 1)
        yield made
    made.join()
    if request.param == "forkserver":
        stop_fork_server()


@pytest.fixture
def forked() -> Iterator[ProcessPool]:
    with ProcessPool(2, start_method="fork") as made:
        yield made
    made.join()


# -- a worker dies


def test_a_death_is_told_within_a_second_and_harms_no_other_call(
    pool: ProcessPool, capfd: pytest.CaptureFixture[str]
) -> None:
    seconds: list[float] = []
    for name, (function, args, signal_name, exit_code) in WAYS.items():
        others = pool.map_async(calls.square, range(200), 1)
        begin = time.monotonic()
        with pytest.raises(WorkerDiedError) as caught:
            pool.apply(function, args)
        seconds.append(time.monotonic() - begin)
        details = caught.value.details
        assert (details["signal"], details["exit_code"]) == (signal_name, exit_code), name
        assert str(details["role"]).startswith("pool worker"), name
        assert function.__name__ in str(caught.value), name
        assert others.get(10) == [n * n for n in range(200)], name
    assert min(seconds) < LIMIT_S  # a busy machine may hold up some of them
    assert "these are my last words" in capfd.readouterr().err


def test_the_story_names_the_item_and_has_the_last_words(forked: ProcessPool) -> None:
    results = forked.imap(calls.die_at_one, [0, 1, 2])
    assert next(results) == 0
    with pytest.raises(WorkerDiedError, match=r"die_at_one, item 1; .*these are my last") as caught:
        next(results)
    assert caught.value.details["item"] == 1
    assert "these are my last words" in str(caught.value.details["stderr_tail"])
    assert next(results) == 2


def test_a_crash_in_native_code_tells_so(pool: ProcessPool) -> None:
    with pytest.raises(WorkerDiedError, match=r"SIGSEGV.*Fatal Python error: Seg") as caught:
        pool.apply(calls.crash)
    assert caught.value.details["signal"] == "SIGSEGV"


def test_a_map_ends_with_the_first_death(forked: ProcessPool) -> None:
    with pytest.raises(WorkerDiedError, match="item 1"):
        forked.map(calls.die_at_one, range(100), chunksize=1)
    assert forked.map(calls.square, [3]) == [9]


def test_an_idle_worker_that_dies_is_replaced_and_loses_nothing(pool: ProcessPool) -> None:
    for _ in range(3):
        os.kill(pool.pids[0], signal.SIGKILL)
        assert pool.map(calls.square, range(50), 1) == [n * n for n in range(50)]


def test_a_worker_killed_while_it_starts_is_replaced() -> None:
    with ProcessPool(1, start_method="spawn") as pool:
        os.kill(pool.pids[0], signal.SIGKILL)
        assert pool.map(calls.square, range(5)) == [0, 1, 4, 9, 16]


def test_every_item_is_done_once_or_told_while_workers_are_killed(forked: ProcessPool) -> None:
    done, lost = [], 0
    results = forked.imap(calls.identity, range(3000))
    while True:
        try:
            done.append(results.next(20))
        except WorkerDiedError:
            lost += 1
        except StopIteration:
            break
        if len(done) % 300 == 0:
            with suppress(ProcessLookupError):
                os.kill(forked.pids[0], signal.SIGKILL)
    assert done == sorted(set(done))
    assert len(done) + lost == 3000
    assert lost <= 10  # one at most for each kill


def test_workers_that_die_with_big_things_under_way_leave_none_behind(forked: ProcessPool) -> None:
    key = glob_store(np.ones(1_000_000))
    for _ in range(3):
        with pytest.raises(WorkerDiedError):
            forked.apply(calls.read_and_die, (key,))
        with pytest.raises(WorkerDiedError):
            forked.apply(calls.leave_at_once, (bytes(1_000_000),))
    assert forked.apply(calls.array_facts, (np.ones(100_000),))[0] == 100_000
    glob_remove(key)
    forked.terminate()
    assert calls.shared_files() == []


# -- workers that cannot start


BROKEN_MAIN = """
import sys
if __name__ != "__main__":
    sys.stderr.write("nothing works here\\n")
    sys.exit(5)
from engine.machine import ProcessPool
pool = ProcessPool(2, start_method="spawn")
try:
    pool.apply(abs, (1,))
except Exception as error:
    print(type(error).__name__, error.details["exit_code"], error)
try:
    pool.apply(abs, (1,))
except Exception as error:
    print(type(error).__name__)
"""


def test_workers_that_die_at_their_start_break_the_pool_instead_of_hanging(tmp_path: Path) -> None:
    script = tmp_path / "main.py"
    script.write_text(BROKEN_MAIN)
    done = subprocess.run(
        [sys.executable, str(script)], capture_output=True, text=True, timeout=30, check=True
    )
    first, second = done.stdout.splitlines()
    assert first.startswith("WorkerDiedError 5 pool worker")
    assert "while it started" in first
    assert "it said: nothing works here" in first
    assert issubclass(getattr(engine.errors, second), BrokenError)


# -- the pool ends


def test_terminating_takes_less_than_a_second_also_with_deaf_workers(
    forked: ProcessPool, tmp_path: Path, poll_for: Callable[..., None]
) -> None:
    marks = [tmp_path / "a", tmp_path / "b"]
    results = [forked.apply_async(calls.hold_on, (str(mark),)) for mark in marks]
    poll_for(lambda: all(mark.exists() for mark in marks))
    pids = forked.pids
    begin = time.monotonic()
    forked.terminate()
    assert time.monotonic() - begin < LIMIT_S
    assert not any(psutil.pid_exists(pid) for pid in pids)
    for result in results:
        with pytest.raises(PoolClosedError):
            result.get(0)


def test_a_pool_nobody_holds_any_more_ends(pool: ProcessPool) -> None:
    dropped = ProcessPool(2, start_method=pool.start_method)
    pids = dropped.pids
    dropped.map(calls.square, range(10))
    del dropped
    gc.collect()
    assert not any(psutil.pid_exists(pid) for pid in pids)


def test_opening_and_closing_pools_again_and_again_costs_nothing() -> None:
    def cycle() -> tuple[int, int]:
        with ProcessPool(2, start_method="fork") as pool:
            pool.map(calls.square, range(10))
        return len(list(Path("/proc/self/fd").iterdir())), threading.active_count()

    first = cycle()
    assert {cycle() for _ in range(15)} == {first}


# -- the parent ends


PARENT = """
import os, sys, time
from engine.machine import ProcessPool, process_pool, glob_store
from tests.support import machine_calls as calls

def stay(path):
    open(path, "w").close()
    time.sleep(1000)

if __name__ == "__main__":
    method, what, folder = sys.argv[1:]
    pool = ProcessPool(2, start_method=method)
    key = glob_store(bytes(1_000_000))
    pool.map(calls.read, [key] * 4, 1)
    print(*pool.pids, flush=True)
    if what == "idle":
        time.sleep(1000)
    if what == "busy":
        pool.map(stay, [folder + "/a", folder + "/b"], 1)
    if what == "exit":
        pool.map_async(stay, [folder + "/a", folder + "/b"], 1)
"""


Parent = subprocess.Popen[str]


def start_parent(tmp_path: Path, method: str, what: str) -> tuple[Parent, list[int]]:
    script = tmp_path / "parent.py"
    script.write_text(PARENT)
    parent = subprocess.Popen(
        [sys.executable, str(script), method, what, str(tmp_path)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        start_new_session=True,
    )
    assert parent.stdout is not None
    return parent, [int(word) for word in parent.stdout.readline().split()]


def all_gone(pids: list[int]) -> bool:
    return not any(_is_running(pid) for pid in pids)


def _is_running(pid: int) -> bool:
    try:
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


@pytest.mark.slow
@pytest.mark.parametrize("method", ["spawn", "fork", "forkserver"])
@pytest.mark.parametrize("what", ["idle", "busy"])
def test_a_killed_parent_takes_its_workers_along(
    tmp_path: Path, method: str, what: str, poll_for: Callable[..., None]
) -> None:
    parent, pids = start_parent(tmp_path, method, what)
    assert len(pids) == 2
    if what == "busy":
        poll_for(lambda: (tmp_path / "a").exists() and (tmp_path / "b").exists())
    parent.kill()
    parent.communicate(timeout=10)
    poll_for(lambda: all_gone(pids), 2.0)


@pytest.mark.parametrize("method", METHODS[:2])
def test_ctrl_c_ends_a_program_that_waits_for_its_pool(
    tmp_path: Path, method: str, poll_for: Callable[..., None]
) -> None:
    parent, pids = start_parent(tmp_path, method, "busy")
    poll_for(lambda: (tmp_path / "a").exists() and (tmp_path / "b").exists())
    os.killpg(parent.pid, signal.SIGINT)
    _, errors = parent.communicate(timeout=10)
    assert parent.returncode == -signal.SIGINT
    assert errors.count("KeyboardInterrupt") == 1
    poll_for(lambda: all_gone(pids), 1.0)


@pytest.mark.parametrize("method", METHODS)
def test_a_program_that_forgets_its_pool_ends_at_once_and_quietly(
    tmp_path: Path, method: str
) -> None:
    parent, pids = start_parent(tmp_path, method, "exit")
    _, errors = parent.communicate(timeout=10)
    assert (parent.returncode, errors) == (0, "")
    assert all_gone(pids)


# -- nothing is burnt


@pytest.mark.parametrize("method", ["fork", "spawn"])
def test_an_idle_pool_and_a_waiting_caller_use_no_processor_time(method: str) -> None:
    with ProcessPool(2, start_method=method) as pool:
        pool.map(calls.pid, range(4))
        workers = [psutil.Process(pid) for pid in pool.pids]

        def second_of_use() -> float:
            before = used_s(workers)
            threading.Event().wait(1.0)
            return used_s(workers) - before

        # a clock of hundredths for each of the three; native libraries spin for a while at first
        assert any(second_of_use() < 0.06 for _ in range(5))
        waiting = pool.apply_async(time.sleep, (0.5,))
        before = used_s(workers)
        waiting.get(10)
        assert used_s(workers) - before < 0.1
    pool.join()


def used_s(workers: list[psutil.Process]) -> float:
    """Return what they and the threads of Python here have used; not those of native libraries."""
    ours = {thread.native_id for thread in threading.enumerate()}
    here = [thread for thread in psutil.Process().threads() if thread.id in ours]
    return sum(thread.user_time + thread.system_time for thread in here) + sum(
        sum(worker.cpu_times()[:2]) for worker in workers
    )
