"""The file of a measured reference, ``.fluxref``: a header in JSON, then the values.

===========  ======================================================================
bytes        content
===========  ======================================================================
18           ``PENSTOCK-FLUXREF`` and two line feeds
4            size of the header, unsigned, lowest byte first
header size  JSON: version, driver, device, shape, dtype, wavelengths_nm, settings,
             sha256 of the values
the rest     values, lowest byte first, last axis fastest; shape (frames, samples, bands)
===========  ======================================================================
"""

import hashlib
import math
import struct
from pathlib import Path
from typing import Any

import msgspec
import numpy as np

from engine.config import ParameterValue
from engine.handle.errors import MeasurementFileError

__all__ = (
    "StoredReference",
    "decode_reference",
    "encode_reference",
    "is_known_to_affect_references",
    "read_reference",
)

Array = np.ndarray[Any, Any]

_MAGIC = b"PENSTOCK-FLUXREF\n\n"
_VERSION = 1
_SIZE = struct.Struct("<I")
_HEADER_LIMIT_BYTES = 1024 * 1024
_LIMIT_BYTES = 4 * 1024**3
_DTYPES = ("uint8", "uint16", "float32")

# As cameras call them (the GenICam naming convention), in lower case without separators.
_KNOWN = (
    "analoggain",
    "binning",
    "blacklevel",
    "decimation",
    "exposure",
    "gain",
    "height",
    "integrationtime",
    "offset",
    "pixelformat",
    "reverse",
    "roi",
    "width",
)


class _Header(msgspec.Struct, frozen=True):
    version: int
    driver: str
    device: str
    shape: tuple[int, ...]
    dtype: str
    sha256: str
    wavelengths_nm: tuple[float, ...] = ()
    settings: dict[str, ParameterValue] = {}


class StoredReference(msgspec.Struct, frozen=True):
    """A reference: its frames, and the settings they were measured with.

    Attributes
    ----------
    frames : ndarray, shape (frames, samples, bands)
    settings : parameters of the device that references depend on.
    """

    driver: str
    device: str
    frames: Any
    wavelengths: tuple[float, ...]
    settings: dict[str, ParameterValue]


def is_known_to_affect_references(parameter: str) -> bool:
    """Tell whether a parameter's name says that a reference depends on it, as ``ExposureTime``."""
    name = "".join(letter for letter in parameter.lower() if letter.isalnum())
    return name.startswith(_KNOWN)


def encode_reference(reference: StoredReference) -> bytes:
    """Return the file's content."""
    frames = np.ascontiguousarray(reference.frames, reference.frames.dtype.newbyteorder("<"))
    values = frames.tobytes()
    header = msgspec.json.encode(
        _Header(
            version=_VERSION,
            driver=reference.driver,
            device=reference.device,
            shape=frames.shape,
            dtype=frames.dtype.name,
            sha256=hashlib.sha256(values).hexdigest(),
            wavelengths_nm=reference.wavelengths,
            settings=reference.settings,
        )
    )
    return b"".join((_MAGIC, _SIZE.pack(len(header)), header, values))


def read_reference(path: Path) -> StoredReference:
    """Read a file.

    Raises
    ------
    MeasurementFileError
        When it cannot be read, or is no such file.
    """
    try:
        if path.stat().st_size > _LIMIT_BYTES:
            raise _wrong(path, "is larger than 4 GiB, which no reference is")
        data = path.read_bytes()
    except OSError as error:
        raise MeasurementFileError(
            f"reference {path} cannot be read: {error.strerror or error}; check its name",
            file=str(path),
            os_error=error.errno or 0,
        ) from error
    return decode_reference(data, path)


def decode_reference(data: bytes, path: Path) -> StoredReference:
    """Read a file's content; `path` names it in errors."""
    if not data.startswith(_MAGIC):
        raise _wrong(path, "was not written by exportReference of Penstock")
    begin = len(_MAGIC) + _SIZE.size
    size = _SIZE.unpack(data[len(_MAGIC) : begin])[0] if len(data) >= begin else 0
    if not 0 < size <= min(_HEADER_LIMIT_BYTES, len(data) - begin):
        raise _wrong(path, "is cut off")
    try:
        header = msgspec.json.decode(data[begin : begin + size], type=_Header)
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise _wrong(path, f"has a damaged header ({error})") from error
    return _reference(header, data[begin + size :], path)


def _reference(header: _Header, values: bytes, path: Path) -> StoredReference:
    if header.version != _VERSION:
        raise _wrong(
            path, f"is of version {header.version}, this Penstock reads version {_VERSION}"
        )
    is_sensible = (
        header.dtype in _DTYPES
        and len(header.shape) == 3
        and all(0 < size < 2**31 for size in header.shape)
    )
    if not is_sensible:
        raise _wrong(path, f"says an impossible shape or type, {header.shape} {header.dtype[:20]}")
    dtype = np.dtype(header.dtype).newbyteorder("<")
    if len(values) != math.prod(header.shape) * dtype.itemsize:
        raise _wrong(path, "is cut off")
    if hashlib.sha256(values).hexdigest() != header.sha256:
        raise _wrong(path, "is damaged: its values are not those that were written")
    frames = np.frombuffer(values, dtype).reshape(header.shape)
    return StoredReference(
        driver=header.driver,
        device=header.device,
        frames=frames.astype(dtype.newbyteorder("=")),
        wavelengths=header.wavelengths_nm,
        settings=header.settings,
    )


def _wrong(path: Path, problem: str) -> MeasurementFileError:
    return MeasurementFileError(
        f"reference {path} {problem}; measure the reference again and export it", file=str(path)
    )
