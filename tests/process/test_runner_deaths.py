"""Runners whose workers, caller or parent are killed, stopped or interrupted, at every stage."""

import os
import pickle
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from engine.errors import ClosedError, EngineError, WorkerDiedError
from engine.process import is_same_process, start_time_of
from engine.runner import OrderedRunner
from tests.support.child_processes import child_processes
from tests.support.runners import (
    Collecting,
    Echo,
    Obeying,
    Sleeper,
    Squares,
    Staged,
    UnorderedObeying,
    UnorderedSquares,
)

Start = Callable[..., Any]
WAYS = {
    "system exit": ("exit_code", 3),
    "exit": ("exit_code", 7),
    "segfault": ("signal", "SIGSEGV"),
    "kill": ("signal", "SIGKILL"),
}


@pytest.fixture
def start() -> Iterator[Start]:
    made: list[Any] = []

    def make(kind: Callable[..., Any], *args: Any, **keywords: Any) -> Any:
        made.append(kind(*args, **keywords))
        return made[-1]

    yield make
    for runner in made:
        since = time.monotonic()
        runner.close()
        assert time.monotonic() - since < 1


def worker_pids() -> list[int]:
    return [process.pid for process in child_processes()]


# -- workers that die


@pytest.mark.parametrize("how", WAYS)
@pytest.mark.parametrize("kind", [Obeying, UnorderedObeying])
def test_a_worker_that_dies_at_an_item_ends_the_call_at_once(
    start: Start, kind: Any, how: str
) -> None:
    runner = start(kind, 2)
    since = time.monotonic()
    with pytest.raises(WorkerDiedError) as caught:
        runner([1, 2, how, 4, 5])
    assert time.monotonic() - since < 1
    detail, value = WAYS[how]
    assert caught.value.details[detail] == value
    assert caught.value.details["item"] == 2
    assert "worker" in str(caught.value.details["role"])
    assert caught.value.details["pid"] not in worker_pids()


@pytest.mark.parametrize("how", WAYS)
def test_a_runner_can_be_called_again_after_the_death_of_a_worker(start: Start, how: str) -> None:
    runner = start(Obeying, 2)
    for _ in range(2):
        with pytest.raises(WorkerDiedError):
            runner([1, how, 3])
        assert runner(range(5)) == [0, 10, 20, 30, 40]


@pytest.mark.parametrize("how", WAYS)
@pytest.mark.parametrize("stage", ["producer_init", "producer_work"])
def test_a_worker_that_dies_in_a_hook_is_told_with_the_stage(
    start: Start, stage: str, how: str
) -> None:
    runner = start(Staged, 2, {"fail_at": stage, "how": how})
    since = time.monotonic()
    with pytest.raises(WorkerDiedError, match="producer_init" if "init" in stage else "at item"):
        runner(range(4))
    assert time.monotonic() - since < 1


@pytest.mark.parametrize("how", WAYS)
def test_a_worker_that_dies_in_its_last_hook_does_not_hold_up_close(how: str) -> None:
    runner = Staged(2, {"fail_at": "producer_end", "how": how})
    runner([1])
    since = time.monotonic()
    runner.close()
    assert time.monotonic() - since < 1
    assert worker_pids() == []


@pytest.mark.expected_log
def test_a_worker_that_hangs_in_its_last_hook_is_killed_by_close() -> None:
    runner = Staged(2, {"fail_at": "producer_end", "how": "hang"})
    runner([1])
    since = time.monotonic()
    runner.close()
    assert time.monotonic() - since < 1
    assert worker_pids() == []


