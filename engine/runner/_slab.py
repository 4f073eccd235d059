"""Shared memory without a name: it goes with the last process that has it, however that ends."""

import mmap
import os
import tempfile
from typing import Self

from engine.errors import OutputError
from engine.shm import segment_folder

__all__ = ("Slab",)


class Slab:
    """Memory that another process maps too, once it was handed the descriptor.

    There is nothing to unlink and so nothing to leak: neither a killed owner nor a killed reader
    leaves anything behind, and a container's small shared-memory folder does not limit it.
    Arrays made from `mapping` keep the memory alive after `close`.

    Attributes
    ----------
    mapping : the memory.
    fd : descriptor to hand on; closed by `close`.
    size_bytes : its size.
    """

    def __init__(self, fd: int) -> None:
        self.fd = fd
        self.size_bytes = os.fstat(fd).st_size
        touch = getattr(mmap, "MAP_POPULATE", 0)  # now, not page by page while copying
        self.mapping = mmap.mmap(fd, self.size_bytes, flags=mmap.MAP_SHARED | touch)

    @classmethod
    def create(cls, size_bytes: int, purpose: str) -> Self:
        """Make a slab of zeros with real memory behind it.

        Raises
        ------
        OutputError : there is not enough memory.
        """
        fd = _open(purpose)
        try:
            if hasattr(os, "posix_fallocate"):
                os.posix_fallocate(fd, 0, size_bytes)
            else:
                os.ftruncate(fd, size_bytes)
            return cls(fd)
        except BaseException as error:
            os.close(fd)
            if not isinstance(error, OSError | OverflowError | ValueError):
                raise
            raise OutputError(
                f"no memory for {purpose}: {size_bytes / 1e6:.1f} MB are needed ({error}); "
                "close other programs, or use fewer workers or smaller items",
                size_bytes=size_bytes,
            ) from error

    def privately(self) -> mmap.mmap:
        """Return the memory again, copied on write: changes stay in this process."""
        return mmap.mmap(self.fd, self.size_bytes, flags=mmap.MAP_PRIVATE)

    def close(self) -> None:
        """Close the descriptor; the memory goes with the last array in it. Safe to call twice."""
        fd, self.fd = self.fd, -1
        if fd >= 0:
            os.close(fd)


def _open(purpose: str) -> int:
    if hasattr(os, "memfd_create"):
        return os.memfd_create(f"penstock-{purpose}", os.MFD_CLOEXEC)
    with tempfile.TemporaryFile(dir=segment_folder()) as file:
        return os.dup(file.fileno())
