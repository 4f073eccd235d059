"""Finds drivers by their manifests. No code of a driver is ever imported here."""

import difflib
from collections.abc import Sequence
from pathlib import Path

import msgspec

from engine.drivers.manifest import MANIFEST_NAME, DriverEntry, read_manifest
from engine.errors import DriverDirectoryMissingError, DriverError, DriverNotFoundError
from engine.protocol import DriverState

__all__ = ("BUILTIN_FOLDER", "DriverCatalog")

BUILTIN_FOLDER = Path(__file__).parent / "builtin"


class DriverCatalog:
    """The built-in drivers and those in further folders.

    Parameters
    ----------
    folders : folders that contain driver folders, or are one. Where two drivers have the same
        name, the first one found is used and the other is listed with a problem.

    Raises
    ------
    DriverDirectoryMissingError
        When a folder is not there or cannot be listed.
    """

    def __init__(self, folders: Sequence[Path | str] = ()) -> None:
        self._folders = tuple(Path(folder) for folder in folders)
        self._entries: dict[str, DriverEntry] = {}
        for folder in (BUILTIN_FOLDER, *self._folders):
            for entry in _scan(folder):
                self._add(entry)

    @property
    def folders(self) -> tuple[Path, ...]:
        """The folders given, without the built-in one."""
        return self._folders

    def states(self) -> tuple[DriverState, ...]:
        """Return all drivers as clients see them, those with a problem too."""
        return tuple(entry.state() for entry in self._entries.values())

    def get(self, name: str) -> DriverEntry:
        """Return a usable driver.

        Raises
        ------
        DriverNotFoundError
            When no driver has that name.
        DriverError
            When the driver has a problem; the sentence is the problem.
        """
        entry = self._entries.get(name)
        if entry is None:
            near = difflib.get_close_matches(name, self._entries, n=1)
            hint = f"did you mean {near[0]!r}?" if near else f"known are {', '.join(self._entries)}"
            raise DriverNotFoundError(f"there is no driver {name!r}; {hint}", driver=name)
        if entry.problem:
            raise DriverError(entry.problem, driver=name)
        return entry

    def _add(self, entry: DriverEntry) -> None:
        first = self._entries.get(entry.name)
        if first is not None:
            entry = msgspec.structs.replace(
                entry,
                name=f"{entry.name} in {entry.folder}",
                problem=f"driver {entry.name!r} in {entry.folder} is not used: "
                f"the one in {first.folder} has the same name",
            )
        self._entries[entry.name] = entry


def _scan(folder: Path) -> list[DriverEntry]:
    try:
        if (folder / MANIFEST_NAME).is_file():
            return [_read(folder)]
        inner = sorted(child for child in folder.iterdir() if (child / MANIFEST_NAME).is_file())
    except OSError as error:
        reason = "it does not exist" if isinstance(error, FileNotFoundError) else error.strerror
        raise DriverDirectoryMissingError(
            f"driver folder {folder} cannot be used: {reason}; create it or take it off the list",
            folder=str(folder),
        ) from error
    return [_read(child) for child in inner]


def _read(folder: Path) -> DriverEntry:
    try:
        return read_manifest(folder.absolute())
    except DriverError as error:
        return DriverEntry(
            name=folder.name, label=folder.name, folder=str(folder), problem=error.message
        )
