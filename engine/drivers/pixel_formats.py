"""Turns what cameras send into RGB pictures, by the names that GenICam gives pixel formats."""

from collections.abc import Callable
from typing import Any

import cv2
import numpy as np

from engine.drivers.base import Frame
from engine.errors import MediaError

__all__ = ("PIXEL_FORMATS", "bytes_needed", "check_pixel_format", "to_rgb")

_Bytes = np.ndarray[Any, np.dtype[np.uint8]]
_Convert = Callable[[_Bytes, Frame], None]

# OpenCV names the mosaic by its second row and column, the convention by its first.
_MOSAICS = {
    "RG": cv2.COLOR_BayerBG2RGB,
    "GR": cv2.COLOR_BayerGB2RGB,
    "GB": cv2.COLOR_BayerGR2RGB,
    "BG": cv2.COLOR_BayerRG2RGB,
}


def check_pixel_format(name: str, *, device: str) -> None:
    """Raise a `MediaError` that names the formats there are when this one is not among them."""
    if name not in PIXEL_FORMATS:
        raise MediaError(
            f"{device} sends pixels as {name}, which cannot be shown; set its pixel format to one "
            f"of {', '.join(PIXEL_FORMATS)}",
            pixel_format=name,
        )


def bytes_needed(name: str, width: int, height: int) -> int:
    """Return the size of a complete picture in bytes."""
    return -(-width * height * PIXEL_FORMATS[name][0] // 8)


def to_rgb(name: str, data: _Bytes, out: Frame) -> None:
    """Convert a picture.

    Parameters
    ----------
    name : one of `PIXEL_FORMATS`.
    data : at least `bytes_needed` bytes without padding, uint8.
    out : ndarray, shape (height, width, 3), uint8; takes the picture, red first.
    """
    height, width = out.shape[:2]
    PIXEL_FORMATS[name][1](data[: bytes_needed(name, width, height)], out)


def _mono8(data: _Bytes, out: Frame) -> None:
    cv2.cvtColor(data.reshape(out.shape[:2]), cv2.COLOR_GRAY2RGB, dst=out)


def _mono_words(bits: int) -> _Convert:
    def convert(data: _Bytes, out: Frame) -> None:
        _mono8(_upper_bits(data, bits), out)

    return convert


def _mono_packed(unpack: Callable[[_Bytes], _Bytes]) -> _Convert:
    def convert(data: _Bytes, out: Frame) -> None:
        _mono8(unpack(data)[: out.shape[0] * out.shape[1]], out)

    return convert


def _bayer(code: int, bits: int) -> _Convert:
    def convert(data: _Bytes, out: Frame) -> None:
        pixels = data if bits == 8 else _upper_bits(data, bits)
        cv2.cvtColor(pixels.reshape(out.shape[:2]), code, dst=out)

    return convert


def _colors(channels: int, code: int | None) -> _Convert:
    def convert(data: _Bytes, out: Frame) -> None:
        pixels = data.reshape(*out.shape[:2], channels)
        if code is None:
            out[...] = pixels
        else:
            cv2.cvtColor(pixels, code, dst=out)

    return convert


def _upper_bits(data: _Bytes, bits: int) -> _Bytes:
    """Return the eight upper bits of values that lie in 16-bit words."""
    return np.asarray(np.right_shift(data.view("<u2"), bits - 8), dtype=np.uint8)


def _gige_pairs(data: _Bytes) -> _Bytes:
    """Return the upper bits of two pixels in three bytes: high, both lows, high."""
    whole = data[: len(data) // 3 * 3].reshape(-1, 3)
    return _with_rest(whole[:, ::2].reshape(-1), data, len(whole) * 3)


def _with_rest(pixels: _Bytes, data: _Bytes, used: int) -> _Bytes:
    """Add the pixel of a group that was cut off at the end of the picture."""
    return pixels if used == len(data) else np.append(pixels, data[used])


def _packed_bits(bits: int) -> Callable[[_Bytes], _Bytes]:
    def unpack(data: _Bytes) -> _Bytes:
        ordered = np.unpackbits(data, bitorder="little")
        whole = ordered[: len(ordered) // bits * bits].reshape(-1, bits)
        return np.packbits(whole[:, bits - 8 :], axis=1, bitorder="little").reshape(-1)

    return unpack


PIXEL_FORMATS: dict[str, tuple[int, _Convert]] = {
    "Mono8": (8, _mono8),
    "Mono10": (16, _mono_words(10)),
    "Mono12": (16, _mono_words(12)),
    "Mono14": (16, _mono_words(14)),
    "Mono16": (16, _mono_words(16)),
    "Mono10p": (10, _mono_packed(_packed_bits(10))),
    "Mono12p": (12, _mono_packed(_packed_bits(12))),
    "Mono10Packed": (12, _mono_packed(_gige_pairs)),
    "Mono12Packed": (12, _mono_packed(_gige_pairs)),
    "RGB8": (24, _colors(3, None)),
    "RGB8Packed": (24, _colors(3, None)),
    "BGR8": (24, _colors(3, cv2.COLOR_BGR2RGB)),
    "BGR8Packed": (24, _colors(3, cv2.COLOR_BGR2RGB)),
    "RGBa8": (32, _colors(4, cv2.COLOR_RGBA2RGB)),
    "BGRa8": (32, _colors(4, cv2.COLOR_BGRA2RGB)),
    "YUV422_8": (16, _colors(2, cv2.COLOR_YUV2RGB_YUY2)),
    "YUV422_8_UYVY": (16, _colors(2, cv2.COLOR_YUV2RGB_UYVY)),
    **{
        f"Bayer{order}{bits}": (8 if bits == 8 else 16, _bayer(code, bits))
        for order, code in _MOSAICS.items()
        for bits in (8, 10, 12, 16)
    },
}
"""Bits per pixel, and how a picture is converted; by name."""
