"""Start a worker process: as a new interpreter, from multiprocessing's fork server, or by fork."""

import faulthandler
import multiprocessing
import os
import pickle
import signal
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import replace
from multiprocessing import reduction, spawn
from multiprocessing.context import BaseContext
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any

from engine.errors import WorkerDiedError
from engine.machine._memory import new_file
from engine.machine._native_threads import ONE_THREAD
from engine.machine._storage import storage
from engine.machine._store import Version
from engine.machine._wire import Line
from engine.machine._worker_loop import Plan, serve, settle
from engine.process import python_command
from engine.process.forking import without_opencv_threads

__all__ = ("start_by_context", "start_new_interpreter")

_ROOT = str(Path(__file__).resolve().parents[2])
_RESTORED = ("PYTHONPATH", "PYTHONSAFEPATH", "PYTHONFAULTHANDLER")


def start_new_interpreter(plan: Plan, stderr_fd: int) -> "subprocess.Popen[bytes]":
    """Start a worker that imports the main program like multiprocessing's "spawn" does."""
    fd = new_file()
    try:
        environment = {name: os.environ.get(name) for name in _RESTORED}
        preparation = spawn.get_preparation_data(f"worker {plan.index}")
        if not Path(preparation.get("init_main_from_path", _ROOT)).exists():
            del preparation["init_main_from_path"]  # it came from a pipe; its functions go as code
        preparation["authkey"] = bytes(preparation["authkey"])  # stays between us and the worker
        os.write(fd, pickle.dumps((plan, preparation, environment)))
        with _without_ctrl_c():
            return subprocess.Popen(
                python_command("engine.machine.worker_process", str(fd)),
                stdin=subprocess.DEVNULL,
                stderr=stderr_fd,
                pass_fds=(fd, plan.tasks_fd, plan.results_fd, plan.board_fd),
                env=_environment(),
            )
    except OSError as error:
        raise _not_started(plan, error) from error
    finally:
        os.close(fd)


def start_by_context(
    context: BaseContext, plan: Plan, stderr_fd: int, disown: Callable[[], None] | None
) -> BaseProcess:
    """Start a worker as multiprocessing's "fork" or "forkserver" does.

    Parameters
    ----------
    disown : closes what a fork must not keep open; None unless the context forks.
    """
    fds: Any = (plan.tasks_fd, plan.results_fd, plan.board_fd, stderr_fd)
    if disown is None:
        fds = tuple(_Sent(fd) for fd in fds)
    process: BaseProcess = context.Process(  # type: ignore[attr-defined]
        target=_begin, args=(plan, fds, disown), name=f"worker {plan.index}", daemon=True
    )
    try:
        with _without_ctrl_c(), without_opencv_threads() if disown else nullcontext():
            process.start()
    except OSError as error:
        raise _not_started(plan, error) from error
    return process


class _Sent:
    """A descriptor that travels with a process's arguments."""

    def __init__(self, fd: int) -> None:
        self._fd = fd

    def __reduce__(self) -> tuple[object, ...]:
        return _arrived, (reduction.DupFd(self._fd),)


def _arrived(duplicate: Any) -> int:  # noqa: ANN401 - multiprocessing's
    return int(duplicate.detach())


def _begin(plan: Plan, fds: tuple[int, int, int, int], disown: Callable[[], None] | None) -> None:
    """Be a worker: the first thing that a forked process does."""
    tasks_fd, results_fd, board_fd, stderr_fd = fds
    os.dup2(stderr_fd, 2)
    sys.stderr = open(2, "w", buffering=1, encoding="utf-8", errors="replace", closefd=False)  # noqa: SIM115
    faulthandler.enable(file=2)
    inherited: Sequence[tuple[int, Version]] = ()
    if disown is None:
        os.close(stderr_fd)
    else:
        disown()
        inherited = storage.disown()
    signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGINT})
    settle(plan)
    multiprocessing.current_process().daemon = False  # a task may start processes
    _reseed(plan.index)
    plan = replace(plan, tasks_fd=tasks_fd, results_fd=results_fd, board_fd=board_fd)
    tasks, results = (Line(socket.socket(fileno=fd)) for fd in (tasks_fd, results_fd))
    serve(plan, tasks, results, inherited)


def _reseed(index: int) -> None:
    """Give each worker random numbers of its own, which follow from the parent's seed.

    Python's own generator is seeded anew by every fork, NumPy's is not.
    """
    numpy: Any = sys.modules.get("numpy")
    if numpy is not None and "numpy.random" in sys.modules:
        state = numpy.random.get_state()[1]
        numpy.random.seed([int(word) for word in state[:8]] + [index])


def _environment() -> dict[str, str]:
    """Native libraries get one thread, and this very engine is found, whatever lies around."""
    path = os.pathsep.join(filter(None, (_ROOT, os.environ.get("PYTHONPATH", ""))))
    ours = {"PYTHONPATH": path, "PYTHONSAFEPATH": "1", "PYTHONFAULTHANDLER": "1"}
    return {**os.environ, **ONE_THREAD, **ours}


@contextmanager
def _without_ctrl_c() -> Iterator[None]:
    """Hold Ctrl-C back in a worker that is starting, until it has said that it ignores it."""
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _not_started(plan: Plan, error: OSError) -> WorkerDiedError:
    role = f"pool worker {plan.index}"
    return WorkerDiedError(f"{role} could not be started: {error.strerror}", role=role)
