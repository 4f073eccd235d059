"""Where sockets and locks of this user's processes lie."""

import os
import tempfile
from pathlib import Path

from engine.errors import EngineError

__all__ = ("runtime_folder",)


def runtime_folder() -> Path:
    """Return this user's private folder for sockets, made when missing.

    Raises
    ------
    EngineError
        When a folder of that name exists that belongs to somebody else or is open to others.
    """
    base = os.environ.get("XDG_RUNTIME_DIR", "")
    if base and os.access(base, os.W_OK):
        folder = Path(base, "penstock")
    else:
        folder = Path(tempfile.gettempdir(), f"penstock-{_user_id()}")
    folder.mkdir(mode=0o700, exist_ok=True)
    info = folder.lstat()
    if hasattr(os, "getuid") and (info.st_uid != os.getuid() or info.st_mode & 0o077):
        raise EngineError(
            f"the folder {folder} is not private to this user; remove it and start again",
            folder=str(folder),
        )
    return folder


def _user_id() -> str:
    return str(os.getuid()) if hasattr(os, "getuid") else os.environ.get("USERNAME", "user")
