"""Keeps what a driver prints from filling the disk."""

import os
import stat

__all__ = ("trim_stderr",)

_STDERR = 2


def trim_stderr(limit_bytes: int = 16 * 1024 * 1024) -> bool:
    """Empty the file behind standard error when it is larger; return whether it was.

    Does nothing when standard error is not a file.
    """
    info = os.fstat(_STDERR)
    if not stat.S_ISREG(info.st_mode) or info.st_size <= limit_bytes:
        return False
    os.lseek(_STDERR, 0, os.SEEK_SET)
    os.ftruncate(_STDERR, 0)
    return True
