"""Error output of a worker: shown on ours as it comes, the last lines kept."""

import contextlib
import os
import sys

__all__ = ("StderrTail",)

_KEPT_BYTES = 16 * 1024
_TAIL_BYTES = 4096
_READ_BYTES = 64 * 1024


class StderrTail:
    """The read end of the pipe a worker writes its error output to; owns the descriptor."""

    def __init__(self, fd: int) -> None:
        os.set_blocking(fd, False)
        self._fd = fd
        self._tail = b""

    def fileno(self) -> int:
        """Return the descriptor, -1 after `close`."""
        return self._fd

    def forward(self) -> bool:
        """Pass on what has come; return False when nothing will come any more."""
        while True:
            try:
                data = os.read(self._fd, _READ_BYTES)
            except BlockingIOError:
                return True
            except OSError:
                return False
            if not data:
                return False
            self._tail = (self._tail + data)[-_KEPT_BYTES:]
            if sys.stderr is not None:
                with contextlib.suppress(OSError, ValueError):  # ours may be closed
                    sys.stderr.write(data.decode("utf-8", "replace"))
                    sys.stderr.flush()
            if len(data) < _READ_BYTES:
                return True

    def text(self) -> str:
        """Return the last lines there were."""
        return self._tail[-_TAIL_BYTES:].decode("utf-8", "replace").strip()

    def story(self) -> str:
        """Return the line that says why a process ended: the fault handler's, else the last."""
        lines = self._tail.decode("utf-8", "replace").strip().splitlines() or [""]
        fatal = [line for line in lines if line.startswith("Fatal Python error")]
        return (fatal or lines)[-1].strip()

    def close(self) -> None:
        """Close the descriptor. Safe to call twice."""
        fd, self._fd = self._fd, -1
        if fd >= 0:
            os.close(fd)
