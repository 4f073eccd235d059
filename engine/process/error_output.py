"""What a worker prints as errors: shown as it comes, its end kept for the story of a death."""

import contextlib
import os
import sys

__all__ = ("ErrorOutput", "ErrorPipe", "most_telling_line")

_KEPT_BYTES = 16 * 1024
_TAIL_BYTES = 4096
_READ_BYTES = 64 * 1024


def most_telling_line(text: str) -> str:
    """Return the line that says why a process ended: the fault handler's, else the last one."""
    lines = text.strip().splitlines() or [""]
    fatal = [line for line in lines if line.startswith("Fatal Python error")]
    return (fatal or lines)[-1].strip()


class ErrorOutput:
    """Our end of the pipe that a worker has as its standard error; owns the descriptor."""

    def __init__(self, fd: int) -> None:
        os.set_blocking(fd, False)
        self._fd = fd
        self._kept = b""

    def fileno(self) -> int:
        """Return the descriptor that is readable when something was printed; -1 when closed."""
        return self._fd

    def relay(self) -> bool:
        """Show what was printed since; False when nothing more can come."""
        while self._fd >= 0:
            try:
                data = os.read(self._fd, _READ_BYTES)
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

    def tail(self, limit_bytes: int = _TAIL_BYTES) -> str:
        """Return the end of what was printed."""
        return self._kept[-limit_bytes:].decode("utf-8", "replace").strip()

    def story(self) -> str:
        """Return the most telling line of all that is kept, empty when nothing was printed."""
        return most_telling_line(self.tail(_KEPT_BYTES))

    def close(self) -> None:
        """Close our end. Safe to call twice."""
        fd, self._fd = self._fd, -1
        if fd >= 0:
            os.close(fd)


class ErrorPipe(ErrorOutput):
    """The same, with a pipe of its own.

    Attributes
    ----------
    theirs : the worker's end; closed here once the worker has it.
    """

    def __init__(self) -> None:
        ours, self.theirs = os.pipe()
        super().__init__(ours)

    def close_theirs(self) -> None:
        """Close the worker's end in this process. Safe to call twice."""
        fd, self.theirs = self.theirs, -1
        if fd >= 0:
            os.close(fd)

    def close(self) -> None:
        """Close both ends in this process. Safe to call twice."""
        self.close_theirs()
        super().close()
