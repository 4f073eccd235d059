"""What a source delivers: format of its frames and the truth it may know about them."""

from enum import StrEnum

import msgspec

__all__ = ("VALUE_TYPES", "FrameFormat", "FrameKind", "Truth", "TruthObject")

VALUE_TYPES = ("Intensity", "Reflectance", "RelativeRadiance", "Radiance", "Absorbance")
"""What the values of spectra may be."""


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
    value_type : what the values of a line are, one of `VALUE_TYPES`; empty when it is not known.
    white_reference, dark_reference : ENVI headers of references that belong to the lines, as
        absolute paths; empty without.
    calibration : ENVI header that says how the instrument was mounted and what its white reflects,
        as an absolute path; empty without.
    """

    kind: FrameKind
    shape: tuple[int, ...]
    dtype: str
    rate_hz: float = 0.0
    frame_count: int = 0
    wavelengths_nm: tuple[float, ...] = ()
    value_type: str = ""
    white_reference: str = ""
    dark_reference: str = ""
    calibration: str = ""


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
