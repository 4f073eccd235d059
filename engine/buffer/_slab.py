"""Shared memory without a name: nothing can be left behind, and /dev/shm need not be large."""

import mmap
import os
import tempfile

import psutil

from engine.errors import ClosedError, OutputError

__all__ = ("Slab",)

_PLACE_SHIFT = 36  # 64 GiB for each long note; the file is sparse, only what is written exists


class Slab:
    """One piece of memory, and behind it room for notes of any length.

    The parent creates it, each worker maps it from the inherited descriptor. The memory lives until
    the last process and the last array let go of it.
    """

    def __init__(self, fd: int, size_bytes: int) -> None:
        flags = mmap.MAP_SHARED | getattr(mmap, "MAP_POPULATE", 0)
        self.size_bytes = size_bytes
        self.fd = fd
        self._memory: memoryview | None = memoryview(mmap.mmap(fd, size_bytes, flags=flags))

    @classmethod
    def create(cls, size_bytes: int) -> "Slab":
        """Reserve the memory; raises `OutputError` when there is not enough."""
        available = int(psutil.virtual_memory().available)
        if size_bytes > available:
            raise _no_room(size_bytes, available)
        fd = _anonymous_file()
        try:
            _reserve(fd, size_bytes)
            return cls(fd, size_bytes)
        except (OSError, OverflowError, ValueError) as error:
            os.close(fd)
            raise _no_room(size_bytes, available) from error
        except BaseException:
            os.close(fd)
            raise

    @property
    def memory(self) -> memoryview:
        """The memory; raises `ClosedError` after `close`."""
        if self._memory is None:
            raise ClosedError("the buffer was stopped; its memory is gone")
        return self._memory

    @property
    def is_closed(self) -> bool:
        """Whether `close` was called."""
        return self._memory is None

    def write_note(self, place: int, data: bytes) -> None:
        """Keep a long note under a number; it replaces the note that was there."""
        view = memoryview(data)
        at = (place + 1) << _PLACE_SHIFT
        while view:
            written = os.pwrite(self.fd, view, at)
            view, at = view[written:], at + written

    def read_note(self, place: int, size_bytes: int) -> bytes:
        """Return the first bytes of the note under a number."""
        parts, at = [], (place + 1) << _PLACE_SHIFT
        while size_bytes > 0:
            part = os.pread(self.fd, size_bytes, at)
            if not part:
                break
            parts.append(part)
            size_bytes, at = size_bytes - len(part), at + len(part)
        return b"".join(parts)

    def close(self) -> None:
        """Let go of the memory. Arrays made from it keep it alive. Safe to call twice."""
        self._memory = None
        fd, self.fd = self.fd, -1
        if fd >= 0:
            os.close(fd)


def _anonymous_file() -> int:
    if hasattr(os, "memfd_create"):
        return os.memfd_create("penstock-buffer", os.MFD_CLOEXEC)
    fd, path = tempfile.mkstemp(prefix="penstock-")
    os.unlink(path)  # noqa: PTH108 - a name for a moment only
    return fd


def _reserve(fd: int, size_bytes: int) -> None:
    """Put real memory behind the file now, so that no later write can fail."""
    if hasattr(os, "posix_fallocate"):
        os.posix_fallocate(fd, 0, size_bytes)
    else:
        os.ftruncate(fd, size_bytes)


def _no_room(size_bytes: int, available: int) -> OutputError:
    return OutputError(
        f"no memory for the buffers: {size_bytes / 1e6:.1f} MB are needed and "
        f"{available / 1e6:.1f} MB are free; use fewer cpus, fewer buffers or smaller shapes",
        size_bytes=size_bytes,
        available_bytes=available,
    )
