"""Reads and writes ENVI files, with the references that lie beside them."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import msgspec
import numpy as np

from engine.drivers.envi import beside, open_envi, read_values
from engine.drivers.envi_header import format_header
from engine.errors import MediaError
from engine.handle.calibration import CalibrationInfo
from engine.handle.enums import ValueType
from engine.handle.errors import (
    CalibrationError,
    MeasurementFileError,
    MeasurementOutputError,
)

__all__ = (
    "StoredCube",
    "read_envi",
    "read_envi_calibration",
    "read_envi_reference",
    "replace_file",
    "write_envi",
)

Array = np.ndarray[Any, Any]


class _Extra(msgspec.Struct, frozen=True):
    """What our own comment line carries."""

    value_type: str
    calibration: str


class StoredCube(msgspec.Struct, frozen=True):
    """A cube of a file: values (lines, samples, bands), and what is known about them.

    `references` holds those that lie beside it, by name; `wavelengths` are in nm, may be empty.
    """

    data: Any
    value_type: ValueType
    wavelengths: tuple[float, ...]
    references: dict[str, Any]
    calibration: CalibrationInfo


def read_envi(path: Path) -> StoredCube:
    """Read a header, its data, and the references beside it.

    Raises
    ------
    MeasurementFileError
        When something is missing, cut off, or cannot be understood.
    """
    with _measurement_errors():
        file = open_envi(path)
        data = read_values(file)
        references = {
            name: read_values(open_envi(found)) for name, found in file.references.items()
        }
    for name, reference in references.items():
        if reference.shape[1:] != data.shape[1:]:
            raise MeasurementFileError(
                f"the {name} beside {path} has {reference.shape[1]} samples and "
                f"{reference.shape[2]} bands, the measurement {data.shape[1]} and "
                f"{data.shape[2]}; remove it or measure it again",
                file=str(path),
            )
    return StoredCube(
        data=data,
        value_type=ValueType[file.value_type],
        wavelengths=file.header.wavelengths,
        references=references,
        calibration=_calibration(file.calibration, path),
    )


def read_envi_reference(path: Path) -> Array:
    """Read a reference alone, shape (lines, samples, bands).

    Raises
    ------
    MeasurementFileError
        When it cannot be read.
    """
    with _measurement_errors():
        return read_values(open_envi(path))


def read_envi_calibration(path: Path) -> CalibrationInfo:
    """Read what a header says about its instrument; no value is read.

    Raises
    ------
    MeasurementFileError
        When it cannot be read.
    """
    with _measurement_errors():
        return _calibration(open_envi(path).calibration, path)


def write_envi(path: Path, cube: StoredCube) -> None:
    """Write a cube, and its references beside it.

    Raises
    ------
    MeasurementOutputError
        When it cannot be written.
    """
    if path.suffix.lower() != ".hdr":
        raise MeasurementOutputError(
            f"measurement {path} cannot be written: an ENVI file's name ends in .hdr; "
            f"use {path.name}.hdr",
            file=str(path),
        )
    extra = _Extra(cube.value_type.name, cube.calibration.to_text())
    for name, reference in cube.references.items():
        _write_one(beside(path, name), reference, cube.wavelengths, "")
    _write_one(path, cube.data, cube.wavelengths, msgspec.json.encode(extra).decode())


def replace_file(path: Path, content: bytes, what: str) -> None:
    """Write a file so that a crash leaves either the old one or the new one.

    Raises
    ------
    MeasurementOutputError
        When it cannot be written; `what` is how the sentence calls it.
    """
    hidden = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        hidden.write_bytes(content)
        hidden.replace(path)
    except OSError as error:
        hidden.unlink(missing_ok=True)
        raise MeasurementOutputError(
            f"{what} {path} cannot be written: {error.strerror or error}; choose another place",
            file=str(path),
            os_error=error.errno or 0,
        ) from error


@contextmanager
def _measurement_errors() -> Iterator[None]:
    try:
        yield
    except MediaError as error:
        raise MeasurementFileError(error.message, **error.details) from error


def _calibration(text: str, path: Path) -> CalibrationInfo:
    try:
        return CalibrationInfo.from_text(text or "{}")
    except CalibrationError as error:
        raise MeasurementFileError(
            f"ENVI header {path} has a damaged comment line ({error}); remove the line",
            file=str(path),
        ) from error


def _write_one(path: Path, data: Array, wavelengths: tuple[float, ...], extra: str) -> None:
    """Write the data, then the header that makes it count."""
    values = np.ascontiguousarray(data, data.dtype.newbyteorder("<"))
    shape = (values.shape[0], values.shape[1], values.shape[2])
    try:
        header = format_header(
            shape=shape, dtype=values.dtype, wavelengths=wavelengths, extra=extra
        )
    except KeyError as error:
        raise MeasurementOutputError(
            f"measurement {path} cannot be written: ENVI has no {values.dtype} values; convert "
            "them to another number type",
            file=str(path),
        ) from error
    replace_file(path.with_suffix(".raw"), values.tobytes(), "measurement")
    replace_file(path, header.encode(), "measurement")
