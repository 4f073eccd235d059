"""What a source delivers: format of its frames and the truth it may know about them."""

from enum import StrEnum

import msgspec

__all__ = ("FrameFormat", "FrameKind", "Truth", "TruthObject")


class FrameKind(StrEnum):
    """How the values of a frame are to be read."""

    IMAGE = "image"
    """A picture: shape (height, width, 3), uint8, channels red, green, blue."""
    LINE = "line"
    """A line of spectra: shape (pixels, bands), uint16 or float32."""


class FrameFormat(msgspec.Struct, frozen=True):
    """Shape and dtype of every frame of a source, and its nominal rate.

    Attributes
    ----------
    shape : (height, width, 3) of a picture, (pixels, bands) of a line.
    dtype : NumPy name of the value type, for example "uint8".
    rate_hz : frames per second the source delivers on its own clock; 0 when it has none.
    frame_count : frames until the source ends; 0 when it does not end.
    wavelengths_nm : center wavelength of each band of a line, may be empty.
    """

    kind: FrameKind
    shape: tuple[int, ...]
    dtype: str
    rate_hz: float = 0.0
    frame_count: int = 0
    wavelengths_nm: tuple[float, ...] = ()


class TruthObject(msgspec.Struct, frozen=True):
    """Something the source knows to be in the frame; box as fractions of width and height."""

    label: str
    x: float = 0.0
    y: float = 0.0
    width: float = 1.0
    height: float = 1.0


class Truth(msgspec.Struct, frozen=True):
    """What a source knows about one frame: objects of a picture, classes of a line's pixels."""

    objects: tuple[TruthObject, ...] = ()
    classes: tuple[int, ...] = ()
