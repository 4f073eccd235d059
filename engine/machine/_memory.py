"""Memory without a name: passed between processes as a descriptor, gone with its last user."""

import mmap
import os
import sys
import tempfile
from collections.abc import Sequence

from engine.errors import OutputError

__all__ = ("BOARD_BYTES", "Block", "copy_of", "new_file", "private_copy", "view_of", "write_all")

BOARD_BYTES = 8
_MOST_AT_ONCE = 1 << 30


def new_file() -> int:
    """Return the descriptor of an empty file in memory that has no name in any folder."""
    if hasattr(os, "memfd_create"):
        return os.memfd_create("engine-machine", os.MFD_CLOEXEC)
    with tempfile.TemporaryFile(prefix="penstock-") as file:
        return os.dup(file.fileno())


def write_all(fd: int, parts: Sequence[tuple[int, memoryview]]) -> None:
    """Write each part at its place in the file.

    Writing beats copying into a fresh mapping two to one, because the kernel then fills whole
    pages instead of clearing each one first.

    Raises
    ------
    OutputError : there is not enough memory.
    """
    for place, part in parts:
        done = 0
        while done < part.nbytes:
            try:
                done += os.pwrite(fd, part[done : done + _MOST_AT_ONCE], place + done)
            except OSError as error:
                raise OutputError(
                    f"{part.nbytes / 1e6:.1f} MB cannot be shared with the workers: "
                    f"{error.strerror}; store less, or close other programs",
                    size_bytes=part.nbytes,
                ) from error


def view_of(fd: int, size_bytes: int, *, is_writable: bool = False) -> mmap.mmap:
    """Map a file that other processes see too."""
    if is_writable:
        return mmap.mmap(fd, size_bytes)
    if sys.platform == "win32":
        return mmap.mmap(fd, size_bytes, access=mmap.ACCESS_READ)
    return mmap.mmap(fd, size_bytes, flags=mmap.MAP_SHARED, prot=mmap.PROT_READ)


def private_copy(fd: int, size_bytes: int) -> memoryview:
    """Read a file into memory of our own, which keeps no descriptor open."""
    memory = memoryview(mmap.mmap(-1, size_bytes, **_PRIVATE))
    done = 0
    while done < size_bytes:
        done += os.preadv(fd, [memory[done : done + _MOST_AT_ONCE]], done)
    return memory


_PRIVATE = {} if sys.platform == "win32" else {"flags": mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS}


def copy_of(fd: int) -> memoryview:
    """Read a whole file into memory of our own."""
    return private_copy(fd, os.fstat(fd).st_size)


class Block:
    """A file in memory that stays mapped here, so that it can be filled again and again."""

    def __init__(self) -> None:
        self.fd = new_file()
        self.size_bytes = 0
        self._memory: memoryview | None = None

    def fill(self, parts: Sequence[tuple[int, memoryview]], size_bytes: int) -> None:
        """Replace the content. Nobody may be reading it."""
        if self.size_bytes < size_bytes:
            os.ftruncate(self.fd, size_bytes)
            write_all(self.fd, parts)
            self.size_bytes = size_bytes
            return
        if self._memory is None:
            self._memory = memoryview(mmap.mmap(self.fd, self.size_bytes))
        for place, part in parts:
            self._memory[place : place + part.nbytes] = part

    def close(self) -> None:
        """Let go of the memory; it ends with the last worker that reads it. Safe to call twice."""
        self._memory = None
        fd, self.fd = self.fd, -1
        if fd >= 0:
            os.close(fd)
