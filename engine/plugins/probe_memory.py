"""Remembers what probes of plugins found, so that not every process has to start them.

The file lies in the user's private runtime folder. Its name stands for everything that decides what
plugins find: the system's start, the Python, what is installed in it, the device files, and the
variables that plugins read. When one of these changes, nothing is remembered.
"""

import contextlib
import hashlib
import json
import logging
import os
import site
import sys
import sysconfig
import tempfile
import time
from collections.abc import Iterable, Mapping
from pathlib import Path

import msgspec

from engine.errors import EngineError
from engine.plugins.probe_children import TIMED_OUT
from engine.plugins.probing import ProbeAnswer
from engine.process import boot_id
from engine.process.runtime import runtime_folder

__all__ = ("recall", "remember")

log = logging.getLogger(__name__)

_KEPT_S = 24 * 3600.0
_REFUSAL_KEPT_S = 300.0  # what is missing may be switched on, or be installed elsewhere
_VARIABLES = (
    "CUDA_VISIBLE_DEVICES",
    "LD_LIBRARY_PATH",
    "PENSTOCK_SIMULATOR",
    "PYTHONPATH",
)
_DEVICE_FILES = ("memx*", "nvidia*", "dri/render*", "accel/*")


class _Remembered(msgspec.Struct, frozen=True):
    """One answer; `at_s` is the time of day."""

    at_s: float
    answer: ProbeAnswer


_Answers = dict[str, _Remembered]


def recall(keys: Iterable[str]) -> dict[str, ProbeAnswer]:
    """Return what is remembered of plugins, by key; what is too old is forgotten."""
    now_s = time.time()
    return {
        key: known[key].answer
        for known in [_read(_path())]
        for key in keys
        if key in known and _is_fresh(known[key], now_s)
    }


def remember(answers: Mapping[str, ProbeAnswer]) -> None:
    """Keep what probes found for other processes; does nothing where that cannot be written."""
    path = _path()
    if path is None or not answers:
        return
    now_s = time.time()
    known = _read(path) | {key: _Remembered(now_s, answer) for key, answer in answers.items()}
    try:
        with tempfile.NamedTemporaryFile(dir=path.parent, prefix=path.name, delete=False) as file:
            file.write(msgspec.json.encode(known))
        Path(file.name).replace(path)
        _forget_others(path, now_s)
    except OSError as error:
        log.debug("what probes found is not remembered: %s", error)


def _is_fresh(one: _Remembered, now_s: float) -> bool:
    report = one.answer.report
    # One that hangs delays whoever asks, so that it is not asked again soon.
    is_kept = report.is_available or TIMED_OUT in report.reason
    kept_s = _KEPT_S if is_kept else _REFUSAL_KEPT_S
    return 0 <= now_s - one.at_s < kept_s


def _read(path: Path | None) -> _Answers:
    if path is None:
        return {}
    try:
        return msgspec.json.decode(path.read_bytes(), type=_Answers)
    except (OSError, msgspec.DecodeError):
        return {}


def _path() -> Path | None:
    """Return where the answers for this situation lie; None without a private folder."""
    try:
        folder = runtime_folder()
    except (EngineError, OSError):
        return None
    situation = json.dumps(_situation()).encode()
    return folder / f"plugins-{hashlib.sha256(situation).hexdigest()[:20]}.json"


def _situation() -> list[object]:
    """Return everything that may change what a plugin finds."""
    variables = {name: os.environ.get(name, "") for name in _VARIABLES}
    paths = {sysconfig.get_path("purelib"), sysconfig.get_path("platlib"), sys.executable}
    paths |= set(variables["PYTHONPATH"].split(os.pathsep))
    if getattr(site, "ENABLE_USER_SITE", False):  # a packaged application has none
        paths.add(site.getusersitepackages())
    paths.add(str(Path(__file__).parent))
    if variables["PENSTOCK_SIMULATOR"].endswith(".toml"):
        paths.add(variables["PENSTOCK_SIMULATOR"])
    devices = [str(path) for glob in _DEVICE_FILES for path in Path("/dev").glob(glob)]
    return [
        boot_id(),
        sys.version,
        sys.prefix,
        variables,
        [(path, _changed_ns(path)) for path in sorted(filter(None, paths))],
        sorted(devices),
    ]


def _changed_ns(path: str) -> int:
    """Return when an entry of a folder was made or removed last; installing does that."""
    with contextlib.suppress(OSError):
        return Path(path).stat().st_mtime_ns
    return 0


def _forget_others(path: Path, now_s: float) -> None:
    """Remove the files of situations that are long past."""
    for other in path.parent.glob("plugins-*"):
        with contextlib.suppress(OSError):
            if other != path and now_s - other.stat().st_mtime > _KEPT_S:
                other.unlink()
