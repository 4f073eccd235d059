"""The text part of an ENVI file."""

import math
import re
from dataclasses import dataclass
from typing import Any

import numpy as np

from engine.errors import MediaError

__all__ = ("COMMENT", "EnviHeader", "format_header", "parse_header")

COMMENT = "; penstock "
"""Begins the comment line that carries what the format has no field for, as JSON."""

_TYPES = {
    1: "u1",
    2: "i2",
    3: "i4",
    4: "f4",
    5: "f8",
    12: "u2",
    13: "u4",
    14: "i8",
    15: "u8",
}
_AXES = {
    "bip": ("lines", "samples", "bands"),
    "bil": ("lines", "bands", "samples"),
    "bsq": ("bands", "lines", "samples"),
}
_FIELD = re.compile(r"^([^=\n;{}]+?)[ \t]*=[ \t]*(\{[^}]*\}|[^\n]*)$", re.MULTILINE)
_NM = {"nanometers": 1.0, "nm": 1.0, "micrometers": 1000.0, "um": 1000.0, "µm": 1000.0}
_MOST = 2**40


@dataclass(frozen=True)
class EnviHeader:
    """What a header says that is needed to read its data.

    Attributes
    ----------
    dtype : of the stored values, with their byte order.
    axes : order of the axes in the file.
    wavelengths : in nm; empty when there are none, or when their unit is no length.
    extra : the JSON of our own comment line, empty without one.
    """

    lines: int
    samples: int
    bands: int
    offset_bytes: int
    dtype: np.dtype[Any]
    axes: tuple[str, ...]
    wavelengths: tuple[float, ...]
    extra: str

    @property
    def size_bytes(self) -> int:
        """Size of the values in the data file."""
        return self.lines * self.samples * self.bands * self.dtype.itemsize

    @property
    def shape(self) -> tuple[int, ...]:
        """Shape of the values as they are stored."""
        sizes = {"lines": self.lines, "samples": self.samples, "bands": self.bands}
        return tuple(sizes[axis] for axis in self.axes)


def parse_header(text: str, source: str) -> EnviHeader:
    """Read a header.

    Raises
    ------
    MediaError
        When it is no ENVI header, contradicts itself, or is of a kind that is not read here.
    """
    if not text.lstrip("\ufeff").startswith("ENVI"):
        raise _wrong(source, "it does not begin with ENVI")
    fields = {" ".join(key.lower().split()): value.strip() for key, value in _FIELD.findall(text)}
    kind = fields.get("file type", "ENVI Standard")
    if kind.lower() != "envi standard":
        raise _wrong(source, f"its file type is {kind[:40]!r}, only ENVI Standard can be read")
    interleave = fields.get("interleave", "").lower()
    if interleave not in _AXES:
        raise _wrong(source, f"interleave is bip, bil or bsq, not {interleave[:20]!r}")
    code = _number(fields, "data type", source)
    if code not in _TYPES:
        raise _wrong(source, f"its data type {code} is not a real number type")
    swap = _number(fields, "byte order", source, 0)
    if swap not in (0, 1):
        raise _wrong(source, f"byte order is 0 or 1, not {swap}")
    bands = _number(fields, "bands", source)
    return EnviHeader(
        lines=_number(fields, "lines", source),
        samples=_number(fields, "samples", source),
        bands=bands,
        offset_bytes=_number(fields, "header offset", source, 0),
        dtype=np.dtype(("<", ">")[swap] + _TYPES[code]),
        axes=_AXES[interleave],
        wavelengths=_wavelengths(fields, bands, source),
        extra=_extra(text),
    )


def format_header(
    *, shape: tuple[int, int, int], dtype: np.dtype[Any], wavelengths: tuple[float, ...], extra: str
) -> str:
    """Return the header of values (lines, samples, bands) stored as BIP, lowest byte first.

    Raises
    ------
    KeyError
        When ENVI has no number for the dtype.
    """
    codes = {name: code for code, name in _TYPES.items()}
    lines, samples, bands = shape
    rows = [
        "ENVI",
        *([COMMENT + extra] if extra else []),
        f"samples = {samples}",
        f"lines = {lines}",
        f"bands = {bands}",
        "header offset = 0",
        "file type = ENVI Standard",
        f"data type = {codes[dtype.str[1:]]}",
        "interleave = bip",
        "byte order = 0",
    ]
    if wavelengths:
        rows += [
            "wavelength units = Nanometers",
            "wavelength = {" + ", ".join(f"{value:.17g}" for value in wavelengths) + "}",
        ]
    return "\n".join(rows) + "\n"


def _wavelengths(fields: dict[str, str], bands: int, source: str) -> tuple[float, ...]:
    text = fields.get("wavelength", "").strip("{}")
    unit = fields.get("wavelength units", "").strip().lower()
    try:
        values = [float(part) for part in text.replace("\n", " ").split(",") if part.strip()]
    except ValueError as error:
        raise _wrong(source, "its wavelengths are not all numbers") from error
    if not values:
        return ()
    if len(values) != bands or not all(math.isfinite(value) for value in values):
        raise _wrong(source, f"it has {len(values)} wavelengths for {bands} bands")
    factor = _NM.get(unit, 0.0)
    if not unit or unit == "unknown":  # the numbers themselves leave no doubt
        factor = 1.0 if min(values) >= 100 else 1000.0
    return tuple(value * factor for value in values) if factor else ()


def _number(fields: dict[str, str], key: str, source: str, default: int | None = None) -> int:
    text = fields.get(key)
    if text is None and default is not None:
        return default
    least = 0 if default is not None else 1
    try:
        value = int(text or "")
    except ValueError as error:
        raise _wrong(source, f"{key!r} is missing or no whole number") from error
    if not least <= value < _MOST:
        raise _wrong(source, f"{key!r} cannot be {value}")
    return value


def _extra(text: str) -> str:
    for line in text.splitlines():
        if line.startswith(COMMENT):
            return line.removeprefix(COMMENT).strip()
    return ""


def _wrong(source: str, problem: str) -> MediaError:
    return MediaError(
        f"ENVI header {source} cannot be used: {problem}; export the measurement again",
        file=source,
    )
