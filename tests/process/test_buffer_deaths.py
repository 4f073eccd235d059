"""Commander, producers and parent end in every way, at every stage; nobody waits in vain."""

import gc
import os
import re
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import psutil
import pytest

from engine.buffer import Producer
from engine.errors import (
    ClosedError,
    EngineError,
    InvalidArgumentError,
    RemoteError,
    WorkerDiedError,
)
from tests.support.buffer_users import (
    Counting,
    Filling,
    LargeMessages,
    Trouble,
    TroubledCommander,
    TroubledProducer,
    buffer,
    indices,
)
from tests.support.child_processes import child_processes

ROOT = Path(__file__).resolve().parents[2]
DEATHS = {
    "_exit": ("ended with exit code 7", "", 7),
    "_exit 0": ("ended normally", "", 0),
    "segfault": ("was killed by SIGSEGV", "SIGSEGV", None),
    "abort": ("was killed by SIGABRT", "SIGABRT", None),
    "kill": ("was killed by SIGKILL", "SIGKILL", None),
}


def troubled(role: str, stage: str, kind: str) -> dict[str, Any]:
    if role == "commander":
        return {"commander": TroubledCommander(stage, Trouble(kind))}
    return {"producer": TroubledProducer(stage, Trouble(kind))}


def take_all(iterator: Any) -> tuple[list[int], EngineError]:
    """Everything up to the error."""
    got: list[int] = []
    try:
        while len(got) < 10_000:
            got += indices(iterator, 1)
    except EngineError as error:
        return got, error
    pytest.fail("no error came")


# -- workers


@pytest.mark.parametrize("deterministic", [True, False])
@pytest.mark.parametrize("kind", DEATHS)
@pytest.mark.parametrize("stage", ["build", "work"])
@pytest.mark.parametrize("role", ["commander", "producer"])
def test_a_death_is_told_with_role_signal_and_last_words(
    role: str, stage: str, kind: str, deterministic: bool
) -> None:
    sentence, name, code = DEATHS[kind]
    with buffer(**troubled(role, stage, kind), deterministic=deterministic) as iterator:
        begin = time.monotonic()
        _, error = take_all(iterator)
        assert isinstance(error, WorkerDiedError)
        assert time.monotonic() - begin < 5.0  # the suite's machine may be busy
        assert sentence in error.message
        assert re.match(rf"{role}( \d)? \(process \d+\) ", error.message)
        assert error.details["signal"] == name
        assert error.details["exit_code"] == code
        assert "last words" in str(error.details["stderr_tail"])
        if stage == "build":
            assert "in build()" in error.message
        else:
            assert "at message 3" in error.message
            assert error.details["frame"] == 3
        with pytest.raises(WorkerDiedError):  # again, not another one and not for ever
            next(iterator)


@pytest.mark.parametrize("deterministic", [True, False])
@pytest.mark.parametrize("kind", ["raise", "exit"])
@pytest.mark.parametrize("stage", ["build", "work"])
@pytest.mark.parametrize("role", ["commander", "producer"])
def test_an_exception_is_raised_with_the_workers_traceback(
    role: str, stage: str, kind: str, deterministic: bool
) -> None:
    with buffer(**troubled(role, stage, kind), deterministic=deterministic) as iterator:
        got, error = take_all(iterator)
        assert isinstance(error, RemoteError)
        text = "ValueError: boom" if kind == "raise" else "it called sys.exit(3)"
        assert text in error.message
        assert error.details["kind"] == ("ValueError" if kind == "raise" else "SystemExit")
        assert "in __call__" in str(error.__cause__)
        if stage == "work" and deterministic:
            assert got == [0, 1, 2]
        with pytest.raises(RemoteError, match="failed in"):
            next(iterator)


def test_what_was_commanded_before_the_commander_failed_is_delivered() -> None:
    commander = TroubledCommander("work", Trouble("raise"), at=7)
    with buffer(commander, deterministic=False) as iterator:
        got, error = take_all(iterator)
    assert sorted(got) == list(range(7))
    assert "commander failed in create_message at message 7" in error.message


@pytest.mark.parametrize("deterministic", [True, False])
@pytest.mark.parametrize("victim", [0, 1, 2])
def test_a_worker_that_waits_for_the_consumer_may_be_killed(
    victim: int, deterministic: bool
) -> None:
    with buffer(deterministic=deterministic) as iterator:
        indices(iterator, 30)
        os.kill(sorted(p.pid for p in child_processes())[victim], signal.SIGKILL)
        _, error = take_all(iterator)
        assert error.details["signal"] == "SIGKILL"
        assert "memory runs out" in error.message


