"""Start a child process, wait for it, stop it, and say how it ended."""

import contextlib
import os
import subprocess
import tempfile
from collections.abc import Callable, Mapping, Sequence
from typing import IO, Self

from engine.errors import EngineError, EngineTimeoutError, WorkerDiedError
from engine.process.error_output import most_telling_line
from engine.process.outcome import Outcome
from engine.process.sentinel import sentinel_for
from engine.process.waiting import wait_readable

__all__ = ("ChildProcess",)

_KILL_WAIT_S = 5.0
_TAIL_BYTES = 64 * 1024


class ChildProcess:
    """A running child. Whoever makes it must `close` it; what is still running then is stopped.

    All methods may be called from any thread.

    Parameters
    ----------
    role : what the process is for, as messages call it, for example "driver host of cam1".
    argv : the command line, see `engine.process.python_command`.
    pass_fds : descriptors the child inherits under the same numbers; all others are closed.
    env : variables added to (or replacing those of) our own environment. Python's fault handler
        is on in the child, so that a crash in native code leaves its story in `stderr_tail`.
    stdout : as ``subprocess.Popen`` takes it; thrown away unless told otherwise.

    Raises
    ------
    WorkerDiedError : the program could not be started.
    """

    def __init__(
        self,
        role: str,
        argv: Sequence[str],
        *,
        pass_fds: Sequence[int] = (),
        env: Mapping[str, str] | None = None,
        stdout: int | IO[bytes] = subprocess.DEVNULL,
    ) -> None:
        self.role = role
        self._outcome: Outcome | None = None
        self._tail = b""
        self._is_closed = False
        self._stderr = tempfile.TemporaryFile(prefix="penstock-")  # noqa: SIM115 - close() does
        try:
            self._process = subprocess.Popen(
                list(argv),
                stdin=subprocess.DEVNULL,
                stdout=stdout,
                stderr=self._stderr,
                pass_fds=tuple(pass_fds),
                env={**os.environ, "PYTHONFAULTHANDLER": "1", **(env or {})},
            )
        except OSError as error:
            self._stderr.close()
            raise WorkerDiedError(
                f"{role} could not be started: {argv[0]}: {error.strerror}", role=role
            ) from error
        self._sentinel = sentinel_for(self._process)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @property
    def pid(self) -> int:
        """The process's number."""
        return self._process.pid

    @property
    def sentinel_fd(self) -> int:
        """Descriptor that is readable once the process has ended; -1 after `close`."""
        return self._sentinel.fileno()

    @property
    def stdout(self) -> IO[bytes] | None:
        """The child's standard output, when it was started with ``subprocess.PIPE``."""
        return self._process.stdout

    def poll(self) -> Outcome | None:
        """Return how the process ended, or None while it runs."""
        if self._outcome is None:
            return_code = self._process.poll()
            if return_code is not None:
                self._outcome = Outcome.from_return_code(return_code)
        return self._outcome

    def wait(self, timeout_s: float | None = None) -> Outcome:
        """Return how the process ended, as soon as it has.

        Raises
        ------
        EngineTimeoutError : it was still running after `timeout_s`.
        """
        outcome = self.poll()
        if outcome is None and wait_readable([self.sentinel_fd], timeout_s):
            self._process.wait()  # at once: the sentinel says that it has ended
            outcome = self.poll()
        if outcome is None:
            raise EngineTimeoutError(
                f"{self.role} (process {self.pid}) was still running after {timeout_s:g} s",
                role=self.role,
                pid=self.pid,
            )
        return outcome

    def stderr_tail(self, limit_bytes: int = 4096) -> str:
        """Return the end of what the process wrote to its standard error."""
        data = self._tail if self._is_closed else self._read_tail(limit_bytes)
        return data[-limit_bytes:].decode("utf-8", "replace").strip()

    def stop(
        self,
        *,
        ask: Callable[[], None] | None = None,
        grace_s: float = 2.0,
        terminate_s: float = 3.0,
    ) -> Outcome:
        """End the process: ask, then SIGTERM, then SIGKILL. Does nothing to one that has ended.

        Parameters
        ----------
        ask : tells the process to leave, for example by a message; left out, SIGTERM comes first.
        grace_s : how long an asked process may take.
        terminate_s : how long a terminated process may take.

        Raises
        ------
        EngineTimeoutError : the kernel did not end the process even after SIGKILL.
        """
        if ask is not None and self.poll() is None:
            with contextlib.suppress(EngineError, OSError):  # the way to ask may be gone already
                ask()
            with contextlib.suppress(EngineTimeoutError):
                return self.wait(grace_s)
        if self.poll() is None:
            self._process.terminate()
            with contextlib.suppress(EngineTimeoutError):
                return self.wait(terminate_s)
        if self.poll() is None:
            self._process.kill()
        return self.wait(_KILL_WAIT_S)

    def died(self, wait_s: float = 1.0) -> WorkerDiedError:
        """Return the error to raise when the process ended, or fell silent, without being asked.

        Its descriptors close a moment before it has ended; `wait_s` bridges that.
        """
        try:
            outcome = self.wait(wait_s)
            words = outcome.sentence()
        except EngineTimeoutError:
            outcome = Outcome()
            words = "closed its channel but is still running"
        tail = self.stderr_tail()
        story = most_telling_line(tail)
        return WorkerDiedError(
            f"{self.role} (process {self.pid}) {words}" + (f": {story}" if story else ""),
            role=self.role,
            pid=self.pid,
            signal=outcome.signal_name,
            exit_code=outcome.exit_code,
            stderr_tail=tail,
        )

    def close(self) -> None:
        """Stop the process if it still runs and release everything. Safe to call twice."""
        if self._is_closed:
            return
        try:
            self.stop(terminate_s=1.0)
        finally:
            self._tail = self._read_tail(_TAIL_BYTES)
            self._is_closed = True
            self._sentinel.close()
            self._stderr.close()
            if self._process.stdout is not None:
                self._process.stdout.close()

    def _read_tail(self, limit_bytes: int) -> bytes:
        fd = self._stderr.fileno()
        size = os.fstat(fd).st_size
        start = max(0, size - limit_bytes)
        return os.pread(fd, size - start, start)