def test_the_last_words_of_a_worker_are_in_the_error_and_on_our_error_output(
    start: Start, capfd: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(WorkerDiedError, match="leaving now") as caught:
        start(Obeying, 1)(["exit"])
    assert caught.value.details["stderr_tail"] == "leaving now"
    assert "leaving now" in capfd.readouterr().err


def test_what_a_crash_in_native_code_leaves_is_in_the_error(start: Start) -> None:
    with pytest.raises(WorkerDiedError, match="Segmentation fault"):
        start(Obeying, 1)(["segfault"])


def test_output_of_workers_reaches_our_error_output(
    start: Start, capfd: pytest.CaptureFixture[str]
) -> None:
    runner = start(Obeying, 2)
    runner([("write", f"line {number}\n") for number in range(4)])
    runner.close()
    told = capfd.readouterr().err
    assert all(f"line {number}" in told for number in range(4))


def test_much_output_holds_nobody_up(start: Start, capfd: pytest.CaptureFixture[str]) -> None:
    runner = start(Obeying, 1)
    assert len(runner([("write", "x" * 50_000 + "\n")] * 20)) == 20
    assert len(capfd.readouterr().err) == 20 * 50_001


@pytest.mark.expected_log
def test_an_idle_worker_that_was_killed_is_replaced(start: Start, poll_for: Any) -> None:
    runner = start(Obeying, 2)
    runner([1, 2])
    for pid in worker_pids():
        os.kill(pid, signal.SIGKILL)
    poll_for(lambda: all(p.status() == "zombie" for p in child_processes()))
    assert runner([1, 2]) == [10, 20]


@pytest.mark.expected_log
@pytest.mark.parametrize("how", WAYS)
@pytest.mark.parametrize("kind", [Obeying, UnorderedObeying])
def test_retry_gives_the_item_of_a_dead_worker_to_another(
    start: Start, tmp_path: Path, kind: Any, how: str
) -> None:
    runner = start(kind, 2, on_error="retry")
    item = ("once", str(tmp_path / "mark"), how)
    results = runner([*range(20), item, *range(20)])
    assert sorted(map(str, results)) == sorted(map(str, [*range(0, 200, 10)] * 2 + ["done"]))
    assert runner.statistics.workers_lost == 1
    assert len(worker_pids()) == 2


@pytest.mark.expected_log
def test_retry_gives_up_an_item_that_kills_every_worker(start: Start) -> None:
    runner = start(Obeying, 2, on_error="retry", retries=2)
    with pytest.raises(WorkerDiedError, match="SIGKILL"):
        runner([1, "kill", 2])
    assert runner.statistics.workers_lost == 3


@pytest.mark.expected_log
@pytest.mark.parametrize("kind", [Obeying, UnorderedObeying])
def test_skip_leaves_only_the_deadly_items_out(start: Start, kind: Any) -> None:
    runner = start(kind, 2, on_error="skip")
    items = [*range(1000), "kill", *range(1000), "segfault", *range(1000)]
    assert sorted(runner(items)) == sorted([*range(0, 10_000, 10)] * 3)
    assert runner.statistics.skipped == 2


@pytest.mark.expected_log
def test_big_items_survive_the_death_of_a_worker(start: Start, tmp_path: Path) -> None:
    class Dying(Collecting, OrderedRunner):
        @staticmethod
        def producer_work(device: Any, cfg: Any, data: Any) -> Any:
            total = int(data.sum())
            data[:] = 0
            if total % 5 == 0 and not (mark := tmp_path / str(total)).exists():
                mark.touch()
                os.kill(os.getpid(), signal.SIGKILL)
            return total

    runner = start(Dying, 2, on_error="retry")
    items = [np.full(100_001, n, np.uint8) for n in range(1, 13)]
    assert runner(items) == [100_001 * n for n in range(1, 13)]


@pytest.mark.parametrize("how", WAYS)
def test_a_stream_tells_of_the_death_of_a_worker(start: Start, how: str) -> None:
    stream = start(Obeying, 2).imap([1, how, 3])
    since = time.monotonic()
    with pytest.raises(WorkerDiedError):
        list(stream)
    assert time.monotonic() - since < 1


def test_killing_all_workers_from_outside_ends_the_call(start: Start) -> None:
    runner = start(Sleeper, 2)
    pids = worker_pids()
    killer = threading.Timer(0.2, lambda: [os.kill(pid, signal.SIGKILL) for pid in pids])
    killer.start()
    since = time.monotonic()
    with pytest.raises(WorkerDiedError, match="SIGKILL"):
        runner([30.0] * 4)
    assert time.monotonic() - since < 1.2
    killer.join()


@pytest.mark.slow
@pytest.mark.expected_log
def test_nothing_is_lost_doubled_or_torn_while_workers_are_killed_at_random(start: Start) -> None:
    runner = start(Echo, 3, on_error="retry", retries=50)
    stop = threading.Event()

    def kill_now_and_then() -> None:
        rng = np.random.default_rng(1)
        while not stop.wait(float(rng.uniform(0.05, 0.15))):
            pids = worker_pids()
            if pids:
                os.kill(int(rng.choice(pids)), signal.SIGKILL)

    killer = threading.Thread(target=kill_now_and_then)
    killer.start()
    try:
        items = (np.full(50_000, n % 251, np.uint8) if n % 2 else n for n in range(1000))
        for number, result in enumerate(runner.imap(slowly(items))):
            value = result if isinstance(result, int) else int(result[0])
            assert value == (number % 251 if number % 2 else number)
            assert isinstance(result, int) or (result == result[0]).all()
    finally:
        stop.set()
        killer.join()
    assert number == 999
    assert runner.statistics.workers_lost > 1


def slowly(items: Any) -> Any:
    for item in items:
        threading.Event().wait(0.001)
        yield item


# -- closing


@pytest.mark.expected_log
@pytest.mark.parametrize("items", [[30.0] * 4, [0.0001] * 1_000_000])
def test_close_from_another_thread_ends_a_call(start: Start, items: Any) -> None:
    runner = start(Sleeper, 2, close_timeout=0.2)
    took = []

    def close() -> None:
        since = time.monotonic()
        runner.close()
        took.append(time.monotonic() - since)

    closer = threading.Timer(0.2, close)
    closer.start()
    with pytest.raises(ClosedError, match="closed during the call"):
        runner(items)
    closer.join()
    assert took[0] < 1
    assert worker_pids() == []


def test_close_from_many_threads_at_once_is_harmless() -> None:
    runner = Squares(2)
    threads = [threading.Thread(target=runner.close) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(2)
    assert worker_pids() == []


def test_close_with_big_results_that_nobody_takes(start: Start) -> None:
    runner = start(Echo, 2)
    stream = runner.imap(np.zeros(3_000_000, np.uint8) for _ in range(1000))
    next(stream)
    since = time.monotonic()
    runner.close()
    assert time.monotonic() - since < 1
    with pytest.raises(ClosedError):
        list(stream)


def test_close_while_the_consumer_never_returns(start: Start) -> None:
    go_on = threading.Event()

    class Stuck(OrderedRunner):
        @staticmethod
        def consumer_work(cfg: Any, data: Any) -> None:
            go_on.wait(10)

    runner = start(Stuck, 2)

    def call() -> None:
        with pytest.raises(ClosedError):
            runner(range(10))

    caller = threading.Thread(target=call)
    caller.start()
    threading.Event().wait(0.2)
    since = time.monotonic()
    runner.close()
    assert time.monotonic() - since < 1
    assert worker_pids() == []
    go_on.set()
    caller.join(5)
    assert not caller.is_alive()


def test_close_from_a_signal_handler_ends_the_call(start: Start) -> None:
    runner = start(Squares, 2)
    before = signal.signal(signal.SIGALRM, lambda *_: runner.close())
    try:
        signal.setitimer(signal.ITIMER_REAL, 0.2)
        with pytest.raises(ClosedError):
            runner(iter(lambda: 1, 2))  # without end
    finally:
        signal.signal(signal.SIGALRM, before)
    assert worker_pids() == []


# -- interrupted calls


class InterruptedCallError(Exception):
    """Raised by a signal handler."""


@pytest.fixture
def alarms() -> Iterator[Callable[[float], None]]:
    def interrupt(*_: object) -> None:
        raise InterruptedCallError

    before = signal.signal(signal.SIGALRM, interrupt)
    yield lambda seconds: signal.setitimer(signal.ITIMER_REAL, seconds) and None
    signal.setitimer(signal.ITIMER_REAL, 0)
    signal.signal(signal.SIGALRM, before)


def test_an_interrupted_call_leaves_nothing_behind_for_the_next(
    start: Start, alarms: Callable[[float], None]
) -> None:
    runner = start(Slow, 1, {}, 1.0)
    alarms(0.52)
    with pytest.raises(InterruptedCallError):
        runner(range(100, 200))
    assert runner([1, 2, 3]) == [1, 4, 9]
    assert runner([4, 5]) == [16, 25]


class Slow(Squares):
    @staticmethod
    def consumer_work(cfg: Any, data: Any) -> None:
        time.sleep(0.1 if data >= 10_000 else 0)
        cfg.collected.append(data)


@pytest.mark.slow
def test_interruptions_at_any_moment_leave_later_calls_right(
    start: Start, alarms: Callable[[float], None]
) -> None:
    rng = np.random.default_rng(3)
    runner = start(UnorderedSquares, 2)
    interrupted = 0
    for _ in range(150):
        big = bool(rng.integers(2))
        items = [np.full(40_000, 2, np.uint8)] * 60 if big else range(3000)
        alarms(float(rng.uniform(0.0002, 0.02)))
        try:
            try:
                runner(items)
            finally:  # where it may come as well
                signal.setitimer(signal.ITIMER_REAL, 0)
        except (InterruptedCallError, pickle.PicklingError):  # pickling may swallow the first
            interrupted += 1
        assert sorted(runner(range(5))) == [0, 1, 4, 9, 16]
    assert interrupted > 20


# -- the parent


SCRIPT = """
import os, sys, time
import numpy as np
from engine.runner import OrderedRunner

class Waiting(OrderedRunner):
    @staticmethod
    def producer_init(device, cfg):
        os.write(1, f"worker {os.getpid()}\\n".encode())  # whole, though two write at once
    @staticmethod
    def producer_work(device, cfg, data):
        time.sleep(data)
        return np.zeros(2_000_000, np.uint8)

def main():
    runner = Waiting(2, {}, start_method=sys.argv[2])
    runner([0.05] * 4)
    print("ready", flush=True)
    if sys.argv[1] == "working":
        runner([60.0] * 4)
    elif sys.argv[1] == "idle":
        time.sleep(60)
    elif sys.argv[1] == "end":
        runner([0.0])
    elif sys.argv[1] == "error":
        raise ValueError("unhandled")

if __name__ == "__main__":
    main()
"""


def run_script(tmp_path: Path, *args: str) -> tuple["subprocess.Popen[str]", list[int]]:
    """Start the script and return it with its workers' numbers once it is ready."""
    path = tmp_path / "script.py"
    path.write_text(SCRIPT)
    process = subprocess.Popen(
        [sys.executable, str(path), *args],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
        env={**os.environ, "PYTHONPATH": str(Path(__file__).resolve().parents[2])},
    )
    assert process.stdout is not None
    pids: list[int] = []
    told: set[str] = set()
    while len(pids) < 2 or "ready" not in told:
        words = process.stdout.readline().split()
        assert words, "the script ended early"
        told.add(words[0])
        pids += map(int, words[1:])
    return process, pids


def all_gone(pids: list[int], starts: list[int | None]) -> bool:
    return not any(
        begin is not None and is_same_process(pid, begin)
        for pid, begin in zip(pids, starts, strict=True)
    )


@pytest.mark.slow
@pytest.mark.parametrize(
    ("how", "doing", "method"),
    [
        (signal.SIGKILL, "working", "fork"),
        (signal.SIGKILL, "idle", "fork"),
        (signal.SIGTERM, "working", "fork"),
        (signal.SIGTERM, "idle", "fork"),
        (signal.SIGKILL, "working", "spawn"),
        (signal.SIGKILL, "idle", "spawn"),
        (signal.SIGKILL, "working", "forkserver"),
    ],
)
def test_workers_leave_with_a_killed_parent(
    tmp_path: Path, poll_for: Any, how: signal.Signals, doing: str, method: str
) -> None:
    process, pids = run_script(tmp_path, doing, method)
    starts = [start_time_of(pid) for pid in pids]
    assert len(pids) == 2
    process.send_signal(how)
    process.communicate(timeout=5)
    poll_for(lambda: all_gone(pids, starts), 2.0)
    assert not list(Path("/dev/shm").glob(f"penstock-{process.pid}-*"))


@pytest.mark.slow
@pytest.mark.parametrize("doing", ["working", "idle"])
def test_ctrl_c_ends_the_program_and_its_workers(tmp_path: Path, poll_for: Any, doing: str) -> None:
    process, pids = run_script(tmp_path, doing, "fork")
    starts = [start_time_of(pid) for pid in pids]
    os.killpg(process.pid, signal.SIGINT)
    since = time.monotonic()
    _, told = process.communicate(timeout=10)
    assert time.monotonic() - since < 3
    assert "KeyboardInterrupt" in told
    poll_for(lambda: all_gone(pids, starts), 2.0)


@pytest.mark.slow
@pytest.mark.parametrize(("doing", "code"), [("end", 0), ("error", 1)])
def test_a_program_that_never_closes_its_runner_ends_by_itself(
    tmp_path: Path, poll_for: Any, doing: str, code: int
) -> None:
    process, pids = run_script(tmp_path, doing, "fork")
    starts = [start_time_of(pid) for pid in pids]
    _, told = process.communicate(timeout=10)
    assert process.returncode == code
    assert ("unhandled" in told) == (doing == "error")
    poll_for(lambda: all_gone(pids, starts), 2.0)


def test_every_error_of_a_death_is_the_engines(start: Start) -> None:
    with pytest.raises(EngineError):
        start(UnorderedObeying, 1)(["kill"])
