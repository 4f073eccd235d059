"""Plays a spectral cube line by line, like a line camera."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from engine.config import ParameterValue
from engine.drivers.base import BaseDriver, Frame
from engine.drivers.media import check_file
from engine.drivers.parameters import number, single_path
from engine.errors import EndOfStreamError, MediaError
from engine.protocol import FrameFormat, FrameKind, Truth

__all__ = ("Driver",)

Array = np.ndarray[Any, np.dtype[Any]]


class Driver(BaseDriver):
    """A line camera whose scene is a NumPy cube.

    Cubes of unsigned 8 or 16 bit are delivered as uint16, all others as float32.
    """

    def open(self, parameters: Mapping[str, ParameterValue]) -> FrameFormat:
        """Map the cube and its ground truth."""
        path = single_path(parameters, "path")
        self._path = path
        self._cube = _load_cube(path)
        self._truth: Array | None = None
        if parameters["ground_truth"]:
            self._truth = _load_truth(single_path(parameters, "ground_truth"), path, self._cube)
        self._is_looping = bool(parameters["loop"])
        self._line = 0
        lines, pixels, bands = self._cube.shape
        is_short = self._cube.dtype.kind == "u" and self._cube.dtype.itemsize <= 2
        return FrameFormat(
            kind=FrameKind.LINE,
            shape=(pixels, bands),
            dtype="uint16" if is_short else "float32",
            rate_hz=number(parameters, "rate_hz"),
            frame_count=0 if self._is_looping else lines,
        )

    def read(self, out: Frame) -> Truth | None:
        """Deliver the next line."""
        line = self._next_line()
        np.copyto(out, self._cube[line], casting="unsafe")
        if self._truth is None:
            return None
        return Truth(classes=tuple(self._truth[line].tolist()))

    def skip(self) -> None:
        """Pass over a line."""
        self._next_line()

    def _next_line(self) -> int:
        lines = len(self._cube)
        if self._line >= lines and not self._is_looping:
            raise EndOfStreamError(f"cube {self._path} ended after {lines} lines")
        line = self._line % lines
        self._line = line + 1
        return line


def _load_cube(path: Path) -> Array:
    cube = _load(path, "cube")
    if cube.ndim != 3 or 0 in cube.shape:
        raise MediaError(
            f"cube {path} has the shape {cube.shape}; "
            f"a line camera needs three axes: lines, pixels, bands",
            file=str(path),
        )
    return cube


def _load_truth(path: Path, cube_path: Path, cube: Array) -> Array:
    truth = _load(path, "ground truth")
    if truth.shape != cube.shape[:2]:
        raise MediaError(
            f"ground truth {path} has the shape {truth.shape}; "
            f"cube {cube_path} needs {cube.shape[:2]} (lines, pixels)",
            file=str(path),
        )
    if truth.dtype.kind not in "iu":
        raise MediaError(
            f"ground truth {path} holds {truth.dtype} values; classes are whole numbers",
            file=str(path),
        )
    return truth


def _load(path: Path, what: str) -> Array:
    check_file(path, what)
    try:
        array = np.load(path, mmap_mode="r", allow_pickle=False)
    except (OSError, ValueError, EOFError) as error:
        raise MediaError(
            f"{what} {path} cannot be read: it is cut off or not a .npy file of numbers",
            file=str(path),
        ) from error
    if not isinstance(array, np.ndarray) or array.dtype.kind not in "iuf":
        raise MediaError(f"{what} {path} does not hold an array of real numbers", file=str(path))
    return array
