"""Finds input files: pictures, videos and cubes, in folders, by pattern or by name."""

import glob
import os
import re
from collections.abc import Callable, Iterator, Sequence
from enum import StrEnum
from pathlib import Path

import msgspec

from engine.errors import ConfigError

__all__ = ("Found", "InputKind", "check_inputs", "find_inputs", "readable")

_PICTURES = (".bmp", ".jpeg", ".jpg", ".png", ".tif", ".tiff", ".webp")
_VIDEOS = (
    ".avi",
    ".flv",
    ".m2ts",
    ".m4v",
    ".mjpeg",
    ".mkv",
    ".mov",
    ".mp4",
    ".mpeg",
    ".mpg",
    ".ts",
    ".webm",
    ".wmv",
)
_CUBES = (".hdr", ".npy")
_REFERENCE = re.compile(r"(?:(?:WHITE|DARK)REF_)(?P<after>.+)|(?P<before>.+)_(?:White|Dark)")


class InputKind(StrEnum):
    """How the frames of an input are read."""

    PICTURE = "picture"
    VIDEO = "video"
    CUBE = "cube"


_KINDS = {
    **dict.fromkeys(_PICTURES, InputKind.PICTURE),
    **dict.fromkeys(_VIDEOS, InputKind.VIDEO),
    **dict.fromkeys(_CUBES, InputKind.CUBE),
}


class Found(msgspec.Struct, frozen=True):
    """One input.

    Attributes
    ----------
    path : absolute.
    name : under which its result stands in the folder of results: relative to the working folder,
        or the whole path without its root.
    kind : None when the suffix says nothing.
    size_bytes : of everything that belongs to it.
    stamp : changes when any file that belongs to it changes.
    """

    path: str
    name: str
    kind: InputKind | None
    size_bytes: int
    stamp: str


def check_inputs(inputs: Sequence[str]) -> None:
    """Refuse what is not there, before anything is done.

    Raises
    ------
    ConfigError
        Naming the first input that does not exist, or whose pattern matches nothing.
    """
    for given in inputs:
        if Path(given).exists():
            continue
        if not glob.has_magic(given):
            raise ConfigError(f"input {given} does not exist; check its path")
        if next(glob.iglob(given, recursive=True), None) is None:  # noqa: PTH207 - absolute ones too
            raise ConfigError(f"no file matches {given}")


def find_inputs(
    inputs: Sequence[str],
    *,
    takes_lines: bool,
    without: Path,
    on_left_out: Callable[[Path, str], None],
) -> Iterator[Found]:
    """Find all inputs, in a stable order; one that is named twice comes twice.

    What vanishes meanwhile is left out. Links to folders are not followed inside folders.

    Parameters
    ----------
    inputs : folders, which are searched with all folders in them, files, and patterns.
    takes_lines : in folders, take cubes instead of pictures and videos.
    without : folder that is not searched.
    on_left_out : called with each file in a folder that the program cannot take, and with each
        folder that cannot be read and why.
    """
    here = Path.cwd()
    wanted = {InputKind.CUBE} if takes_lines else {InputKind.PICTURE, InputKind.VIDEO}
    for given in inputs:
        for path in _expand(given):
            if not path.is_dir():
                yield from _found(path, here)
                continue
            for file in _walk(path, without, on_left_out):
                if _KINDS.get(file.suffix.lower()) in wanted and not _is_reference(file):
                    yield from _found(file, here)
                else:
                    on_left_out(file, "")


def readable(text: str | bytes) -> str:
    """Return text that can be written anywhere: what is no text in a name becomes an escape."""
    if isinstance(text, bytes):
        return text.decode("utf-8", "backslashreplace")
    return text.encode("utf-8", "backslashreplace").decode()


def _expand(given: str) -> Iterator[Path]:
    if Path(given).exists() or not glob.has_magic(given):
        yield Path(given)
        return
    for match in sorted(glob.iglob(given, recursive=True)):  # noqa: PTH207 - absolute ones too
        yield Path(match)


def _walk(folder: Path, without: Path, tell: Callable[[Path, str], None]) -> Iterator[Path]:
    def unreadable(error: OSError) -> None:
        tell(Path(str(error.filename)), f"the folder cannot be read: {error.strerror}")

    for place, folders, files in os.walk(folder, onerror=unreadable):
        here = Path(place)
        folders[:] = sorted(name for name in folders if not _is_same(here / name, without))
        for name in sorted(files):
            yield here / name


def _is_same(folder: Path, other: Path) -> bool:
    try:
        return folder.samefile(other)
    except OSError:
        return False


def _found(path: Path, here: Path) -> Iterator[Found]:
    whole = Path(os.path.abspath(path))  # noqa: PTH100 - links keep the name the user gave them
    try:
        stats = [file.stat() for file in _files_of(whole)]
    except OSError:
        return
    yield Found(
        path=str(whole),
        name=_mirrored(whole, here),
        kind=_KINDS.get(whole.suffix.lower()),
        size_bytes=sum(one.st_size for one in stats),
        stamp=" ".join(f"{one.st_size}:{one.st_mtime_ns}" for one in stats),
    )


def _files_of(path: Path) -> list[Path]:
    """Return the file and, for the header of a cube, what lies beside it under its name."""
    if path.suffix.lower() != ".hdr":
        return [path]
    beside = sorted(path.parent.glob(f"{glob.escape(path.stem)}*"))
    own = [one for one in beside if path.stem in (one.name, one.stem)]
    return [path, *(one for one in own if one != path and one.is_file())]


def _mirrored(path: Path, here: Path) -> str:
    """Return a relative path that stays the same whatever else is named in the command."""
    try:
        shown = path.relative_to(here)
    except ValueError:
        shown = path.relative_to(path.anchor)
    return readable(str(shown))


def _is_reference(path: Path) -> bool:
    """Tell whether a header is the white or dark reference of another one beside it."""
    found = _REFERENCE.fullmatch(path.stem) if path.suffix.lower() == ".hdr" else None
    if found is None:
        return False
    return path.with_name(f"{found['after'] or found['before']}{path.suffix}").exists()
