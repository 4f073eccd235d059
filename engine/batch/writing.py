"""Result files that are there whole or not at all."""

import contextlib
import errno
import secrets
from collections.abc import Iterable
from pathlib import Path
from typing import Self

import msgspec

from engine.batch.parquet import ParquetRows
from engine.batch.rows import FrameRow
from engine.config import Task
from engine.errors import EngineError, OutputError

__all__ = ("InputOutputError", "ResultFiles", "result_paths", "write_list")

_FOR_ALL = (errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EIO, errno.ESTALE, errno.ENOENT)


class InputOutputError(EngineError):
    """The result of one input cannot be written; those of others may."""

    code = "result"


def result_paths(out: Path, name: str) -> tuple[Path, Path]:
    """Return where the result of an input stands, as JSON Lines and as Parquet."""
    return out / f"{name}.jsonl", out / f"{name}.parquet"


class ResultFiles:
    """Writes the rows of one input aside, and puts the files in their place when they are whole.

    Leaving the ``with`` block without `finish` leaves nothing.

    Parameters
    ----------
    aside : folder in the same file system as the results.
    out : folder of the results.
    name : of the input.
    task : the program's; None writes no Parquet.

    Raises
    ------
    OutputError
        When nothing can be written any more, for example because the disk is full.
    InputOutputError
        When just this result cannot be written.
    """

    def __init__(
        self, aside: Path, out: Path, name: str, task: Task | None, *, has_pixels: bool = False
    ) -> None:
        self._name = name
        self._targets = result_paths(out, name)
        token = secrets.token_hex(12)  # several machines write into this folder
        self._parts = result_paths(aside, token)
        self._encoder = msgspec.json.Encoder()
        self._parquet: ParquetRows | None = None
        self._is_finished = False
        try:
            self._lines = self._parts[0].open("wb")
            if task is not None:
                self._parquet = ParquetRows(self._parts[1], task, has_pixels=has_pixels)
        except OSError as error:
            self._abandon()
            raise self._refusal(error) from error
        except BaseException:
            self._abandon()
            raise

    def write(self, row: FrameRow) -> None:
        """Add a row."""
        try:
            self._lines.write(self._encoder.encode(row) + b"\n")
            if self._parquet is not None:
                self._parquet.write(row)
        except OSError as error:
            raise self._refusal(error) from error

    def finish(self) -> int:
        """Put the files in their place; return the size of the lines in bytes."""
        try:
            size_bytes = self._lines.tell()
            self._lines.close()
            if self._parquet is not None:
                self._parquet.close()
                _move(self._parts[1], self._targets[1])
            _move(self._parts[0], self._targets[0])
        except OSError as error:
            raise self._refusal(error) from error
        self._is_finished = True
        return size_bytes

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if not self._is_finished:
            self._abandon()

    def _abandon(self) -> None:
        """Close and remove what is still aside."""
        with contextlib.suppress(OSError, AttributeError):
            self._lines.close()
        if self._parquet is not None:
            with contextlib.suppress(OSError):
                self._parquet.close()
        for part in self._parts:
            with contextlib.suppress(OSError):
                part.unlink(missing_ok=True)

    def _refusal(self, error: OSError) -> EngineError:
        reason = error.strerror or str(error)
        if error.errno in _FOR_ALL:
            return OutputError(
                f"results cannot be written to {self._targets[0].parent}: {reason}; make room or "
                "mend the place, then run the same command again",
                os_error=error.errno or 0,
            )
        return InputOutputError(f"the result of {self._name} cannot be written: {reason}")


def _move(part: Path, target: Path) -> None:
    """Put a file in its place; its folder mostly is there, and asking costs time on a network."""
    try:
        part.replace(target)
    except FileNotFoundError:
        target.parent.mkdir(parents=True, exist_ok=True)
        part.replace(target)


def write_list(path: Path, rows: Iterable[msgspec.Struct]) -> int:
    """Replace a list of results by a new one, line by line; without rows there is no file.

    Returns
    -------
    int
        How many rows there were.

    Raises
    ------
    OutputError
        When it cannot be written; what was there stays.
    """
    encoder = msgspec.json.Encoder()
    part = path.with_name(f".{path.name}.part")
    count = 0
    try:
        with part.open("wb") as file:
            for row in rows:
                file.write(encoder.encode(row) + b"\n")
                count += 1
        if count:
            part.replace(path)
        else:
            part.unlink()
            path.unlink(missing_ok=True)
    except OSError as error:
        with contextlib.suppress(OSError):
            part.unlink(missing_ok=True)
        raise OutputError(
            f"{path} cannot be written: {error.strerror or error}; "
            "the results are whole, run the same command again for the list"
        ) from error
    return count