def test_all_workers_may_be_killed_at_once() -> None:
    with buffer() as iterator:
        indices(iterator, 3)
        for child in child_processes():
            child.kill()
        assert isinstance(take_all(iterator)[1], WorkerDiedError)


@pytest.mark.parametrize("kind", ["raise", "kill"])
@pytest.mark.parametrize("stage", ["unpickle", "build", "work"])
@pytest.mark.parametrize("role", ["commander", "producer"])
@pytest.mark.slow
def test_new_interpreters_fail_like_forked_ones(role: str, stage: str, kind: str) -> None:
    with buffer(**troubled(role, stage, kind), context="spawn", cpus=1) as iterator:
        _, error = take_all(iterator)
        assert isinstance(error, RemoteError if kind == "raise" else WorkerDiedError)
        assert str(error.details["role"]).startswith(role)
        if stage == "unpickle":
            assert ("unpickling" if kind == "raise" else "while it started") in error.message


class Unsendable(Filling):
    def __init__(self) -> None:
        super().__init__()
        self.function = lambda: None


def test_a_producer_that_cannot_be_pickled_is_refused_and_nothing_is_started() -> None:
    with (
        pytest.raises(InvalidArgumentError, match="producer of type Unsendable cannot be sent"),
        buffer(producer=Unsendable(), context="spawn"),
    ):
        pytest.fail("it was started")


class UnsendableMessages(Counting):
    def create_message(self) -> Any:
        message = super().create_message()
        if message["index"] == 2:
            message["function"] = lambda: None
        return message


def test_a_message_that_cannot_be_pickled_ends_the_run_with_its_reason() -> None:
    with buffer(UnsendableMessages()) as iterator:
        got, error = take_all(iterator)
    assert got == [0, 1]
    assert "commander failed in packing its message at message 2" in error.message


# -- stopping


@pytest.mark.parametrize("kind", ["hang", "hang against SIGTERM"])
@pytest.mark.parametrize("stage", ["build", "work"])
@pytest.mark.parametrize("role", ["commander", "producer"])
def test_workers_that_hang_are_stopped_within_a_second(role: str, stage: str, kind: str) -> None:
    with buffer(**troubled(role, stage, kind), timeout_s=0.3) as iterator:
        with pytest.raises(TimeoutError):
            indices(iterator, 100)
        begin = time.monotonic()
        iterator.stop()
        assert time.monotonic() - begin < 1.5
        assert child_processes() == []


def test_stop_wakes_a_next_that_waits_in_another_thread() -> None:
    raised: list[BaseException] = []

    def take() -> None:
        try:
            indices(iterator, 100)
        except EngineError as error:
            raised.append(error)

    producer = TroubledProducer("work", Trouble("hang"))
    with buffer(producer=producer) as iterator:
        thread = threading.Thread(target=take)
        thread.start()
        while iterator.statistics.waits == 0 or iterator.statistics.delivered < 3:
            threading.Event().wait(0.01)
        iterator.stop()
        thread.join(5)
    assert [type(error) for error in raised] == [ClosedError]


