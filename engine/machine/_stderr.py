"""What a worker prints as errors: shown as it comes, its end kept for the story of a death."""

import os
import sys

__all__ = ("ErrorOutput",)

_KEPT_BYTES = 16 * 1024
_READ_BYTES = 64 * 1024


class ErrorOutput:
    """The pipe behind a worker's standard error.

    Attributes
    ----------
    theirs : the end that the worker gets, closed here by `handed_over`.
    """

    def __init__(self) -> None:
        self._ours, self.theirs = os.pipe()
        os.set_blocking(self._ours, False)
        self._kept = b""

    def fileno(self) -> int:
        """Return the descriptor that is readable when there is something; -1 when closed."""
        return self._ours

    def handed_over(self) -> None:
        """Close the worker's end here. Safe to call twice."""
        fd, self.theirs = self.theirs, -1
        if fd >= 0:
            os.close(fd)

    def relay(self) -> bool:
        """Show what came since; False when nothing more can come."""
        while self._ours >= 0:
            try:
                data = os.read(self._ours, _READ_BYTES)
            except BlockingIOError:
                return True
            if not data:
                return False
            self._kept = (self._kept + data)[-_KEPT_BYTES:]
            if sys.stderr is not None:
                sys.stderr.write(data.decode("utf-8", "replace"))
                sys.stderr.flush()
        return False

    def tail(self, limit_bytes: int = 4096) -> str:
        """Return the end of what was printed."""
        return self._kept[-limit_bytes:].decode("utf-8", "replace").strip()

    def close(self) -> None:
        """Close both ends here. Safe to call twice."""
        self.handed_over()
        fd, self._ours = self._ours, -1
        if fd >= 0:
            os.close(fd)
