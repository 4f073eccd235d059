"""Checks of the machine: shared memory, what was left behind, permissions, limits."""

import os
import shutil
import sys
import tempfile
from pathlib import Path

import platformdirs

from app.doctor.findings import Finding
from engine.client import runtime_folder
from engine.errors import EngineError
from engine.shm import OwnerRecord, Segment, segment_folder

__all__ = ("open_files", "permissions", "shared_memory", "stale_segments")

_MIB = 1024 * 1024
_FREE_MIB = 128
_TRIAL_BYTES = 8 * _MIB
_FILES = 1024


def shared_memory() -> list[Finding]:
    """Look for room, and map a segment for real."""
    check, folder = "shared memory", segment_folder()
    fix = f"make room in {folder}, or mount it larger (containers: --shm-size=1g)"
    try:
        usage = shutil.disk_usage(folder)
        found = f"{folder}: {usage.free // _MIB} MiB free of {usage.total // _MIB} MiB"
        with Segment.create(_TRIAL_BYTES, purpose="doctor") as segment:
            segment.buffer[-1] = 1
    except OSError as error:
        return [Finding.failed(check, f"{folder} cannot be used: {error.strerror}", fix)]
    except EngineError as error:
        return [Finding.failed(check, f"{folder}: {error}", fix)]
    if usage.free < _FREE_MIB * _MIB:
        return [Finding.failed(check, f"{found}; {_FREE_MIB} MiB are wanted", fix)]
    return [Finding.passed(check, found)]


def stale_segments() -> list[Finding]:
    """Count the segments whose owner is gone."""
    stale = [path for path in segment_folder().glob("penstock-*") if _is_stale(path)]
    if not stale:
        return [Finding.passed("stale segments", "none")]
    size = sum(_size(path) for path in stale)
    return [
        Finding.failed(
            "stale segments",
            f"{len(stale)} with {size // _MIB} MiB were left by a process that was killed",
            "penstock doctor --repair, or start Penstock: it removes them",
        )
    ]


def permissions() -> list[Finding]:
    """Try the folders that are written to, and the cameras that are there."""
    problems = []
    try:
        found = [f"sockets in {runtime_folder()}"]
    except (EngineError, OSError) as error:
        return [
            Finding.failed(
                "permissions",
                f"no private folder for sockets: {error}",
                "set XDG_RUNTIME_DIR or TMPDIR to a folder that only this user may enter",
            )
        ]
    config = Path(platformdirs.user_config_dir("penstock", appauthor=False))
    found.append(f"settings in {config}")
    if not _is_writable(config):
        problems.append((f"{config} cannot be written", f"make {config} and own it"))
    if not _is_writable(Path(tempfile.gettempdir())):
        problems.append(("the temporary folder cannot be written", "set TMPDIR to another folder"))
    closed = [path for path in _cameras() if not os.access(path, os.R_OK | os.W_OK)]
    if closed:
        names = ", ".join(str(path) for path in closed)
        problems.append((f"{names} may not be used", "sudo usermod -aG video $USER, log in again"))
    if problems:
        return [Finding.failed("permissions", problem, fix) for problem, fix in problems]
    return [Finding.passed("permissions", ", ".join(found))]


def open_files() -> list[Finding]:
    """Compare the limit of open files with what many streams need."""
    if sys.platform == "win32":
        return [Finding.skipped("open files", "not limited on this system")]
    import resource

    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    found = f"at most {'any number' if soft == resource.RLIM_INFINITY else soft}"
    if soft != resource.RLIM_INFINITY and soft < _FILES:
        how = f"ulimit -n {_FILES}" if hard >= _FILES else "raise the hard limit of open files"
        return [Finding.failed("open files", found, how)]
    return [Finding.passed("open files", found)]


def _is_stale(path: Path) -> bool:
    record = OwnerRecord.parse(path.name)
    return record is not None and not record.is_alive() and os.access(path, os.W_OK)


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except OSError:
        return 0  # somebody else was faster


def _is_writable(folder: Path) -> bool:
    """Tell whether a folder can be written, or could be made."""
    while not folder.exists() and folder != folder.parent:
        folder = folder.parent
    return os.access(folder, os.W_OK | os.X_OK)


def _cameras() -> list[Path]:
    return sorted(Path("/dev").glob("video*")) if sys.platform.startswith("linux") else []
