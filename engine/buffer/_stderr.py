"""The standard error of a worker: shown as it comes, and its last lines kept."""

import contextlib
import os
import sys

__all__ = ("StderrPipe",)

_KEPT_BYTES = 16 * 1024
_READ_BYTES = 64 * 1024


class StderrPipe:
    """Our end of the pipe that a worker has as its standard error.

    Attributes
    ----------
    theirs : the worker's end; closed here once the worker has it.
    """

    def __init__(self) -> None:
        self._ours, self.theirs = os.pipe2(os.O_CLOEXEC) if hasattr(os, "pipe2") else os.pipe()
        os.set_blocking(self._ours, False)
        self._kept = b""

    def fileno(self) -> int:
        """Return the descriptor that is readable when something was printed; -1 when closed."""
        return self._ours

    def relay(self) -> bool:
        """Show what was printed since; False when nothing more can come."""
        while self._ours >= 0:
            try:
                data = os.read(self._ours, _READ_BYTES)
            except BlockingIOError:
                return True
            if not data:
                break
            self._kept = (self._kept + data)[-_KEPT_BYTES:]
            if sys.stderr is not None:
                with contextlib.suppress(OSError, ValueError):  # ours is closed
                    sys.stderr.write(data.decode("utf-8", "replace"))
                    sys.stderr.flush()
        return False

    def tail(self, limit_bytes: int = _KEPT_BYTES) -> str:
        """Return the end of what was printed."""
        return self._kept[-limit_bytes:].decode("utf-8", "replace").strip()

    def close_theirs(self) -> None:
        """Close the worker's end in this process. Safe to call twice."""
        fd, self.theirs = self.theirs, -1
        if fd >= 0:
            os.close(fd)

    def close(self) -> None:
        """Close both ends in this process. Safe to call twice."""
        self.close_theirs()
        fd, self._ours = self._ours, -1
        if fd >= 0:
            os.close(fd)
