"""Start worker processes, by fork or as new interpreters."""

import os
import signal
import subprocess
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from multiprocessing import process, resource_tracker, spawn
from multiprocessing.context import BaseContext, get_spawning_popen, set_spawning_popen
from multiprocessing.reduction import ForkingPickler
from pathlib import Path
from typing import Any

from engine.buffer._worker import Plan
from engine.errors import InvalidArgumentError, WorkerDiedError, WrongStateError
from engine.process import ContextProcess, ErrorPipe, InterpreterProcess, python_command
from engine.process.forking import without_opencv_threads

__all__ = ("Payload", "PickledUser", "fork_worker", "pickle_user", "spawn_worker", "without_ctrl_c")

_ENGINE_ROOT = Path(__file__).resolve().parents[2]
_ENVIRONMENT = ("PYTHONPATH", "PYTHONSAFEPATH", "PYTHONFAULTHANDLER")


@dataclass(frozen=True)
class PickledUser:
    """The user's object for a new interpreter, and the descriptors it needs there."""

    data: bytes
    fds: tuple[int, ...]


@dataclass(frozen=True)
class Payload:
    """All that a new interpreter is told."""

    plan: Plan
    preparation: dict[str, Any]
    environment: dict[str, str | None]
    user: bytes
    tracker_fd: int | None


class _Spawning:
    """Takes the place of multiprocessing's process object while something is pickled for one."""

    def __init__(self) -> None:
        self.fds: list[int] = []

    @staticmethod
    def DupFd(fd: int) -> Any:  # noqa: ANN401, N802 - the name is multiprocessing's
        return _InheritedFd(fd)

    def duplicate_for_child(self, fd: int) -> int:
        self.fds.append(fd)
        return fd


class _InheritedFd:
    def __init__(self, fd: int) -> None:
        self._fd = fd

    def detach(self) -> int:
        return self._fd


@contextmanager
def _pickling() -> Iterator[_Spawning]:
    spawning = _Spawning()
    before = get_spawning_popen()
    set_spawning_popen(spawning)  # type: ignore[arg-type]
    try:
        yield spawning
    finally:
        set_spawning_popen(before)


def pickle_user(user: object, what: str) -> PickledUser:
    """Pickle the user's commander or producer for new interpreters.

    Raises
    ------
    InvalidArgumentError : it cannot be pickled.
    """
    with _pickling() as spawning:
        try:
            data = bytes(ForkingPickler.dumps(user))
        except Exception as error:
            raise InvalidArgumentError(
                f"the {what} of type {type(user).__name__} cannot be sent to a new process: "
                f"{error}; create what it needs in its build(), or use the context 'fork'"
            ) from error
    return PickledUser(data, tuple(spawning.fds))


def spawn_worker(plan: Plan, user: PickledUser, stderr: ErrorPipe) -> InterpreterProcess:
    """Start a worker as a new interpreter."""
    preparation = spawn.get_preparation_data(plan.role)
    if b"__main__" not in user.data and b"__mp_main__" not in user.data:
        preparation.pop("init_main_from_name", None)  # then the main program need not run there
        preparation.pop("init_main_from_path", None)
    tracker = resource_tracker._resource_tracker  # noqa: SLF001
    tracker_fd = getattr(tracker, "_fd", None)  # shared when there is one, never started for us
    environment = {name: os.environ.get(name) for name in _ENVIRONMENT}
    payload = Payload(plan, preparation, environment, user.data, tracker_fd)
    with _payload_file(payload) as fd:
        pipes = {plan.slab_fd, plan.reads, plan.writes, plan.tells, *user.fds, fd}
        if tracker_fd is not None:
            pipes.add(tracker_fd)
        try:
            started = subprocess.Popen(
                python_command("engine.buffer.worker_process", str(fd)),
                stdin=subprocess.DEVNULL,
                stderr=stderr.theirs,
                pass_fds=sorted(pipes),
                env=_worker_environment(),
            )
        except OSError as error:
            raise WorkerDiedError(
                f"{plan.role} could not be started: {error.strerror}", role=plan.role
            ) from error
    return InterpreterProcess(started)


@contextmanager
def _payload_file(payload: Payload) -> Iterator[int]:
    with _pickling(), tempfile.TemporaryFile(prefix="penstock-") as file:
        file.write(ForkingPickler.dumps(payload))
        file.flush()
        yield file.fileno()


def _worker_environment() -> dict[str, str]:
    """Let the new interpreter find this very engine, whatever lies in the working folder."""
    path = os.environ.get("PYTHONPATH", "")
    return {
        **os.environ,
        "PYTHONPATH": os.pathsep.join(filter(None, (str(_ENGINE_ROOT), path))),
        "PYTHONSAFEPATH": "1",
        "PYTHONFAULTHANDLER": "1",
    }


def fork_worker(
    context: BaseContext,
    role: str,
    target: Callable[..., object],
    arguments: Sequence[Any],
) -> ContextProcess:
    """Start a worker as a copy of this process that calls ``target(*arguments)``."""
    started: process.BaseProcess = context.Process(  # type: ignore[attr-defined]
        target=target, args=tuple(arguments), name=role, daemon=True
    )
    try:
        with without_opencv_threads():
            started.start()
    except OSError as error:
        raise WorkerDiedError(
            f"{role} could not be started: {error.strerror}", role=role
        ) from error
    except AssertionError as error:  # a worker of a multiprocessing.Pool, for example
        raise WrongStateError(
            f"{role} could not be started: {error}; make the buffer in the main process, or use "
            "the context 'spawn'"
        ) from error
    return ContextProcess(started, is_forked=True)


@contextmanager
def without_ctrl_c() -> Iterator[None]:
    """Hold Ctrl-C back in this thread, and in workers started meanwhile until they are ready."""
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
