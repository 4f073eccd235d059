"""Checks of frame formats, and frames as arrays over a slot's bytes."""

import math

import numpy as np

from engine.drivers.base import Frame
from engine.errors import DriverProtocolError
from engine.protocol import VALUE_TYPES, FrameFormat, FrameKind

__all__ = ("check_format", "frame_bytes", "frame_view")

_DTYPES = {FrameKind.IMAGE: ("uint8",), FrameKind.LINE: ("uint16", "float32")}
_NAMES = {FrameKind.IMAGE: "picture", FrameKind.LINE: "line"}
_SIZE_LIMIT_BYTES = 512 * 1024 * 1024


def check_format(frame_format: FrameFormat, *, driver: str) -> None:
    """Refuse a format that the engine cannot carry.

    Raises
    ------
    DriverProtocolError
        Naming the driver and what is wrong with the format.
    """
    problem = _problem(frame_format)
    if problem:
        raise DriverProtocolError(
            f"driver {driver!r} announced frames the engine cannot carry: {problem}; "
            f"correct its open()",
            driver=driver,
        )


def frame_bytes(frame_format: FrameFormat) -> int:
    """Return the size of one frame in bytes."""
    return math.prod(frame_format.shape) * np.dtype(frame_format.dtype).itemsize


def frame_view(buffer: memoryview, frame_format: FrameFormat) -> Frame:
    """Return the frame that lies at the beginning of a slot, without a copy."""
    values = np.frombuffer(buffer, dtype=frame_format.dtype, count=math.prod(frame_format.shape))
    return values.reshape(frame_format.shape)


def _problem(frame_format: FrameFormat) -> str:
    shape, kind = frame_format.shape, frame_format.kind
    if frame_format.dtype not in _DTYPES[kind]:
        wanted = " or ".join(_DTYPES[kind])
        return f"the values of a {_NAMES[kind]} are {wanted}, not {frame_format.dtype}"
    if any(size < 1 for size in shape):
        return f"shape {shape} has an axis without values"
    if kind is FrameKind.IMAGE and (len(shape) != 3 or shape[2] != 3):
        return f"the shape of a picture is (height, width, 3), not {shape}"
    if kind is FrameKind.LINE and len(shape) != 2:
        return f"the shape of a line is (pixels, bands), not {shape}"
    if not 0.0 <= frame_format.rate_hz <= 100_000.0:
        return f"a rate is 0 to 100000 frames per second, not {frame_format.rate_hz}"
    if frame_bytes(frame_format) > _SIZE_LIMIT_BYTES:
        return f"a frame of shape {shape} is larger than 512 MiB"
    return _spectral_problem(frame_format)


def _spectral_problem(frame_format: FrameFormat) -> str:
    wavelengths, bands = frame_format.wavelengths_nm, frame_format.shape[-1]
    if wavelengths and (frame_format.kind is not FrameKind.LINE or len(wavelengths) != bands):
        return f"there are {len(wavelengths)} wavelengths for {bands} bands"
    if not all(0 < value < float("inf") for value in wavelengths):
        return "wavelengths are positive numbers in nm"
    if frame_format.value_type not in ("", *VALUE_TYPES):
        return f"value_type is {', '.join(VALUE_TYPES)} or empty, not {frame_format.value_type!r}"
    return ""
