"""Makes a test pattern: color bars that move, and a square whose place is known."""

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from engine.config import ParameterValue
from engine.drivers.base import BaseDriver, Frame
from engine.drivers.parameters import number
from engine.errors import EndOfStreamError
from engine.protocol import FrameFormat, FrameKind, Truth, TruthObject

__all__ = ("Driver",)

_BARS = (
    (192, 192, 192),
    (192, 192, 0),
    (0, 192, 192),
    (0, 192, 0),
    (192, 0, 192),
    (192, 0, 0),
    (0, 0, 192),
    (16, 16, 16),
)
_SQUARE = (255, 96, 32)


class Driver(BaseDriver):
    """Bars that wander to the left and a square that wanders down its diagonal."""

    def open(self, parameters: Mapping[str, ParameterValue]) -> FrameFormat:
        """Draw the bars once; frames are windows of them."""
        self._width = int(number(parameters, "width"))
        self._height = int(number(parameters, "height"))
        self._speed = int(number(parameters, "speed"))
        self._end = int(number(parameters, "frames"))
        self._side = min(self._width, self._height) // 8
        self._number = 0
        self._bars = _twice(self._width, self._height)
        return FrameFormat(
            kind=FrameKind.IMAGE,
            shape=(self._height, self._width, 3),
            dtype="uint8",
            rate_hz=number(parameters, "rate_hz"),
            frame_count=self._end,
        )

    def read(self, out: Frame) -> Truth | None:
        """Deliver the next frame."""
        shift = self._number * self._speed
        self.skip()
        left = shift % self._width
        np.copyto(out, self._bars[:, left : left + self._width])
        x, y = shift % (self._width - self._side), shift % (self._height - self._side)
        out[y : y + self._side, x : x + self._side] = _SQUARE
        return Truth((self._square(x, y),))

    def skip(self) -> None:
        """Pass over a frame."""
        if self._end and self._number >= self._end:
            raise EndOfStreamError(f"the pattern ended after {self._end} frames")
        self._number += 1

    def _square(self, x: int, y: int) -> TruthObject:
        return TruthObject(
            "square",
            x=x / self._width,
            y=y / self._height,
            width=self._side / self._width,
            height=self._side / self._height,
        )


def _twice(width: int, height: int) -> NDArray[np.uint8]:
    """Return the bars at twice their width, so that every window of them is one copy."""
    columns = np.array(_BARS, np.uint8)[np.arange(width) * len(_BARS) // width]
    return np.ascontiguousarray(np.broadcast_to(np.tile(columns, (2, 1)), (height, 2 * width, 3)))