def test_stop_may_be_called_by_many_threads_and_many_times() -> None:
    with buffer() as iterator:
        indices(iterator, 3)
        threads = [threading.Thread(target=iterator.stop) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(5)
        for _ in range(10):
            iterator.stop()
        with pytest.raises(ClosedError):
            next(iterator)


def test_stop_may_be_called_by_a_signal_handler_during_next() -> None:
    producer = TroubledProducer("work", Trouble("hang"))
    with buffer(producer=producer) as iterator:
        before = signal.signal(signal.SIGALRM, lambda *_: iterator.stop())
        try:
            signal.setitimer(signal.ITIMER_REAL, 0.3)
            with pytest.raises(ClosedError):
                indices(iterator, 100)
        finally:
            signal.signal(signal.SIGALRM, before)


def test_stop_with_large_unread_messages_is_quick() -> None:
    with buffer(LargeMessages()) as iterator:
        indices(iterator, 2)
        begin = time.monotonic()
        iterator.stop()
        assert time.monotonic() - begin < 1.5


def test_an_iterator_nobody_refers_to_stops_by_itself() -> None:
    with buffer() as iterator:
        indices(iterator, 3)
    manager = buffer()
    iterator = manager.__enter__()
    indices(iterator, 3)
    children = child_processes()
    manager.gen = None  # type: ignore[attr-defined]
    del iterator, manager
    gc.collect()
    assert psutil.wait_procs(children, 2)[1] == []


# -- interrupted calls


class InterruptedTestError(Exception):
    pass


def interrupt(_number: int, frame: Any) -> None:
    """Raise only inside our own code: what happens after a call's return is the caller's affair."""
    if frame is not None and "engine/buffer" in frame.f_code.co_filename:
        raise InterruptedTestError


@pytest.mark.parametrize("copy", [True, False])
@pytest.mark.parametrize("deterministic", [True, False])
def test_interrupted_calls_lose_nothing_and_repeat_nothing(deterministic: bool, copy: bool) -> None:
    length, interruptions, got = 3000, 0, []
    with buffer(Counting(length), deterministic=deterministic, copy=copy) as iterator:
        before = signal.signal(signal.SIGALRM, interrupt)
        try:
            signal.setitimer(signal.ITIMER_REAL, 0.0003, 0.0003)
            while len(got) < length:
                try:
                    data = next(iterator)
                except InterruptedTestError:
                    interruptions += 1
                    continue
                assert np.all(data[0] == data[0].flat[0])
                got.append(int(data[0].flat[0]))
        finally:
            signal.setitimer(signal.ITIMER_REAL, 0)
            signal.signal(signal.SIGALRM, before)
    assert (got if deterministic else sorted(got)) == list(range(length))
    assert interruptions > 0


# -- the parent

SCRIPT = """
import os, signal, sys, threading
from engine.errors import EngineError
from tests.support.buffer_users import (
    Counting, Filling, LargeMessages, Trouble, TroubledProducer, buffer, indices)
from engine.buffer import buffer_iterator_factory
import psutil

def start(commander=None, **more):
    return buffer_iterator_factory(
        cpus=2, buffer_shapes=((4, 3),), commander=commander or Counting(), producer=Filling(),
        context=sys.argv[1], deterministic=True, **more)

def tell():
    print(*(child.pid for child in psutil.Process().children()), flush=True)

if __name__ == "__main__":
"""


def run_script(body: str, context: str) -> subprocess.Popen[str]:
    code = SCRIPT + "".join(f"    {line}\n" for line in body.splitlines())
    return subprocess.Popen(
        [sys.executable, "-c", code, context],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )


def workers_of(process: subprocess.Popen[str]) -> list[psutil.Process]:
    assert process.stdout is not None
    found = []
    for pid in process.stdout.readline().split():
        try:
            found.append(psutil.Process(int(pid)))
        except psutil.NoSuchProcess:
            continue
    return found


def is_gone(workers: list[psutil.Process], timeout_s: float = 3.0) -> bool:
    """Orphans belong to another parent, so that nobody here can wait for them."""
    deadline = time.monotonic() + timeout_s
    while time.monotonic() < deadline:
        if not any(w.is_running() and w.status() != psutil.STATUS_ZOMBIE for w in workers):
            return True
        threading.Event().wait(0.02)
    return False


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM])
@pytest.mark.parametrize("context", ["fork", "spawn"])
@pytest.mark.parametrize("state", ["idle", "stuck"])
@pytest.mark.slow
def test_a_killed_parent_takes_its_workers_along(context: str, number: int, state: str) -> None:
    body = (
        "iterator = start()\nindices(iterator, 3)\ntell()\nthreading.Event().wait()"
        if state == "idle"
        else "manager = buffer(producer=TroubledProducer('work', Trouble('hang')), "
        "context=sys.argv[1])\niterator = manager.__enter__()\nindices(iterator, 2)\ntell()\n"
        "threading.Event().wait()"
    )
    process = run_script(body, context)
    workers = workers_of(process)
    assert len(workers) == 3
    process.send_signal(number)
    process.communicate(timeout=10)
    assert is_gone(workers)


@pytest.mark.parametrize("context", ["fork", "spawn"])
@pytest.mark.slow
def test_ctrl_c_ends_everything_without_noise(context: str) -> None:
    body = (
        "try:\n"
        "    with start() as iterator:\n"
        "        indices(iterator, 3)\n"
        "        tell()\n"
        "        while True: next(iterator)\n"
        "except KeyboardInterrupt:\n"
        "    print('interrupted')"
    )
    process = run_script(body, context)
    workers = workers_of(process)
    os.killpg(process.pid, signal.SIGINT)
    out, err = process.communicate(timeout=10)
    assert (out, err, process.returncode) == ("interrupted\n", "", 0)
    assert is_gone(workers)


@pytest.mark.parametrize(
    "end",
    ["", "raise ValueError('consumer')", "iterator.stop()", "del iterator", "sys.exit(0)"],
)
@pytest.mark.parametrize("context", ["fork", "spawn"])
@pytest.mark.slow
def test_a_program_that_ends_leaves_nothing(context: str, end: str) -> None:
    process = run_script(f"iterator = start()\nindices(iterator, 3)\ntell()\n{end}", context)
    workers = workers_of(process)
    _, err = process.communicate(timeout=10)
    assert process.returncode == (1 if end.startswith("raise") else 0)
    assert ("ValueError: consumer" in err) if end.startswith("raise") else err == ""
    assert is_gone(workers)


