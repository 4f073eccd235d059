"""One process at a time per device: a file lock that the kernel drops when its holder dies."""

import contextlib
import os
import sys
import threading
from pathlib import Path
from typing import Self

from engine.errors import BusyError

if sys.platform != "win32":
    import fcntl

__all__ = ("DeviceLock",)


class _Held:
    """A lock file this process holds, for all its users."""

    def __init__(self, fd: int) -> None:
        self.fd = fd
        self.users = 1


_held: dict[str, _Held] = {}
_held_lock = threading.Lock()


class DeviceLock:
    """Holds a device for this process until `close`; several users in one process share it."""

    def __init__(self, path: str) -> None:
        self._path: str | None = path

    @classmethod
    def take(cls, path: str, *, device: int, holder: str) -> Self:
        """Take the lock, or say who has it.

        Parameters
        ----------
        holder : what the holder is, for others' messages: "local mode" or "the device manager".

        Raises
        ------
        BusyError
            When another process holds the device.
        """
        with _held_lock:
            held = _held.get(path)
            if held is not None:
                held.users += 1
            else:
                _held[path] = _Held(_lock(path, device, holder))
        return cls(path)

    def close(self) -> None:
        """Give the device back. Safe to call twice."""
        path, self._path = self._path, None
        if path is None:
            return
        with _held_lock:
            held = _held[path]
            held.users -= 1
            if not held.users:
                del _held[path]
                with contextlib.suppress(OSError):
                    os.ftruncate(held.fd, 0)
                os.close(held.fd)


def _lock(path: str, device: int, holder: str) -> int:
    Path(path).parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    fd = os.open(path, os.O_RDWR | os.O_CREAT | getattr(os, "O_CLOEXEC", 0), 0o600)
    try:
        if sys.platform != "win32":
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        os.ftruncate(fd, 0)
        os.pwrite(fd, f"{holder} (process {os.getpid()})".encode(), 0)
    except OSError as error:
        told = os.pread(fd, 200, 0).decode("utf-8", "replace") or "another process"
        os.close(fd)
        raise BusyError(
            f"device {device} is in use by {told}; wait until it is free, or use another device",
            device=device,
        ) from error
    return fd
