"""Writes a file at once: a crash leaves either the old one or the new one."""

import os
from pathlib import Path

from engine.errors import OutputError

__all__ = ("save_dfp",)


def save_dfp(data: bytes, path: Path) -> None:
    """Write `data` to `path` at once, or raise `OutputError` and leave what was there."""
    beside = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        with beside.open("wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        beside.replace(path)
    except OSError as error:
        _remove(beside)
        raise OutputError(
            f"{path} cannot be written: {error.strerror or error}; choose another place",
            file=str(path),
        ) from error


def _remove(path: Path) -> None:
    """Remove a half-written file; a folder that is not there has none."""
    try:
        path.unlink(missing_ok=True)
    except OSError:
        return
