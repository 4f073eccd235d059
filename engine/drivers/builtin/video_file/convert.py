"""Turns decoded video frames into RGB."""

from functools import lru_cache
from typing import Any

import numpy as np

from engine.drivers.base import Frame

__all__ = ("write_rgb",)

_FULL_RANGE = 2
_BT709 = 1
_PLAIN_SPACES = (_BT709, 2, 5, 6)  # 2 is "not said", which everybody reads as BT.601
_LUMA_WEIGHTS = {True: (0.2126, 0.0722), False: (0.299, 0.114)}


def write_rgb(frame: Any, out: Frame) -> None:  # noqa: ANN401 - PyAV comes without usable types
    """Write a PyAV video frame into `out` as RGB, scaled when its size differs.

    Parameters
    ----------
    out : ndarray, shape (height, width, 3), uint8.
    """
    height, width, _ = out.shape
    is_444 = frame.format.name in ("yuv444p", "yuvj444p") and frame.colorspace in _PLAIN_SPACES
    if is_444 and (frame.width, frame.height) == (width, height):
        _write_444(frame, out)
        return
    rgb = frame.to_ndarray(
        width=width,
        height=height,
        format="rgb24",
        threads=1,  # its thread pool costs more than it gains at these sizes
    )
    np.copyto(out, rgb)


def _write_444(frame: Any, out: Frame) -> None:  # noqa: ANN401 - see above
    """Convert without FFmpeg's scaler, which takes ten times as long for this format."""
    import cv2  # noqa: PLC0415 - 0.2 s and 30 MB that most files do not need

    yuv = cv2.merge([_plane(frame, index) for index in range(3)])
    is_full = frame.color_range == _FULL_RANGE or frame.format.name == "yuvj444p"
    cv2.transform(yuv, _matrix(frame.colorspace == _BT709, is_full), dst=out)


def _plane(frame: Any, index: int) -> np.ndarray[Any, np.dtype[np.uint8]]:  # noqa: ANN401 - see above
    plane = frame.planes[index]
    rows = np.frombuffer(plane, np.uint8, count=plane.line_size * plane.height)
    return rows.reshape(plane.height, plane.line_size)[:, : plane.width]


@lru_cache(maxsize=4)
def _matrix(is_bt709: bool, is_full: bool) -> np.ndarray[Any, np.dtype[np.float32]]:
    """Return the 3 x 4 matrix from (Y, U, V, 1) to (R, G, B)."""
    red, blue = _LUMA_WEIGHTS[is_bt709]
    green = 1.0 - red - blue
    gain_y, gain_c, black = (1.0, 1.0, 0.0) if is_full else (255 / 219, 255 / 224, 16.0)
    to_rgb = np.array(
        [
            [gain_y, 0.0, gain_c * 2 * (1 - red)],
            [
                gain_y,
                -gain_c * 2 * (1 - blue) * blue / green,
                -gain_c * 2 * (1 - red) * red / green,
            ],
            [gain_y, gain_c * 2 * (1 - blue), 0.0],
        ]
    )
    offset = -to_rgb @ np.array([black, 128.0, 128.0])
    return np.column_stack([to_rgb, offset]).astype(np.float32)
