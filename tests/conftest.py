"""Checks that hold for every test: nothing is left behind, and no unexpected warning is logged."""

import contextlib
import gc
import logging
import os
import signal
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest

GRACE_S = 3.0


@pytest.fixture(scope="session", autouse=True)
def ctrl_c_reaches_programs() -> None:
    """Undo what a shell does to programs in the background, so that those of tests get Ctrl-C."""
    if signal.getsignal(signal.SIGINT) == signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(scope="session", autouse=True)
def sockets_of_their_own() -> Iterator[None]:
    """Keep the tests' engines and device manager apart from those of the user."""
    before = os.environ.get("XDG_RUNTIME_DIR")
    with tempfile.TemporaryDirectory(prefix="pst-", ignore_cleanup_errors=True) as folder:
        os.environ["XDG_RUNTIME_DIR"] = folder
        yield
        from engine.manager import default_address, stop_manager

        stop_manager(default_address())
        if before is None:
            del os.environ["XDG_RUNTIME_DIR"]
        else:
            os.environ["XDG_RUNTIME_DIR"] = before


@pytest.fixture(autouse=True)
def nothing_is_left_behind(request: pytest.FixtureRequest) -> Iterator[None]:
    """Fail a test that leaves a thread, child process, descriptor or segment."""
    if request.node.get_closest_marker("leaks"):
        yield
        return
    before = _inventory()
    yield
    left = _left_over(before)
    deadline = time.monotonic() + GRACE_S
    while left and time.monotonic() < deadline:
        time.sleep(0.02)
        gc.collect()
        left = _left_over(before)
    if left:
        pytest.fail("left behind: " + "; ".join(sorted(left)), pytrace=False)


@pytest.fixture(autouse=True)
def no_unexpected_warning_is_logged(request: pytest.FixtureRequest) -> Iterator[None]:
    """Fail a test during which WARNING or worse was logged, unless marked `expected_log`."""
    records: list[logging.LogRecord] = []
    handler = _Collector(records)
    logging.getLogger().addHandler(handler)
    yield
    logging.getLogger().removeHandler(handler)
    if records and not request.node.get_closest_marker("expected_log"):
        told = "; ".join(f"{r.name}: {r.getMessage()}" for r in records[:5])
        pytest.fail(f"unexpected log records: {told}", pytrace=False)


class _Collector(logging.Handler):
    def __init__(self, records: list[logging.LogRecord]) -> None:
        super().__init__(logging.WARNING)
        self._records = records

    def emit(self, record: logging.LogRecord) -> None:
        self._records.append(record)


def _inventory() -> set[str]:
    found = {f"thread {t.name}" for t in threading.enumerate()}
    for pid in _descendants(os.getpid()):
        with contextlib.suppress(psutil.Error):
            found.add(f"process {pid} {' '.join(psutil.Process(pid).cmdline()[:6])}")
    return found | _segments() | _descriptors()


def _descendants(pid: int) -> set[int]:
    """Return the processes below one. psutil looks at all there are, which takes long."""
    tasks = Path(f"/proc/{pid}/task")
    try:
        lists = [(task / "children").read_text() for task in tasks.iterdir()]
    except FileNotFoundError:  # it has just ended, or the kernel keeps no such lists
        with contextlib.suppress(psutil.Error):
            return {child.pid for child in psutil.Process(pid).children(recursive=True)}
        return set()
    children = {int(word) for words in lists for word in words.split()}
    return children.union(*map(_descendants, children))


def _segments() -> set[str]:
    folder = Path("/dev/shm")
    if not folder.is_dir():
        return set()
    names = [path.name for path in folder.glob("penstock-*")]
    if not names:
        return set()
    own = {os.getpid(), *_descendants(os.getpid())}
    alive = {p for p in psutil.pids() if p not in own}
    return {f"segment {name}" for name in names if int(name.split("-")[1]) not in alive}


def _descriptors() -> set[str]:
    found = set()
    kinds = ["socket:", "pipe:", "/dev/shm/penstock"]
    if "PySide6.QtGui" not in sys.modules:
        # Qt's own thread pool for scaling pictures keeps its event descriptors for 30 s.
        kinds.append("anon_inode:[eventfd]")
    for entry in Path("/proc/self/fd").iterdir():
        try:
            target = str(entry.readlink())
        except OSError:
            continue
        if target.startswith(tuple(kinds)) or "pidfd" in target:
            found.add(f"descriptor {entry.name} {target}")
    return found


def _left_over(before: set[str]) -> set[str]:
    return _inventory() - before


@pytest.fixture
def poll_for() -> Callable[[Callable[[], object], float], None]:
    """Wait until a condition holds, or fail after a time."""

    def wait(condition: Callable[[], object], timeout_s: float = 5.0) -> None:
        deadline = time.monotonic() + timeout_s
        while not condition():
            if time.monotonic() > deadline:
                pytest.fail(f"did not become true within {timeout_s} s", pytrace=False)
            time.sleep(0.01)

    return wait