@pytest.mark.parametrize("context", ["fork", "spawn"])
@pytest.mark.slow
def test_a_program_ends_though_large_messages_were_never_read(context: str) -> None:
    """The original stays: it joins a thread that writes to a process which was ended."""
    process = run_script(
        "iterator = start(LargeMessages())\nnext(iterator)\ntell()\niterator.stop()",
        context,
    )
    workers = workers_of(process)
    _, err = process.communicate(timeout=10)
    assert (process.returncode, err) == (0, "")
    assert is_gone(workers)


@pytest.mark.slow
def test_a_missing_main_guard_is_said_in_so_many_words(tmp_path: Path) -> None:
    code = (
        "from tests.support.buffer_users import Counting, Filling, buffer, indices\n"
        "class Mine(Filling): pass\n"
        "with buffer(producer=Mine(), context='spawn') as iterator: indices(iterator, 3)\n"
    )
    file = tmp_path / "unguarded.py"
    file.write_text(code, encoding="utf-8")
    done = subprocess.run(
        [sys.executable, str(file)],
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )
    assert done.returncode == 1
    assert "if __name__ == '__main__':" in done.stderr.splitlines()[-1]


SHARING = """
import multiprocessing, sys
import numpy as np
from engine.buffer import Producer
from tests.support.buffer_users import Counting, buffer, indices

class Sharing(Producer):
    def __init__(self, context):
        self.lock, self.total = context.Lock(), context.Value("i", 0)
        self.told, self.tell = context.Pipe(duplex=False)
    def create_data(self, message):
        with self.lock:
            self.total.value += 1
        self.tell.send(message["index"])
        return np.full((4, 3), message["index"])

if __name__ == "__main__":
    producer = Sharing(multiprocessing.get_context(sys.argv[1]))
    with buffer(Counting(5), producer, context=sys.argv[1]) as iterator:
        print(indices(iterator, 5), producer.total.value)
        print(sorted(producer.told.recv() for _ in range(5)))
"""


@pytest.mark.parametrize("context", ["fork", "spawn"])
@pytest.mark.slow
def test_producers_may_have_locks_values_and_pipes_of_multiprocessing(
    context: str, tmp_path: Path
) -> None:
    file = tmp_path / "sharing.py"
    file.write_text(SHARING, encoding="utf-8")
    done = subprocess.run(
        [sys.executable, str(file), context],
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )
    assert done.stderr == ""
    assert done.stdout.splitlines() == ["[0, 1, 2, 3, 4] 5", "[0, 1, 2, 3, 4]"]


# -- what it costs


def cpu_s(processes: list[psutil.Process]) -> float:
    return sum(sum(process.cpu_times()[:2]) for process in processes)


@pytest.mark.parametrize("copy", [True, False])
def test_an_idle_buffer_uses_no_processor_time(
    copy: bool, poll_for: Callable[[Callable[[], object], float], None]
) -> None:
    with buffer(copy=copy) as iterator:
        indices(iterator, 3)
        poll_for(lambda: iterator.statistics.commanded >= 60, 5.0)
        workers = child_processes()
        before = cpu_s(workers)
        threading.Event().wait(0.5)
        assert cpu_s(workers) - before <= 0.02


def test_a_waiting_consumer_uses_no_processor_time() -> None:
    producer = TroubledProducer("work", Trouble("hang"), at=0)
    with buffer(producer=producer, timeout_s=0.5) as iterator:
        before = cpu_s([psutil.Process()])
        with pytest.raises(TimeoutError):
            next(iterator)
        assert cpu_s([psutil.Process()]) - before <= 0.1


@pytest.mark.slow
def test_many_buffers_one_after_the_other_leave_no_trace() -> None:
    def cycle() -> None:
        with buffer(cpus=1) as iterator:
            indices(iterator, 2)

    for _ in range(10):
        cycle()
    process = psutil.Process()
    before = process.num_fds(), process.num_threads()
    memory = process.memory_info().rss
    for _ in range(50):
        cycle()
    assert (process.num_fds(), process.num_threads()) == before
    assert process.memory_info().rss - memory < 5_000_000


class Printing(Producer):
    def create_data(self, message: Any) -> Any:
        print(f"making {message['index']}", file=sys.stderr)
        return np.zeros((4, 3), np.uint16)


def test_what_workers_print_is_shown(capsys: pytest.CaptureFixture[str]) -> None:
    with buffer(Counting(50), Printing()) as iterator:
        indices(iterator, 50)
    assert sorted(capsys.readouterr().err.splitlines()) == sorted(
        f"making {index}" for index in range(50)
    )
