"""Frames of input files, read as the drivers of live streams read them."""

from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from engine.batch.inputs import InputKind
from engine.drivers import DriverCatalog, DriverEntry, complete_parameters
from engine.drivers.builtin.cube_line.driver import Driver as CubeDriver
from engine.drivers.pictures import read_picture
from engine.errors import EndOfStreamError
from engine.protocol import FrameFormat, FrameKind

__all__ = ("InputFrames", "TimedFrame", "open_frames")


class TimedFrame(NamedTuple):
    """A frame, valid until the next one is taken, and when a video shows it in seconds."""

    values: npt.NDArray[Any]
    time_s: float | None


class InputFrames(NamedTuple):
    """What an input delivers."""

    frame_format: FrameFormat
    frames: Iterator[TimedFrame]


@contextmanager
def open_frames(kind: InputKind, path: Path) -> Iterator[InputFrames]:
    """Open an input for the time of a ``with`` block; one frame at a time is in memory.

    Raises
    ------
    MediaError
        When it cannot be read; while frames are taken, when it is damaged or cut off.
    """
    match kind:
        case InputKind.PICTURE:
            picture = read_picture(path)
            frame_format = FrameFormat(FrameKind.IMAGE, picture.shape, "uint8", frame_count=1)
            yield InputFrames(frame_format, iter([TimedFrame(picture, None)]))
        case InputKind.VIDEO:
            with _video(path) as opened:
                yield opened
        case InputKind.CUBE:
            with _cube(path) as opened:
                yield opened


@contextmanager
def _video(path: Path) -> Iterator[InputFrames]:
    # The decoder takes 0.1 s and 24 MB that pictures and cubes do not need.
    from engine.drivers.builtin.video_file.convert import write_rgb  # noqa: PLC0415
    from engine.drivers.builtin.video_file.reader import VideoReader  # noqa: PLC0415

    reader = VideoReader(path)
    frame_format = FrameFormat(
        FrameKind.IMAGE, (reader.height, reader.width, 3), "uint8", rate_hz=reader.rate_hz
    )

    def frames() -> Iterator[TimedFrame]:
        values = np.empty(frame_format.shape, np.uint8)
        while (frame := reader.next_frame()) is not None:
            write_rgb(frame, values)
            yield TimedFrame(values, None if frame.time is None else float(frame.time))

    try:
        yield InputFrames(frame_format, frames())
    finally:
        reader.close()


@contextmanager
def _cube(path: Path) -> Iterator[InputFrames]:
    driver = CubeDriver()
    try:
        parameters = complete_parameters(_cube_entry(), {"path": str(path), "loop": False})
        frame_format = driver.open(parameters)

        def frames() -> Iterator[TimedFrame]:
            values = np.empty(frame_format.shape, frame_format.dtype)
            while True:
                try:
                    driver.read(values)
                except EndOfStreamError:
                    return
                yield TimedFrame(values, None)

        yield InputFrames(frame_format, frames())
    finally:
        driver.close()


@cache
def _cube_entry() -> DriverEntry:
    """Return what the driver's manifest says; reading it takes longer than a small cube."""
    return DriverCatalog().get("cube-line")
