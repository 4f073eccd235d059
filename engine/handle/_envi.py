"""Reads and writes ENVI files, with the references that lie beside them."""

import os
from pathlib import Path
from typing import Any

import msgspec
import numpy as np

from engine.handle._envi_header import EnviHeader, format_header, parse_header
from engine.handle.calibration import CalibrationInfo
from engine.handle.enums import ValueType
from engine.handle.errors import (
    CalibrationError,
    MeasurementFileError,
    MeasurementOutputError,
)

__all__ = ("DARK", "WHITE", "StoredCube", "read_envi", "write_envi")

Array = np.ndarray[Any, Any]

WHITE = "WhiteReference"
DARK = "DarkReference"

_BESIDE = {WHITE: ("{}_White", "WHITEREF_{}"), DARK: ("{}_Dark", "DARKREF_{}")}
_EXTENSIONS = ("", ".raw", ".bin", ".dat", ".img", ".bip", ".bil", ".bsq", ".cube")
_HEADER_LIMIT_BYTES = 16 * 1024 * 1024


class _Extra(msgspec.Struct, frozen=True):
    """What our own comment line carries."""

    value_type: str = ""
    calibration: str = ""


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
    header, data = _read_one(path)
    references = {name: found for name in _BESIDE if (found := _beside(path, name)) is not None}
    for name, reference in references.items():
        if reference.shape[1:] != data.shape[1:]:
            raise MeasurementFileError(
                f"the {name} beside {path} has {reference.shape[1]} samples and "
                f"{reference.shape[2]} bands, the measurement {data.shape[1]} and "
                f"{data.shape[2]}; remove it or measure it again",
                file=str(path),
            )
    extra, calibration = _extra(header, path)
    return StoredCube(
        data=data,
        value_type=_value_type(extra, data, has_white=WHITE in references, path=path),
        wavelengths=header.wavelengths,
        references=references,
        calibration=calibration,
    )


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
        beside = path.with_name(_BESIDE[name][0].format(path.stem) + ".hdr")
        _write_one(beside, reference, cube.wavelengths, "")
    _write_one(path, cube.data, cube.wavelengths, msgspec.json.encode(extra).decode())


def _read_one(path: Path) -> tuple[EnviHeader, Array]:
    try:
        if path.stat().st_size > _HEADER_LIMIT_BYTES:
            raise MeasurementFileError(
                f"{path} is no ENVI header: it is larger than 16 MiB; give the .hdr file",
                file=str(path),
            )
        text = path.read_bytes().decode("utf-8", "replace")
    except OSError as error:
        raise _unreadable(path, error) from error
    header = parse_header(text, str(path))
    return header, _read_values(_data_file(path), header)


def _read_values(path: Path, header: EnviHeader) -> Array:
    """Return values as (lines, samples, bands), in this machine's byte order."""
    try:
        size_bytes = path.stat().st_size
        if size_bytes < header.offset_bytes + header.size_bytes:
            raise MeasurementFileError(
                f"ENVI data {path} has {size_bytes} bytes, its header asks for "
                f"{header.offset_bytes + header.size_bytes}; it is cut off, copy it again",
                file=str(path),
            )
        count = header.size_bytes // header.dtype.itemsize
        flat = np.fromfile(path, header.dtype, count, offset=header.offset_bytes)
    except OSError as error:
        raise _unreadable(path, error) from error
    order = [header.axes.index(axis) for axis in ("lines", "samples", "bands")]
    values = flat.reshape(header.shape).transpose(order)
    return np.ascontiguousarray(values, header.dtype.newbyteorder("="))


def _data_file(path: Path) -> Path:
    stem = path.with_suffix("") if path.suffix.lower() == ".hdr" else path
    for extension in _EXTENSIONS:
        for name in (extension, extension.upper()):
            candidate = stem.with_name(stem.name + name)
            if candidate != path and candidate.is_file():
                return candidate
    raise MeasurementFileError(
        f"there is no data file beside ENVI header {path}; it is called {stem.name}.raw, .bin, "
        ".dat, .img, .bip, .bil, .bsq, .cube, or has no extension",
        file=str(path),
    )


def _beside(path: Path, name: str) -> Array | None:
    for pattern in _BESIDE[name]:
        candidate = path.with_name(pattern.format(path.stem) + path.suffix)
        if candidate.is_file():
            return _read_one(candidate)[1]
    return None


def _extra(header: EnviHeader, path: Path) -> tuple[_Extra, CalibrationInfo]:
    try:
        extra = msgspec.json.decode(header.extra, type=_Extra) if header.extra else _Extra()
        info = CalibrationInfo.from_text(extra.calibration or "{}")
    except (msgspec.MsgspecError, CalibrationError) as error:
        raise MeasurementFileError(
            f"ENVI header {path} has a damaged comment line ({error}); remove the line",
            file=str(path),
        ) from error
    return extra, info


def _value_type(extra: _Extra, data: Array, *, has_white: bool, path: Path) -> ValueType:
    """Return what is written down; else counts, and what has a white reference, are intensities."""
    if extra.value_type:
        if extra.value_type not in ValueType.__members__:
            raise MeasurementFileError(
                f"ENVI header {path} says the unknown value type {extra.value_type[:40]!r}; "
                f"known are {', '.join(ValueType.__members__)}",
                file=str(path),
            )
        return ValueType[extra.value_type]
    return ValueType.Intensity if has_white or data.dtype.kind != "f" else ValueType.Reflectance


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
    _replace(path.with_suffix(".raw"), values.tobytes())
    _replace(path, header.encode())


def _replace(path: Path, content: bytes) -> None:
    """Write a file so that a crash leaves either the old one or the new one."""
    beside = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        beside.write_bytes(content)
        beside.replace(path)
    except OSError as error:
        beside.unlink(missing_ok=True)
        raise MeasurementOutputError(
            f"measurement {path} cannot be written: {error.strerror or error}; choose another "
            "place",
            file=str(path),
            os_error=error.errno or 0,
        ) from error


def _unreadable(path: Path, error: OSError) -> MeasurementFileError:
    return MeasurementFileError(
        f"measurement file {path} cannot be read: {error.strerror or error}; check its name",
        file=str(path),
        os_error=error.errno or 0,
    )
