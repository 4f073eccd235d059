"""The arithmetic of spectra: reflectance, absorbance, and interpolation between wavelengths.

I, D and W are intensities of the object, of darkness and of a white surface, R0 the reflectance of
that surface: R = R0 (I - D) / (W - D), and A = -log10(R).
"""

from collections.abc import Sequence
from typing import Any

import numpy as np

from engine.handle.errors import ArgumentError, WavelengthRangeError

__all__ = (
    "Interpolation",
    "absorbance_in_place",
    "as_wavelengths",
    "reflectance_gain",
    "reflectance_in_place",
)

Array = np.ndarray[Any, Any]

_TOLERANCE_NM = 1e-6


def reflectance_gain(white: Array, dark: Array | None, reflectivity: Array | None) -> Array:
    """Return R0 / (W - D); NaN where white and dark are equal, so that nothing becomes infinite.

    Parameters
    ----------
    white, dark : ndarray, shape (samples, bands) or (bands,); without dark, D is 0.
    reflectivity : ndarray, shape (bands,); without it, the white surface reflects everything.

    Returns
    -------
    ndarray, float64
    """
    span = np.asarray(white, np.float64) - (0.0 if dark is None else np.asarray(dark, np.float64))
    gain = np.full(span.shape, np.nan)
    numerator = 1.0 if reflectivity is None else np.asarray(reflectivity, np.float64)
    np.divide(numerator, span, out=gain, where=span != 0)
    return gain


def reflectance_in_place(values: Array, dark: Array | None, gain: Array) -> None:
    """Turn intensities into reflectances."""
    if dark is not None:
        np.subtract(values, dark, out=values)
    np.multiply(values, gain, out=values)


def absorbance_in_place(values: Array) -> None:
    """Turn reflectances into absorbances; what is 0 or less has none and becomes NaN."""
    has_none = ~(values > 0)
    values[has_none] = 1
    np.log10(values, out=values)
    np.negative(values, out=values)
    values[has_none] = np.nan


def as_wavelengths(values: Sequence[float] | Array, what: str) -> Array:
    """Return wavelengths in nm as an array, checked.

    Raises
    ------
    ArgumentError
        When they are no list of different positive numbers.
    """
    try:
        array = np.asarray(values, np.float64)
    except (TypeError, ValueError) as error:
        raise ArgumentError(f"{what} are a list of numbers (nm), one per band") from error
    if array.ndim != 1 or not array.size:
        raise ArgumentError(f"{what} are a list of numbers (nm), one per band")
    if not np.all(np.isfinite(array)) or np.any(array <= 0):
        raise ArgumentError(f"{what} are positive finite numbers in nm")
    if np.unique(array).size < array.size:
        raise ArgumentError(f"{what} name a wavelength twice; every band has its own")
    return array


class Interpolation:
    """Linear interpolation of spectra from a camera's wavelengths onto those of a model.

    Parameters
    ----------
    source, target : ndarray, nm, in any order.

    Attributes
    ----------
    is_identity : the two are the same, nothing has to be done.

    Raises
    ------
    WavelengthRangeError
        When the camera does not reach as far as the model needs; nothing is extrapolated.
    """

    def __init__(self, source: Array, target: Array) -> None:
        _check_range(source, target)
        self.is_identity = source.shape == target.shape and np.allclose(
            source, target, rtol=0, atol=_TOLERANCE_NM
        )
        order = np.argsort(source)
        rising = source[order]
        upper = np.clip(np.searchsorted(rising, target), min(1, rising.size - 1), rising.size - 1)
        lower = np.maximum(upper - 1, 0)
        span = np.where(upper == lower, 1.0, rising[upper] - rising[lower])
        share = np.clip((target - rising[lower]) / span, 0.0, 1.0)
        is_upper = share == 1
        self._lower = order[np.where(is_upper, upper, lower)]
        self._upper = order[upper]
        self._share = np.where(is_upper, 0.0, share)
        self._has_exact_bands = bool((self._share == 0).any())

    def __call__(self, values: Array, out: Array) -> None:
        """Interpolate along the last axis.

        A band whose share is 0 is not looked at, so that its NaN does no harm.

        Parameters
        ----------
        values : ndarray, shape (..., source bands)
        out : ndarray, shape (..., target bands), the same dtype.
        """
        share = self._share.astype(out.dtype)
        np.take(values, self._lower, axis=-1, out=out, mode="clip")
        above = np.take(values, self._upper, axis=-1)
        # in this order both ends are exact: out + share * (above - out)
        np.subtract(above, out, out=above)
        np.multiply(above, share, out=above)
        if self._has_exact_bands:
            above[..., self._share == 0] = 0
        np.add(out, above, out=out)


def _check_range(source: Array, target: Array) -> None:
    low, high = float(source.min()), float(source.max())
    missing = []
    if target.min() < low - _TOLERANCE_NM:
        missing.append(f"{target.min():g} to {low:g} nm")
    if target.max() > high + _TOLERANCE_NM:
        missing.append(f"{high:g} to {target.max():g} nm")
    if missing:
        raise WavelengthRangeError(
            f"the model needs {target.min():g} to {target.max():g} nm, the data has {low:g} to "
            f"{high:g} nm: {' and '.join(missing)} are missing; use a camera that covers them",
            missing=" and ".join(missing),
        )
