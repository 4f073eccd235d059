"""Brings lines of a camera to what a model was made for: value type, wavelengths, number type."""

from dataclasses import dataclass
from typing import Any

import numpy as np

from engine.config import Normalization
from engine.handle._spectra import (
    Interpolation,
    absorbance_in_place,
    reflectance_gain,
    reflectance_in_place,
)
from engine.handle.enums import ValueType
from engine.handle.errors import ArgumentError, MissingReferenceError

__all__ = ("References", "Standardizer")

Array = np.ndarray[Any, Any]


@dataclass(frozen=True)
class References:
    """One line of each reference, shape (samples, bands) or (bands,), float64; None is missing.

    `reflectivity` is that of the white surface, shape (bands,).
    """

    white: Array | None = None
    dark: Array | None = None
    reflectivity: Array | None = None

    @property
    def samples(self) -> int:
        """Samples they were measured for; 0 when they serve any number."""
        lines = [line for line in (self.white, self.dark) if line is not None and line.ndim == 2]
        return lines[0].shape[0] if lines else 0


class Standardizer:
    """Corrects, converts, interpolates and normalizes, in this order.

    Parameters
    ----------
    source, target : what the values are, and what they shall be.
    dtype : number type of the result.
    references : used when raw values have to become reflectances, ignored otherwise.
    interpolation : None leaves the bands as they are.
    normalization : what a program asks for: ``(value - mean) * scale`` per band.
    bands : number of bands of the result.

    Attributes
    ----------
    dtype, bands : of the result.
    is_plain : only the number type changes.
    invalid_count : places where white and dark reference are equal; the values there are NaN.

    Raises
    ------
    MissingReferenceError
        When there is no white reference where one is needed.
    ArgumentError
        When there is no way from `source` to `target`.
    """

    def __init__(
        self,
        source: ValueType,
        target: ValueType,
        dtype: np.dtype[Any],
        *,
        references: References,
        interpolation: Interpolation | None,
        normalization: Normalization,
        bands: int,
    ) -> None:
        self.invalid_count = 0
        self._has_gain = source.is_raw and not target.is_raw
        self._is_to_absorbance = target is ValueType.Absorbance and source is not target
        self._is_from_absorbance = source is ValueType.Absorbance and source is not target
        self._interpolation = interpolation
        self.dtype = dtype
        self.bands = bands
        is_halved = dtype == np.float16  # too coarse to count in
        self._work = np.dtype(np.float32 if is_halved else dtype)
        self._dark: Array | None = None
        self._mean = _per_band(normalization.mean, "mean", bands, self._work)
        self._scale = _per_band(normalization.scale, "scale", bands, self._work)
        _check_way(source, target)
        if self._has_gain:
            self._take(references, target)
        self.is_plain = not (
            self._has_gain
            or self._is_to_absorbance
            or self._is_from_absorbance
            or interpolation is not None
            or self._mean is not None
            or self._scale is not None
        )
        if not self.is_plain and dtype.kind != "f":
            raise ArgumentError(
                f"the model takes {dtype} values, which cannot be corrected, converted or "
                "interpolated; use a model that takes float32"
            )

    def __call__(self, lines: Array, out: Array) -> None:
        """Fill `out` from `lines`.

        Parameters
        ----------
        lines : ndarray, shape (lines, samples, bands of the camera)
        out : ndarray, shape (lines, samples, bands of the model)
        """
        if self.is_plain:
            np.copyto(out, lines, casting="unsafe")
            return
        is_direct = self._interpolation is None and out.dtype == self._work
        values = out if is_direct else np.empty(lines.shape, self._work)
        np.copyto(values, lines, casting="unsafe")
        self._convert(values)
        if self._interpolation is not None:
            target = out if out.dtype == self._work else np.empty(out.shape, self._work)
            self._interpolation(values, target)
            values = target
        if self._mean is not None:
            np.subtract(values, self._mean, out=values)
        if self._scale is not None:
            np.multiply(values, self._scale, out=values)
        if values is not out:
            np.copyto(out, values, casting="unsafe")

    def _convert(self, values: Array) -> None:
        if self._has_gain:
            reflectance_in_place(values, self._dark, self._gain)
        if self._is_to_absorbance:
            absorbance_in_place(values)
        if self._is_from_absorbance:
            np.power(10, -values, out=values)

    def _take(self, references: References, target: ValueType) -> None:
        if references.white is None:
            raise MissingReferenceError(
                f"the data holds intensities and {target.name.lower()}s are wanted, which needs a "
                "white reference; give whiteReference, or data that holds reflectances"
            )
        gain = reflectance_gain(references.white, references.dark, references.reflectivity)
        self.invalid_count = int(np.isnan(gain).sum())
        self._gain = gain.astype(self._work)
        if references.dark is not None:
            self._dark = references.dark.astype(self._work)


def _check_way(source: ValueType, target: ValueType) -> None:
    if target.is_raw and not source.is_raw:
        raise ArgumentError(
            f"the data holds {source.name.lower()}s, from which intensities cannot be got back; "
            "give the intensities, or use a model made for reflectances"
        )


def _per_band(
    values: tuple[float, ...], name: str, bands: int, dtype: np.dtype[Any]
) -> Array | None:
    if not values:
        return None
    if len(values) not in (1, bands):
        raise ArgumentError(
            f"the program's normalization.{name} has {len(values)} values for {bands} bands; "
            "compile it with one value, or one per band"
        )
    return np.asarray(values, dtype)
