"""Cubes of a line camera: NumPy and ENVI files, mapped, so that memory stays bounded."""

import mmap
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from engine.drivers.envi import DARK, WHITE, map_values, open_envi
from engine.drivers.media import check_file
from engine.errors import MediaError

__all__ = ("Cube", "load_numbers", "open_cube", "open_truth", "read_wavelengths")

Array = np.ndarray[Any, np.dtype[Any]]

_KEPT_BYTES = 64 * 1024 * 1024
_WAVELENGTHS_LIMIT_BYTES = 1024 * 1024
_MOST_BANDS = 5000  # more do not fit into the message that says what the frames look like


@dataclass
class Cube:
    """A mapped cube, and what its file says about it.

    Attributes
    ----------
    values : ndarray, shape (lines, pixels, bands), as they are stored.
    wavelengths_nm : of the bands, may be empty.
    value_type : what the values are; empty when the file does not say.
    white_reference, dark_reference : ENVI headers beside the cube; empty without.
    calibration : the ENVI header itself when it has one; else empty.
    """

    values: Array
    mapped: mmap.mmap | None
    wavelengths_nm: tuple[float, ...] = ()
    value_type: str = ""
    white_reference: str = ""
    dark_reference: str = ""
    calibration: str = ""
    _read_bytes: int = 0

    def line(self, number: int, out: Array) -> None:
        """Copy a line; lets go of what was read before, so that playing a file fills no memory.

        Parameters
        ----------
        out : ndarray, shape (pixels, bands)
        """
        np.copyto(out, self.values[number], casting="unsafe")
        self._read_bytes += self.values[number].nbytes
        if self._read_bytes >= _KEPT_BYTES and self.mapped is not None:
            self._read_bytes = 0
            if hasattr(self.mapped, "madvise"):
                self.mapped.madvise(mmap.MADV_DONTNEED)


def open_cube(path: Path) -> Cube:
    """Map a cube: an ENVI header ``.hdr`` with its data, or a ``.npy`` file.

    Raises
    ------
    MediaError
        When it is missing, cut off, or no cube of real numbers.
    """
    check_file(path, "cube")
    if path.suffix.lower() == ".hdr":
        return _open_envi(path)
    values = load_numbers(path, "cube")
    if values.ndim != 3 or 0 in values.shape:
        raise MediaError(
            f"cube {path} has the shape {values.shape}; "
            f"a line camera needs three axes: lines, pixels, bands",
            file=str(path),
        )
    base: object = values.base
    return Cube(np.asarray(values), base if isinstance(base, mmap.mmap) else None)


def open_truth(path: Path, cube_path: Path, shape: tuple[int, ...]) -> Array:
    """Map the classes of a cube's pixels, a ``.npy`` file of shape (lines, pixels)."""
    truth = load_numbers(path, "ground truth")
    if truth.shape != shape:
        raise MediaError(
            f"ground truth {path} has the shape {truth.shape}; "
            f"cube {cube_path} needs {shape} (lines, pixels)",
            file=str(path),
        )
    if truth.dtype.kind not in "iu":
        raise MediaError(
            f"ground truth {path} holds {truth.dtype} values; classes are whole numbers",
            file=str(path),
        )
    return truth


def read_wavelengths(path: Path, bands: int) -> tuple[float, ...]:
    """Read wavelengths in nm: a ``.npy`` file, or numbers with commas or spaces between them.

    Raises
    ------
    MediaError
        When there is not one positive number for each band.
    """
    _check_bands(path, bands)
    if path.suffix.lower() == ".npy":
        values = load_numbers(path, "wavelengths").astype(float).ravel().tolist()
    else:
        values = _numbers_in(path)
    if len(values) != bands or not all(0 < value < float("inf") for value in values):
        raise MediaError(
            f"wavelengths {path} has {len(values)} numbers for a cube of {bands} bands; it needs "
            "one positive number in nm for each band",
            file=str(path),
        )
    return tuple(values)


def load_numbers(path: Path, what: str) -> Array:
    """Map a ``.npy`` file of real numbers."""
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


def _open_envi(path: Path) -> Cube:
    file = open_envi(path)
    if file.header.wavelengths:
        _check_bands(path, file.header.bands)
    values, mapped = map_values(file)
    return Cube(
        values,
        mapped,
        wavelengths_nm=file.header.wavelengths,
        value_type=file.value_type,
        white_reference=_absolute(file.references.get(WHITE)),
        dark_reference=_absolute(file.references.get(DARK)),
        calibration=_absolute(path if file.calibration else None),
    )


def _check_bands(path: Path, bands: int) -> None:
    if bands > _MOST_BANDS:
        raise MediaError(
            f"{path} has wavelengths for a cube of {bands} bands; a line camera with wavelengths "
            f"has at most {_MOST_BANDS}",
            file=str(path),
        )


def _absolute(path: Path | None) -> str:
    return "" if path is None else str(path.absolute())


def _numbers_in(path: Path) -> list[float]:
    check_file(path, "wavelengths")
    try:
        if path.stat().st_size > _WAVELENGTHS_LIMIT_BYTES:
            raise ValueError("larger than 1 MiB")
        text = path.read_text(encoding="utf-8")
        return [float(part) for part in text.replace(",", " ").split()]
    except (OSError, ValueError) as error:
        raise MediaError(
            f"wavelengths {path} cannot be read: {error}; it is a .npy file, or a text of numbers "
            "with commas or spaces between them",
            file=str(path),
        ) from error
