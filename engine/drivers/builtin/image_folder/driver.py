"""Shows the images of a folder, one after the other."""

from collections.abc import Mapping

import cv2

from engine.config import ParameterValue
from engine.drivers.base import BaseDriver, Frame
from engine.drivers.parameters import number, single_path
from engine.drivers.pictures import Picture, images_in, read_picture
from engine.errors import EndOfStreamError
from engine.protocol import FrameFormat, FrameKind, Truth

__all__ = ("Driver",)


class Driver(BaseDriver):
    """Fits every image into the size of the first one, or a given one, with black borders."""

    def open(self, parameters: Mapping[str, ParameterValue]) -> FrameFormat:
        """List the images and read the first one."""
        cv2.setNumThreads(1)
        self._folder = single_path(parameters, "path")
        self._paths = images_in(self._folder)
        self._is_looping = bool(parameters["loop"])
        self._index = 0
        height, width, _ = read_picture(self._paths[0]).shape
        return FrameFormat(
            kind=FrameKind.IMAGE,
            shape=(
                int(number(parameters, "height")) or height,
                int(number(parameters, "width")) or width,
                3,
            ),
            dtype="uint8",
            rate_hz=number(parameters, "rate_hz"),
            frame_count=0 if self._is_looping else len(self._paths),
        )

    def read(self, out: Frame) -> Truth | None:
        """Read the next image into `out`."""
        _letterbox(read_picture(self._paths[self._next_index()]), out)
        return None

    def skip(self) -> None:
        """Pass over an image without reading it."""
        self._next_index()

    def _next_index(self) -> int:
        count = len(self._paths)
        if self._index >= count and not self._is_looping:
            raise EndOfStreamError(f"image folder {self._folder.name} ended after {count} images")
        index = self._index % count
        self._index = index + 1
        return index


def _letterbox(picture: Picture, out: Frame) -> None:
    """Scale `picture` into the middle of `out`, keeping its proportions; the rest is black."""
    height, width, _ = out.shape
    scale = min(width / picture.shape[1], height / picture.shape[0])
    inner_width = min(width, max(1, round(picture.shape[1] * scale)))
    inner_height = min(height, max(1, round(picture.shape[0] * scale)))
    left, top = (width - inner_width) // 2, (height - inner_height) // 2
    way = cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR
    out[...] = 0
    out[top : top + inner_height, left : left + inner_width] = cv2.resize(
        picture, (inner_width, inner_height), interpolation=way
    )
