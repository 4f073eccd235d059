"""Plays a spectral cube line by line, like a line camera."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from engine.config import ParameterValue
from engine.drivers.base import BaseDriver, Frame
from engine.drivers.builtin.cube_line.cubes import open_cube, open_truth, read_wavelengths
from engine.drivers.parameters import number, single_path
from engine.errors import EndOfStreamError
from engine.protocol import FrameFormat, FrameKind, Truth

__all__ = ("Driver",)

Array = np.ndarray[Any, np.dtype[Any]]

_AS_STORED = "as stored"


class Driver(BaseDriver):
    """A line camera whose scene is a NumPy cube or an ENVI file.

    Cubes of unsigned 8 or 16 bit are delivered as uint16, all others as float32. An ENVI file
    brings its wavelengths, its value type and the references beside it.
    """

    def open(self, parameters: Mapping[str, ParameterValue]) -> FrameFormat:
        """Map the cube and its ground truth."""
        self._path = path = single_path(parameters, "path")
        self._cube = cube = open_cube(path)
        lines, pixels, bands = cube.values.shape
        self._truth: Array | None = None
        if parameters["ground_truth"]:
            truth = single_path(parameters, "ground_truth")
            self._truth = open_truth(truth, path, (lines, pixels))
        wavelengths = cube.wavelengths_nm
        if parameters["wavelengths"]:
            wavelengths = read_wavelengths(single_path(parameters, "wavelengths"), bands)
        value_type = str(parameters["value_type"])
        self._is_looping = bool(parameters["loop"])
        self._line = 0
        is_short = cube.values.dtype.kind == "u" and cube.values.dtype.itemsize <= 2
        return FrameFormat(
            kind=FrameKind.LINE,
            shape=(pixels, bands),
            dtype="uint16" if is_short else "float32",
            rate_hz=number(parameters, "rate_hz"),
            frame_count=0 if self._is_looping else lines,
            wavelengths_nm=wavelengths,
            value_type=cube.value_type if value_type == _AS_STORED else value_type,
            white_reference=cube.white_reference,
            dark_reference=cube.dark_reference,
            calibration=cube.calibration,
        )

    def read(self, out: Frame) -> Truth | None:
        """Deliver the next line."""
        line = self._next_line()
        self._cube.line(line, out)
        if self._truth is None:
            return None
        return Truth(classes=tuple(self._truth[line].tolist()))

    def skip(self) -> None:
        """Pass over a line."""
        self._next_line()

    def _next_line(self) -> int:
        lines = len(self._cube.values)
        if self._line >= lines and not self._is_looping:
            raise EndOfStreamError(f"cube {self._path} ended after {lines} lines")
        line = self._line % lines
        self._line = line + 1
        return line
