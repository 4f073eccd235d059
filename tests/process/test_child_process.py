"""Child processes: every way they end, and every way they are ended."""

import json
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from engine.errors import EngineTimeoutError, WorkerDiedError
from engine.process import (
    Channel,
    ChildProcess,
    Outcome,
    is_same_process,
    start_time_of,
    wait_readable,
)

WAIT_FOR_EVER = "import threading; threading.Event().wait()"
LEAVE_WHEN_TOLD = """
import sys
from engine.process import Channel
channel = Channel.from_fd(int(sys.argv[1]))
channel.send_bytes(b"up")
channel.recv_bytes()
"""
STUBBORN = """
import signal, sys, threading
from engine.process import Channel
signal.signal(signal.SIGTERM, signal.SIG_IGN)
Channel.from_fd(int(sys.argv[1])).send_bytes(b"up")
threading.Event().wait()
"""


def python(code: str, *args: str) -> list[str]:
    return [sys.executable, "-c", code, *args]


def start_with_channel(code: str) -> tuple[ChildProcess, Channel]:
    ours, theirs = Channel.pair()
    with theirs:
        fd = theirs.fileno()
        child = ChildProcess("talker", python(code, str(fd)), pass_fds=[fd])
    assert ours.recv_bytes(10) == b"up"
    return child, ours


@pytest.mark.parametrize(
    ("code", "sentence"),
    [
        ("", "ended normally"),
        ("raise SystemExit(3)", "ended with exit code 3"),
        ("raise ValueError('bad frame')", "ended with exit code 1"),
        ("import os; os._exit(7)", "ended with exit code 7"),
        ("import os, signal; os.kill(os.getpid(), signal.SIGKILL)", "was killed by SIGKILL"),
        ("import os, signal; os.kill(os.getpid(), signal.SIGSEGV)", "was killed by SIGSEGV"),
        ("import os; os.abort()", "was killed by SIGABRT"),
    ],
)
def test_the_outcome_says_how_a_child_ended(code: str, sentence: str) -> None:
    with ChildProcess("worker", python(code)) as child:
        assert child.wait(10).sentence() == sentence
        assert child.poll() == child.wait(0)


def test_the_death_of_a_worker_is_told_with_its_last_words() -> None:
    with ChildProcess("driver host of cam1", python("raise ValueError('bad frame')")) as child:
        error = child.died(10)
        assert isinstance(error, WorkerDiedError)
        assert error.message == (
            f"driver host of cam1 (process {child.pid}) ended with exit code 1: "
            "ValueError: bad frame"
        )
        assert error.details["exit_code"] == 1
        assert error.details["signal"] == ""
        assert "Traceback" in str(error.details["stderr_tail"])
    assert child.died().message == error.message  # also after close


def test_a_crash_in_native_code_leaves_its_story() -> None:
    code = "import faulthandler; faulthandler._sigsegv()"
    with ChildProcess("worker", python(code)) as child:
        error = child.died(10)
    assert error.details["signal"] == "SIGSEGV"
    assert error.message.endswith("was killed by SIGSEGV: Fatal Python error: Segmentation fault")


def test_a_child_that_only_fell_silent_is_told_from_a_dead_one() -> None:
    with ChildProcess("worker", python(WAIT_FOR_EVER)) as child:
        assert "closed its channel but is still running" in child.died(0).message


def test_the_sentinel_is_readable_exactly_when_the_child_has_ended() -> None:
    child, line = start_with_channel(LEAVE_WHEN_TOLD)
    with child, line:
        assert wait_readable([child.sentinel_fd], 0) == []
        line.send_bytes(b"leave")
        assert wait_readable([child.sentinel_fd], 10) == [child.sentinel_fd]
        assert child.wait(0).is_clean


