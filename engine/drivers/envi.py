"""Finds ENVI files, their data and the references beside them; for drivers and for measurements."""

import mmap
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec
import numpy as np

from engine.drivers.envi_header import EnviHeader, parse_header
from engine.errors import MediaError
from engine.protocol import VALUE_TYPES

__all__ = (
    "DARK",
    "WHITE",
    "EnviFile",
    "beside",
    "map_values",
    "open_envi",
    "read_values",
    "unreadable",
)

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


@dataclass(frozen=True)
class EnviFile:
    """A header that was read, and where everything else lies.

    Attributes
    ----------
    path, data_path : of the header and of the values.
    value_type : what the values are, one of `VALUE_TYPES`; guessed when the file does not say:
        whole numbers, and what has a white reference, are intensities.
    calibration : JSON of the comment line, empty without one.
    references : header of each reference that lies beside it, by name.
    """

    path: Path
    data_path: Path
    header: EnviHeader
    value_type: str
    calibration: str
    references: dict[str, Path]


def open_envi(path: Path) -> EnviFile:
    """Read a header and find what belongs to it; no value is read.

    Raises
    ------
    MediaError
        When something is missing, cut off, or cannot be understood.
    """
    header = _read_header(path)
    data_path = _data_file(path)
    _check_size(data_path, header)
    references = {name: found for name in _BESIDE if (found := _reference(path, name)) is not None}
    extra = _extra(header, path)
    return EnviFile(
        path=path,
        data_path=data_path,
        header=header,
        value_type=_value_type(extra, header, has_white=WHITE in references, path=path),
        calibration=extra.calibration,
        references=references,
    )


def beside(path: Path, name: str) -> Path:
    """Return the header file under which a reference of a measurement is written."""
    return path.with_name(_BESIDE[name][0].format(path.stem) + ".hdr")


def read_values(file: EnviFile) -> Array:
    """Read all values, shape (lines, samples, bands), in this machine's byte order.

    Raises
    ------
    MediaError
        When they cannot be read.
    """
    header = file.header
    count = header.size_bytes // header.dtype.itemsize
    try:
        flat = np.fromfile(file.data_path, header.dtype, count, offset=header.offset_bytes)
    except OSError as error:
        raise unreadable(file.data_path, error) from error
    if flat.size < count:
        _check_size(file.data_path, header)
    return np.ascontiguousarray(_as_lines(flat, header), header.dtype.newbyteorder("="))


def map_values(file: EnviFile) -> tuple[Array, mmap.mmap]:
    """Map the values, shape (lines, samples, bands), as they are stored; nothing is read yet.

    A file that somebody cuts off while it is mapped ends the process: for drivers' processes only.
    """
    header = file.header
    try:
        with file.data_path.open("rb") as opened:
            mapped = mmap.mmap(opened.fileno(), 0, access=mmap.ACCESS_READ)
    except (OSError, ValueError) as error:
        raise MediaError(
            f"ENVI data {file.data_path} cannot be mapped: {error}; copy it to a local disk",
            file=str(file.data_path),
        ) from error
    stored = np.ndarray(header.shape, header.dtype, mapped, header.offset_bytes)
    return _as_lines(stored, header), mapped


def unreadable(path: Path, error: OSError) -> MediaError:
    """Return the error for a file that the system does not let us read."""
    return MediaError(
        f"measurement file {path} cannot be read: {error.strerror or error}; check its name",
        file=str(path),
        os_error=error.errno or 0,
    )


def _as_lines(values: Array, header: EnviHeader) -> Array:
    order = [header.axes.index(axis) for axis in ("lines", "samples", "bands")]
    return values.reshape(header.shape).transpose(order)


def _read_header(path: Path) -> EnviHeader:
    try:
        if path.stat().st_size > _HEADER_LIMIT_BYTES:
            raise MediaError(
                f"{path} is no ENVI header: it is larger than 16 MiB; give the .hdr file",
                file=str(path),
            )
        text = path.read_bytes().decode("utf-8", "replace")
    except OSError as error:
        raise unreadable(path, error) from error
    return parse_header(text, str(path))


def _check_size(path: Path, header: EnviHeader) -> None:
    try:
        size_bytes = path.stat().st_size
    except OSError as error:
        raise unreadable(path, error) from error
    if size_bytes < header.offset_bytes + header.size_bytes:
        raise MediaError(
            f"ENVI data {path} has {size_bytes} bytes, its header asks for "
            f"{header.offset_bytes + header.size_bytes}; it is cut off, copy it again",
            file=str(path),
        )


def _data_file(path: Path) -> Path:
    stem = path.with_suffix("") if path.suffix.lower() == ".hdr" else path
    for extension in _EXTENSIONS:
        for name in (extension, extension.upper()):
            candidate = stem.with_name(stem.name + name)
            if candidate != path and candidate.is_file():
                return candidate
    raise MediaError(
        f"there is no data file beside ENVI header {path}; it is called {stem.name}.raw, .bin, "
        ".dat, .img, .bip, .bil, .bsq, .cube, or has no extension",
        file=str(path),
    )


def _reference(path: Path, name: str) -> Path | None:
    for pattern in _BESIDE[name]:
        candidate = path.with_name(pattern.format(path.stem) + path.suffix)
        if candidate.is_file():
            return candidate
    return None


def _extra(header: EnviHeader, path: Path) -> _Extra:
    try:
        return msgspec.json.decode(header.extra, type=_Extra) if header.extra else _Extra()
    except msgspec.MsgspecError as error:
        raise MediaError(
            f"ENVI header {path} has a damaged comment line ({error}); remove the line",
            file=str(path),
        ) from error


def _value_type(extra: _Extra, header: EnviHeader, *, has_white: bool, path: Path) -> str:
    if not extra.value_type:
        return "Intensity" if has_white or header.dtype.kind != "f" else "Reflectance"
    if extra.value_type not in VALUE_TYPES:
        raise MediaError(
            f"ENVI header {path} says the unknown value type {extra.value_type[:40]!r}; "
            f"known are {', '.join(VALUE_TYPES)}",
            file=str(path),
        )
    return extra.value_type
