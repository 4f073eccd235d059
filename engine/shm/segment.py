"""A piece of memory that several processes see: a mapped file that belongs to its creator."""

import contextlib
import mmap
import os
import sys
import tempfile
import warnings
import weakref
from pathlib import Path
from typing import Self

import psutil

from engine.errors import ClosedError, InvalidArgumentError, OutputError, SegmentLostError
from engine.shm.owners import OwnerRecord

if sys.platform != "win32":
    import fcntl

__all__ = ("Segment", "segment_folder")

_OPEN_FLAGS = (
    os.O_RDWR
    | getattr(os, "O_CLOEXEC", 0)
    | getattr(os, "O_NOFOLLOW", 0)
    | getattr(os, "O_BINARY", 0)
)
_SHARED_MEMORY = Path("/dev/shm")  # noqa: S108 - this is where shared memory lives on Linux


def segment_folder() -> Path:
    """Return where segments lie: the system's shared memory on Linux, else the temp folder."""
    if sys.platform == "linux" and os.access(_SHARED_MEMORY, os.W_OK):
        return _SHARED_MEMORY
    return Path(tempfile.gettempdir())


class Segment:
    """Memory shared between processes. Made by `create` or `attach`, released by `close`.

    Only the creator's `close` removes the segment; a reader that ends, or is killed, leaves it as
    it is. Arrays and views made from `buffer` stay valid after `close` for as long as they live:
    the memory goes with the last of them.

    Attributes
    ----------
    name : under which other processes attach.
    size_bytes : as asked for when it was created.
    is_owner : whether this object created the segment.
    """

    def __init__(self, name: str, mapping: mmap.mmap, *, is_owner: bool) -> None:
        self.name = name
        self.size_bytes = len(mapping)
        self.is_owner = is_owner
        self._pid = os.getpid()
        self._buffer: memoryview | None = memoryview(mapping)
        self._warning = weakref.finalize(self, _warn, name, self._pid) if is_owner else None

    @classmethod
    def create(cls, size_bytes: int, *, purpose: str) -> Self:
        """Make a segment of zeros whose memory is really there.

        Parameters
        ----------
        purpose : a word for people, part of the name.

        Raises
        ------
        OutputError : there is not enough shared memory.
        """
        if size_bytes < 1:
            raise InvalidArgumentError(f"a segment needs at least 1 byte, not {size_bytes}")
        folder = segment_folder()
        name = OwnerRecord.mine(purpose).name
        path = folder / name
        try:
            fd = os.open(path, _OPEN_FLAGS | os.O_CREAT | os.O_EXCL, 0o600)
        except OSError as error:
            raise _no_room(folder, size_bytes, purpose) from error
        try:
            _reserve(fd, size_bytes)
            _lock(fd)
            mapping = _map(fd, size_bytes)
        except (OSError, OverflowError, ValueError) as error:
            path.unlink(missing_ok=True)
            raise _no_room(folder, size_bytes, purpose) from error
        finally:
            os.close(fd)
        return cls(name, mapping, is_owner=True)

    @classmethod
    def attach(cls, name: str, *, is_read_only: bool = False) -> Self:
        """Map a segment that another process created.

        Raises
        ------
        SegmentLostError : there is no segment of that name.
        """
        if OwnerRecord.parse(name) is None:
            raise SegmentLostError(f"{name!r} is not the name of a segment", name=name)
        flags = _OPEN_FLAGS & ~os.O_RDWR | os.O_RDONLY if is_read_only else _OPEN_FLAGS
        try:
            fd = os.open(segment_folder() / name, flags)
        except OSError as error:
            raise SegmentLostError(
                f"segment {name!r} is gone: {error.strerror}; its owner has closed it", name=name
            ) from error
        try:
            mapping = _map(fd, os.fstat(fd).st_size, is_read_only=is_read_only)
        except (OSError, ValueError) as error:
            raise SegmentLostError(
                f"segment {name!r} cannot be mapped: {error}", name=name
            ) from error
        finally:
            os.close(fd)
        return cls(name, mapping, is_owner=False)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @property
    def is_closed(self) -> bool:
        """Whether `close` was called."""
        return self._buffer is None

    @property
    def buffer(self) -> memoryview:
        """The whole memory; raises `ClosedError` after `close`."""
        if self._buffer is None:
            raise ClosedError(f"segment {self.name!r} was closed")
        return self._buffer

    def close(self) -> None:
        """Let go of the memory; the creator also removes the name. Safe to call twice.

        The mapping itself ends with the last array or view made from it, so this never fails.
        """
        buffer, self._buffer = self._buffer, None
        if buffer is None:
            return
        if self._warning is not None:
            self._warning.detach()
        if self.is_owner and os.getpid() == self._pid:  # not in a forked copy of the creator
            with contextlib.suppress(OSError):  # Windows: still mapped elsewhere; the reaper's work
                (segment_folder() / self.name).unlink()


def _reserve(fd: int, size_bytes: int) -> None:
    """Give the file its size with real memory behind it, so that no later write can fail."""
    free = _free_bytes(fd)
    if free is not None and size_bytes > free:
        raise OSError(f"only {free} bytes are free")
    if hasattr(os, "posix_fallocate"):
        os.posix_fallocate(fd, 0, size_bytes)
        return
    zeros = bytes(min(size_bytes, 1 << 20))
    left = size_bytes
    while left:
        left -= os.write(fd, zeros[:left])


def _free_bytes(fd: int) -> int | None:
    if not hasattr(os, "fstatvfs"):
        return None
    room = os.fstatvfs(fd)
    if not room.f_blocks:  # no limit is set, so memory itself is the limit
        return int(psutil.virtual_memory().available)
    return room.f_bavail * room.f_frsize


def _lock(fd: int) -> None:
    """Mark the file as in use. The mapping keeps the descriptor, the kernel drops the lock.

    The owner's name in the file is enough on one machine; containers that share the folder but
    number their processes differently need this besides.
    """
    if sys.platform != "win32":
        with contextlib.suppress(OSError):  # a file system without locks
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)


def _map(fd: int, size_bytes: int, *, is_read_only: bool = False) -> mmap.mmap:
    if sys.platform == "win32":
        access = mmap.ACCESS_READ if is_read_only else mmap.ACCESS_WRITE
        return mmap.mmap(fd, size_bytes, access=access)
    flags = mmap.MAP_SHARED | getattr(mmap, "MAP_POPULATE", 0)  # touched now, not frame by frame
    protection = mmap.PROT_READ | (0 if is_read_only else mmap.PROT_WRITE)
    return mmap.mmap(fd, size_bytes, flags=flags, prot=protection)


def _no_room(folder: Path, size_bytes: int, purpose: str) -> OutputError:
    try:
        room = os.statvfs(folder)
        free = f"{room.f_bavail * room.f_frsize / 1e6:.1f} MB are free"
    except (OSError, AttributeError):
        free = "it cannot be written"
    return OutputError(
        f"no shared memory for {purpose!r}: {size_bytes / 1e6:.1f} MB are needed and in {folder} "
        f"{free}; close other programs, or use fewer streams or smaller frames",
        size_bytes=size_bytes,
        folder=str(folder),
    )


def _warn(name: str, pid: int) -> None:
    if os.getpid() == pid:
        warnings.warn(f"segment {name!r} was never closed", ResourceWarning, stacklevel=2)
