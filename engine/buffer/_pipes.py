"""The three pipes of a buffer: free buffers, messages to make, and finished data."""

import os

from engine.errors import EngineError

__all__ = ("Pipes",)


class Pipes:
    """Six descriptors, each in use by certain processes only.

    Attributes
    ----------
    free_reads, free_writes : from the consumer to the commander.
    work_reads, work_writes : from the commander to the producers.
    done_reads, done_writes : from everybody to the consumer; its end never blocks.
    """

    def __init__(self) -> None:
        if not hasattr(os, "register_at_fork"):
            raise EngineError("buffers need pipes that processes share; this system has none")
        self._open: list[int] = []
        self.free_reads, self.free_writes = self._pair()
        self.work_reads, self.work_writes = self._pair()
        self.done_reads, self.done_writes = self._pair()
        os.set_blocking(self.done_reads, False)
        os.set_blocking(self.free_writes, False)

    def _pair(self) -> tuple[int, int]:
        try:
            pair = os.pipe()
        except OSError as error:
            self.close()
            raise EngineError(
                f"no pipe can be made: {error.strerror}; close files or other buffers first"
            ) from error
        self._open += pair
        return pair

    @property
    def all(self) -> tuple[int, ...]:
        """Those that are still open here."""
        return tuple(self._open)

    def close_workers_ends(self) -> None:
        """Close what only the workers use, so that their end shows at our ends."""
        for fd in (self.free_reads, self.work_reads, self.work_writes, self.done_writes):
            self._close(fd)

    def close(self) -> None:
        """Close what is open. Safe to call twice."""
        fds, self._open = self._open, []
        for fd in fds:
            os.close(fd)

    def _close(self, fd: int) -> None:
        if fd in self._open:
            self._open.remove(fd)
            os.close(fd)
