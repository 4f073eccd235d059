"""A worker process as the parent sees it, whichever way it was started."""

import contextlib
import os
import signal
import subprocess
from multiprocessing.process import BaseProcess
from typing import Protocol

from engine.buffer._stderr import StderrPipe
from engine.errors import WorkerDiedError
from engine.process import Outcome
from engine.process.sentinel import Sentinel, sentinel_for

__all__ = ("Forked", "Handle", "Spawned", "WorkerProcess")


class Handle(Protocol):
    """What the two ways of starting have in common."""

    pid: int

    def fileno(self) -> int:
        """Return a descriptor that is readable once the process has ended."""
        ...

    def return_code(self) -> int | None:
        """Return how it ended, negative for a signal; None while it runs."""
        ...

    def close(self) -> None:
        """Release everything; the process has ended."""
        ...


class Spawned:
    """A new interpreter."""

    def __init__(self, process: "subprocess.Popen[bytes]") -> None:
        self.pid = process.pid
        self._process = process
        self._sentinel: Sentinel = sentinel_for(process)

    def fileno(self) -> int:
        """Return the process's sentinel."""
        return self._sentinel.fileno()

    def return_code(self) -> int | None:
        """Return how it ended."""
        return self._process.poll()

    def close(self) -> None:
        """Release the sentinel."""
        self._sentinel.close()


class Forked:
    """A copy of this process."""

    def __init__(self, process: BaseProcess) -> None:
        assert process.pid is not None  # noqa: S101 - it was started
        self.pid = process.pid
        self._process = process
        self._pidfd = -1
        if hasattr(os, "pidfd_open"):  # the library's own sentinel outlives us in grandchildren
            with contextlib.suppress(OSError):
                self._pidfd = os.pidfd_open(process.pid)

    def fileno(self) -> int:
        """Return the process's sentinel."""
        return self._pidfd if self._pidfd >= 0 else self._process.sentinel

    def return_code(self) -> int | None:
        """Return how it ended."""
        return self._process.exitcode

    def close(self) -> None:
        """Release the sentinel."""
        pidfd, self._pidfd = self._pidfd, -1
        if pidfd >= 0:
            os.close(pidfd)
        self._process.close()


class WorkerProcess:
    """One commander or producer.

    Attributes
    ----------
    role, worker : as in its plan.
    outcome : how it ended, None while it runs.
    """

    def __init__(self, role: str, worker: int, handle: Handle, stderr: StderrPipe) -> None:
        self.role = role
        self.worker = worker
        self.stderr = stderr
        self.pid = handle.pid
        self.outcome: Outcome | None = None
        self._handle: Handle | None = handle

    @property
    def sentinel_fd(self) -> int:
        """Descriptor that is readable once the process has ended; -1 when that was seen."""
        return self._handle.fileno() if self._handle is not None else -1

    def poll(self) -> Outcome | None:
        """Return how the process ended, None while it runs."""
        if self._handle is not None and self.outcome is None:
            code = self._handle.return_code()
            if code is not None:
                self.outcome = Outcome.from_return_code(code)
        return self.outcome

    def send_signal(self, number: signal.Signals) -> None:
        """Send a signal, unless the process has ended."""
        if self.poll() is None:
            with contextlib.suppress(ProcessLookupError):
                os.kill(self.pid, number)

    def died(self, doing: str, frame: int) -> WorkerDiedError:
        """Return the error for an end that nobody asked for. The process has ended."""
        self.stderr.relay()
        outcome = self.outcome or Outcome()
        tail = self.stderr.tail()
        at = f" at message {frame}" if frame >= 0 else ""
        return WorkerDiedError(
            f"{self.role} (process {self.pid}) {outcome.sentence()} {doing}{at}{_hint(outcome)}"
            f"; the buffer is stopped, make a new one{_last_words(tail)}",
            role=self.role,
            pid=self.pid,
            signal=outcome.signal_name,
            exit_code=outcome.exit_code,
            frame=frame,
            stderr_tail=tail,
        )

    def close(self) -> None:
        """Release everything; the process has ended. Safe to call twice."""
        handle, self._handle = self._handle, None
        if handle is not None:
            handle.close()
        self.stderr.relay()
        self.stderr.close()


def _hint(outcome: Outcome) -> str:
    if outcome.signal_name == "SIGKILL":
        return " (that is how the system ends a process when memory runs out)"
    return ""


def _last_words(tail: str) -> str:
    lines = tail.splitlines()
    fatal = [line for line in lines if line.startswith("Fatal Python error")]
    return f"; it said: {(fatal or lines)[-1].strip()}" if lines else ""
