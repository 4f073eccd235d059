"""Remove the segments of processes that were killed before they could close them."""

import contextlib
import os
import sys
from collections.abc import Callable
from pathlib import Path

from engine.shm.owners import OwnerRecord
from engine.shm.segment import segment_folder

if sys.platform != "win32":
    import fcntl

__all__ = ("reap", "reap_owner")


def reap() -> list[str]:
    """Remove every segment whose owner is gone, and return their names.

    Safe at any time and by several processes at once: owners that run, and other users' segments,
    are left alone. Processes that still have such a segment mapped keep their memory.
    """
    return _reap(lambda record: True)


def reap_owner(pid: int) -> list[str]:
    """Remove the segments of one process that has ended, and return their names."""
    return _reap(lambda record: record.pid == pid)


def _reap(is_meant: Callable[[OwnerRecord], bool]) -> list[str]:
    removed = []
    for path in segment_folder().glob("penstock-*"):
        record = OwnerRecord.parse(path.name)
        if record is None or not is_meant(record) or record.is_alive() or _is_in_use(path):
            continue
        with contextlib.suppress(OSError):  # another reaper was first, or it is not ours
            path.unlink()
            removed.append(path.name)
    return removed


def _is_in_use(path: Path) -> bool:
    """Say whether the owner runs after all, as a process of another container."""
    if sys.platform == "win32":
        return False
    try:
        fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW)
    except OSError:
        return True  # another user's, or gone
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    except OSError:
        return False  # a file system without locks: the name alone decides
    finally:
        os.close(fd)
    return False