def test_without_a_kernel_descriptor_a_thread_watches_the_child(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.delattr(os, "pidfd_open")
    child, line = start_with_channel(LEAVE_WHEN_TOLD)
    with child, line:
        assert f"sentinel-{child.pid}" in {thread.name for thread in threading.enumerate()}
        with pytest.raises(EngineTimeoutError):
            child.wait(0)
        line.send_bytes(b"leave")
        assert child.wait(10).is_clean


def test_a_wait_that_takes_too_long_names_the_child() -> None:
    with ChildProcess("slow worker", python(WAIT_FOR_EVER)) as child:
        assert child.poll() is None
        with pytest.raises(EngineTimeoutError, match=r"slow worker \(process \d+\) .* 0\.01 s"):
            child.wait(0.01)


def test_stop_asks_first() -> None:
    child, line = start_with_channel(LEAVE_WHEN_TOLD)
    with child, line:
        assert child.stop(ask=lambda: _send(line), grace_s=10) == Outcome(exit_code=0)


def _send(line: Channel) -> None:
    assert line.send_bytes(b"leave")


def test_stop_terminates_a_child_that_was_not_asked() -> None:
    with ChildProcess("worker", python(WAIT_FOR_EVER)) as child:
        assert child.stop(terminate_s=10) == Outcome(signal_name="SIGTERM")


def test_stop_kills_a_child_that_neither_answers_nor_obeys() -> None:
    child, line = start_with_channel(STUBBORN)
    with child, line:
        asked: list[bool] = []
        outcome = child.stop(ask=lambda: asked.append(True), grace_s=0.05, terminate_s=0.05)
        assert outcome == Outcome(signal_name="SIGKILL")
        assert asked == [True]


def test_stop_goes_on_when_there_is_nobody_left_to_ask() -> None:
    child, line = start_with_channel(STUBBORN)
    line.close()
    with child:
        outcome = child.stop(ask=lambda: _send(line), grace_s=0, terminate_s=0.05)
        assert outcome == Outcome(signal_name="SIGKILL")


def test_stopping_twice_or_after_the_end_changes_nothing() -> None:
    asked: list[bool] = []
    with ChildProcess("worker", python("raise SystemExit(4)")) as child:
        child.wait(10)
        for _ in range(2):
            assert child.stop(ask=lambda: asked.append(True)) == Outcome(exit_code=4)
    assert asked == []


def test_several_threads_may_stop_the_same_child() -> None:
    outcomes: list[Outcome] = []
    with ChildProcess("worker", python(WAIT_FOR_EVER)) as child:
        threads = [threading.Thread(target=lambda: outcomes.append(child.stop())) for _ in range(5)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(10)
    assert outcomes == [Outcome(signal_name="SIGTERM")] * 5


def test_close_ends_a_running_child_and_keeps_its_last_words() -> None:
    child, line = start_with_channel(
        "import sys; print('opened', file=sys.stderr, flush=True)\n" + LEAVE_WHEN_TOLD
    )
    with line:
        child.close()
        child.close()
    assert child.poll() == Outcome(signal_name="SIGTERM")
    assert child.stderr_tail() == "opened"
    assert child.sentinel_fd == -1


def test_a_flood_of_errors_blocks_nobody_and_only_its_end_is_kept() -> None:
    code = "import sys; sys.stderr.write('x' * 3_000_000 + 'the end')"
    with ChildProcess("chatterbox", python(code)) as child:
        assert child.wait(20).is_clean
        assert child.stderr_tail(100) == "x" * 93 + "the end"
        assert len(child.stderr_tail()) == 4096


def test_a_program_that_does_not_exist_gives_a_sentence() -> None:
    with pytest.raises(WorkerDiedError, match="camera host could not be started: /no/such/program"):
        ChildProcess("camera host", ["/no/such/program"])


def test_only_the_chosen_descriptors_are_passed_on() -> None:
    code = "import os; print(sorted(int(fd) for fd in os.listdir('/proc/self/fd')))"
    reading, writing = os.pipe()
    os.set_inheritable(writing, True)
    try:
        child = ChildProcess("lister", python(code), pass_fds=[reading], stdout=subprocess.PIPE)
        with child:
            assert child.stdout is not None
            listed = json.loads(child.stdout.read())
    finally:
        os.close(reading)
        os.close(writing)
    assert reading in listed
    assert writing not in listed


def test_variables_are_added_to_our_own(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PENSTOCK_TEST_OURS", "1")
    code = """
import os, sys
names = ("PENSTOCK_TEST_OURS", "PENSTOCK_TEST_GIVEN")
sys.exit(0 if [os.environ[name] for name in names] == ["1", "2"] else 1)
"""
    with ChildProcess("worker", python(code), env={"PENSTOCK_TEST_GIVEN": "2"}) as child:
        assert child.wait(10).is_clean


def test_the_last_log_records_of_a_killed_child_arrive() -> None:
    code = """
import logging, os, signal, sys
from engine.process import Channel, ForwardingHandler
channel = Channel.from_fd(int(sys.argv[1]))
logging.getLogger().addHandler(ForwardingHandler(channel.send_bytes, role="driver host"))
channel.send_bytes(b"up")
for number in range(50):
    logging.getLogger("driver.x").warning("record %d", number)
os.kill(os.getpid(), signal.SIGKILL)
"""
    child, line = start_with_channel(code)
    with child, line:
        assert child.wait(10).signal_name == "SIGKILL"
        records = [line.recv_bytes(1) for _ in range(50)]
    assert all(data and b"record %d" % number in data for number, data in enumerate(records))


def test_a_child_that_ended_but_was_not_collected_counts_as_gone() -> None:
    with ChildProcess("worker", python(WAIT_FOR_EVER)) as child:
        start = start_time_of(child.pid)
        assert start is not None
        os.kill(child.pid, signal.SIGKILL)
        assert wait_readable([child.sentinel_fd], 10)
        assert Path(f"/proc/{child.pid}").exists()
        assert start_time_of(child.pid) is None
        assert not is_same_process(child.pid, start)


LEAVER = """
import os, signal, sys
from engine.process import Channel, leave_with_parent
if sys.argv[3] == "deaf":
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
leave_with_parent(int(sys.argv[2]), grace_s=0.05)
Channel.from_fd(int(sys.argv[4])).send_bytes(b"begun")
channel = Channel.from_fd(int(sys.argv[1]))
channel.send_bytes(b"child is up")
while True:
    channel.send_bytes(channel.recv_bytes())
"""

MIDDLE = """
import os, sys, threading
from engine.process import Channel, ChildProcess
fd, thread, way, code = int(sys.argv[1]), sys.argv[2], sys.argv[3], sys.argv[4]
children = []
def start():
    ours, theirs = Channel.pair()
    begun_fd = theirs.fileno()
    argv = [sys.executable, "-c", code, str(fd), str(os.getpid()), way, str(begun_fd)]
    children.append(ChildProcess("grandchild", argv, pass_fds=[fd, begun_fd]))
    theirs.close()
    ours.recv_bytes(10)
if thread == "main":
    start()
else:
    worker = threading.Thread(target=start)
    worker.start()
    worker.join()
    while os.path.exists(f"/proc/self/task/{worker.native_id}"):
        threading.Event().wait(0.001)
Channel.from_fd(os.dup(fd)).send_bytes(b"up")
children[0].wait()
"""


@pytest.mark.parametrize("way", ["obedient", "deaf"])
@pytest.mark.parametrize("thread", ["main", "short-lived"])
def test_a_child_leaves_with_its_killed_parent_but_not_with_the_thread_that_started_it(
    thread: str, way: str
) -> None:
    ours, theirs = Channel.pair()
    with theirs:
        fd = theirs.fileno()
        middle = ChildProcess("middle", python(MIDDLE, str(fd), thread, way, LEAVER), pass_fds=[fd])
    with ours, middle:
        hellos = {ours.recv_bytes(10), ours.recv_bytes(10)}
        assert hellos == {b"up", b"child is up"}
        ours.send_bytes(b"still there?")
        assert ours.recv_bytes(10) == b"still there?"
        os.kill(middle.pid, signal.SIGKILL)
        _wait_for_the_end(ours)


def _wait_for_the_end(line: Channel) -> None:
    """Both the parent and the child hold the other end; it breaks when the last of them ends."""
    with pytest.raises(Exception, match="is gone"):
        line.recv_bytes(10)


def test_a_child_whose_parent_is_already_gone_leaves_at_once() -> None:
    code = "from engine.process import leave_with_parent; leave_with_parent(1)\n" + WAIT_FOR_EVER
    with ChildProcess("orphan", python(code)) as child:
        assert child.wait(10).signal_name == "SIGTERM"


def test_a_child_leaves_with_its_parent_where_the_kernel_has_no_descriptors(
    poll_for: Callable[..., None],
) -> None:
    code = "import os, signal\nif hasattr(os, 'pidfd_open'): del os.pidfd_open\n" + LEAVER
    ours, theirs = Channel.pair()
    with theirs:
        fd = theirs.fileno()
        argv = python(MIDDLE, str(fd), "short-lived", "obedient", code)
        middle = ChildProcess("middle", argv, pass_fds=[fd])
    with ours, middle:
        assert {ours.recv_bytes(10), ours.recv_bytes(10)} == {b"up", b"child is up"}
        os.kill(middle.pid, signal.SIGKILL)
        _wait_for_the_end(ours)
    poll_for(lambda: not Path(f"/proc/{middle.pid}").exists())
