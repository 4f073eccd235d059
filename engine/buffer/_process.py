"""A worker process as the parent sees it, whichever way it was started."""

import contextlib
import os
import signal

from engine.errors import WorkerDiedError
from engine.process import ErrorPipe, Outcome, ProcessHandle

__all__ = ("WorkerProcess",)

_TAIL_BYTES = 16 * 1024


class WorkerProcess:
    """One commander or producer.

    Attributes
    ----------
    role, worker : as in its plan.
    outcome : how it ended, None while it runs.
    """

    def __init__(self, role: str, worker: int, handle: ProcessHandle, stderr: ErrorPipe) -> None:
        self.role = role
        self.worker = worker
        self.stderr = stderr
        self.pid = handle.pid
        self.outcome: Outcome | None = None
        self._handle: ProcessHandle | None = handle

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
        tail, story = self.stderr.tail(_TAIL_BYTES), self.stderr.story()
        at = f" at message {frame}" if frame >= 0 else ""
        return WorkerDiedError(
            f"{self.role} (process {self.pid}) {outcome.sentence()} {doing}{at}{_hint(outcome)}"
            f"; the buffer is stopped, make a new one" + (f"; it said: {story}" if story else ""),
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
