"""Worker processes behind one face, whichever way they were started."""

import contextlib
import os
import subprocess
from multiprocessing.process import BaseProcess
from typing import Protocol

from engine.process.sentinel import Sentinel, sentinel_for

__all__ = ("ContextProcess", "InterpreterProcess", "ProcessHandle")


class ProcessHandle(Protocol):
    """What the ways of starting have in common."""

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


class InterpreterProcess:
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


class ContextProcess:
    """A process that a context of `multiprocessing` has started.

    Parameters
    ----------
    is_forked : it is a copy of this process; the library's own sentinel of such a one outlives it
        in grandchildren, so another is used.
    """

    def __init__(self, process: BaseProcess, *, is_forked: bool) -> None:
        assert process.pid is not None  # noqa: S101 - it was started
        self.pid = process.pid
        self._process = process
        self._pidfd = -1
        if is_forked and hasattr(os, "pidfd_open"):
            with contextlib.suppress(OSError):
                self._pidfd = os.pidfd_open(self.pid)

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
        with contextlib.suppress(ValueError):  # it did not end
            self._process.close()
