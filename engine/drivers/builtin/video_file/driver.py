"""Plays a video file."""

from collections.abc import Mapping

import numpy as np

from engine.config import ParameterValue
from engine.drivers.base import BaseDriver, Frame
from engine.drivers.builtin.video_file.convert import write_rgb
from engine.drivers.builtin.video_file.reader import VideoReader
from engine.drivers.parameters import number, single_path
from engine.errors import EndOfStreamError
from engine.protocol import FrameFormat, FrameKind, Truth

__all__ = ("Driver",)


class Driver(BaseDriver):
    """Decodes a video file into RGB pictures of the size of its first frame."""

    _reader: VideoReader | None = None

    def open(self, parameters: Mapping[str, ParameterValue]) -> FrameFormat:
        """Open the file and decode its first frame."""
        self._path = single_path(parameters, "path")
        self._is_looping = bool(parameters["loop"])
        self._reader = reader = VideoReader(self._path)
        shape = (reader.height, reader.width, 3)
        write_rgb(
            reader.peek(), np.empty(shape, np.uint8)
        )  # what fails or is slow once, does so now
        return FrameFormat(
            kind=FrameKind.IMAGE,
            shape=shape,
            dtype="uint8",
            rate_hz=number(parameters, "rate_hz") or reader.rate_hz,
            frame_count=0 if self._is_looping else reader.expected_frames,
        )

    def read(self, out: Frame) -> Truth | None:
        """Decode the next frame into `out`."""
        write_rgb(self._next_frame(), out)
        return None

    def skip(self) -> None:
        """Decode the next frame, which the following ones need, but do not convert it."""
        self._next_frame()

    def close(self) -> None:
        """Close the file."""
        reader, self._reader = self._reader, None
        if reader is not None:
            reader.close()

    def _next_frame(self) -> object:
        if self._reader is None:
            raise EndOfStreamError(f"video {self._path} is closed")
        frame = self._reader.next_frame()
        if frame is None:
            count = self._reader.frame_count
            if not self._is_looping:
                raise EndOfStreamError(f"video {self._path.name} ended after {count} frames")
            self._reader.close()
            self._reader = VideoReader(self._path)
            frame = self._reader.next_frame()
        return frame
