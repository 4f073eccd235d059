"""Small media files, and built-in drivers run directly in the test's process."""

import importlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import av
import cv2
import numpy as np
import pytest

from engine.drivers import BaseDriver, DriverCatalog, complete_parameters
from engine.drivers.base import Frame
from engine.errors import EndOfStreamError
from engine.protocol import FrameFormat, Truth


def write_video(
    path: Path,
    *,
    frames: int = 20,
    rate: int = 10,
    size: tuple[int, int] = (64, 48),
    **options: Any,
) -> Path:
    """Write a video whose frame i is gray of the value 16 + 10 * i."""
    pix_fmt = options.pop("pix_fmt", "yuv420p")
    with av.open(str(path), "w", options=options) as container:
        stream = container.add_stream("libx264", rate=rate, options={"qp": "0", "g": "5"})
        stream.width, stream.height, stream.pix_fmt = *size, pix_fmt
        for index in range(frames):
            gray = np.full((size[1], size[0], 3), 16 + 10 * index, np.uint8)
            container.mux(stream.encode(av.VideoFrame.from_ndarray(gray, format="rgb24")))
        container.mux(stream.encode())
    return path


class OpenDriver:
    """A built-in driver with an open source."""

    def __init__(self, name: str, parameters: dict[str, Any]) -> None:
        entry = DriverCatalog().get(name)
        folder = Path(entry.folder).name
        module = importlib.import_module(f"engine.drivers.builtin.{folder}.driver")
        self.driver: BaseDriver = module.Driver()
        try:
            self.format: FrameFormat = self.driver.open(complete_parameters(entry, parameters))
        except BaseException:
            self.driver.close()
            raise
        self.driver.remember_format(self.format)

    def read(self) -> tuple[Frame, Truth | None]:
        out = np.full(self.format.shape, 99, self.format.dtype)
        truth = self.driver.read(out)
        return out, truth

    def frames(self) -> list[Frame]:
        """Read until the source ends."""
        found = []
        try:
            while True:
                found.append(self.read()[0])
        except EndOfStreamError:
            return found


@pytest.fixture
def open_driver() -> Iterator[Callable[..., OpenDriver]]:
    opened: list[OpenDriver] = []

    def make(name: str, **parameters: Any) -> OpenDriver:
        opened.append(OpenDriver(name, parameters))
        return opened[-1]

    yield make
    for driver in opened:
        driver.driver.close()


@pytest.fixture
def make_video() -> Callable[..., Path]:
    return write_video


@pytest.fixture
def make_image() -> Callable[..., Path]:
    def write(path: Path, picture: Frame) -> Path:
        assert cv2.imwrite(str(path), picture[..., ::-1])
        return path

    return write
