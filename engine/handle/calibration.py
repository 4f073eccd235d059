"""The class `CalibrationInfo`: how an instrument is mounted, and what its white reflects."""
# ruff: noqa: N802, N803 - the published names are camelCase

import math
from collections.abc import Sequence
from typing import Any

import msgspec
import numpy as np

from engine.handle._spectra import as_wavelengths
from engine.handle.enums import CalibrationSettingType
from engine.handle.errors import CalibrationError, HandleArgumentTypeError

__all__ = ("CalibrationInfo", "convert_length")

Array = np.ndarray[Any, Any]

_METERS = {
    ("Kilometers", "km"): 1e3,
    ("Meters", "m"): 1.0,
    ("Centimeters", "cm"): 1e-2,
    ("Millimeters", "mm"): 1e-3,
    ("Micrometers", "\u00b5m", "\u03bcm"): 1e-6,
    ("Nanometers", "nm"): 1e-9,
    ("Angstroms", "Angstrom", "\u00c5", "\u212b"): 1e-10,
    ("Picometers", "pm"): 1e-12,
    ("Miles", "mi"): 1609.344,
    ("Yards", "yd"): 0.9144,
    ("Feet", "ft"): 0.3048,
    ("Inches", "in"): 0.0254,
    ("Thou", "th"): 2.54e-5,
}
_LENGTHS = {name: factor for names, factor in _METERS.items() for name in names}
_ANGLES = {"rad": 1.0, "deg": math.pi / 180}
_UNITS = {
    CalibrationSettingType.PixelSizeX: _LENGTHS,
    CalibrationSettingType.InstrumentBaseDistance: _LENGTHS,
    CalibrationSettingType.InstrumentAngleX: _ANGLES,
}


class _Stored(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    settings: dict[str, tuple[float, str]] = {}
    wavelengths: tuple[float, ...] = ()
    reflectivities: tuple[float, ...] = ()


class CalibrationInfo:
    """Quantities with units; what is not set is unknown."""

    def __init__(self) -> None:
        self._settings: dict[CalibrationSettingType, tuple[float, str]] = {}
        self._white: tuple[Array, Array] | None = None

    def __eq__(self, other: object) -> bool:
        return isinstance(other, CalibrationInfo) and self._stored() == other._stored()

    __hash__ = None  # type: ignore[assignment]  # it changes

    def copy(self) -> "CalibrationInfo":
        """Return one like this; what is set later in one of them does not show in the other."""
        other = CalibrationInfo()
        other._settings = dict(self._settings)
        other._white = self._white
        return other

    def hasSetting(self, settingType: CalibrationSettingType) -> bool:
        """Tell whether a quantity is set."""
        return _kind(settingType) in self._settings

    def setting(
        self, settingType: CalibrationSettingType, unit: str | None = None
    ) -> tuple[float, str]:
        """Return value and unit of a quantity, as it was set or in another unit.

        Raises
        ------
        CalibrationError
            When it is not set, or the unit is not one for it.
        """
        kind = _kind(settingType)
        if kind not in self._settings:
            raise CalibrationError(f"the setting {kind.name} is not set; set it with setSetting")
        value, own = self._settings[kind]
        if unit is None or unit == own:
            return value, own
        return value * _factor(kind, own) / _factor(kind, unit), unit

    def setSetting(self, settingType: CalibrationSettingType, value: float, unit: str) -> None:
        """Set a quantity; units are spelled as in ``mm`` or ``Millimeters``.

        Raises
        ------
        CalibrationError
            When the unit is not one for it, or the value is no finite number.
        """
        kind = _kind(settingType)
        _factor(kind, unit)
        if not _is_number(value):
            raise CalibrationError(f"the setting {kind.name} is a finite number, not {value!r}")
        self._settings[kind] = (float(value), unit)

    def setWhiteReferenceReflectivity(
        self, wavelengths: Sequence[float], reflectivities: Sequence[float], unit: str
    ) -> None:
        """Say what share of the light the white surface reflects at which wavelengths.

        Raises
        ------
        CalibrationError
            When the two do not belong together or the unit is no length.
        """
        factor = _length(unit) / _LENGTHS["nm"]
        try:
            grid = np.asarray(wavelengths, np.float64) * factor
            values = np.asarray(reflectivities, np.float64)
        except (TypeError, ValueError) as error:
            raise CalibrationError("wavelengths and reflectivities are lists of numbers") from error
        grid = as_wavelengths(grid, "the wavelengths of the white surface")
        if values.shape != grid.shape or not np.all(values > 0) or not np.all(np.isfinite(values)):
            raise CalibrationError(
                f"a reflectivity above 0 is needed for each of the {grid.size} wavelengths"
            )
        self._white = (grid, values)

    def whiteReferenceReflectivity(self) -> tuple[Array, Array] | None:
        """Return wavelengths in nm and reflectivities; None when they are not set."""
        return self._white

    def to_text(self) -> str:
        """Return everything as JSON on one line; used to store it in files."""
        return msgspec.json.encode(self._stored()).decode()

    @classmethod
    def from_text(cls, text: str) -> "CalibrationInfo":
        """Read what `to_text` wrote.

        Raises
        ------
        CalibrationError
            When it is something else.
        """
        info = cls()
        try:
            stored = msgspec.json.decode(text, type=_Stored)
            for name, (value, unit) in stored.settings.items():
                info.setSetting(CalibrationSettingType[name], value, unit)
        except (msgspec.MsgspecError, KeyError) as error:
            raise CalibrationError(f"the stored calibration cannot be read: {error}") from error
        if stored.wavelengths:
            info.setWhiteReferenceReflectivity(stored.wavelengths, stored.reflectivities, "nm")
        return info

    def _stored(self) -> _Stored:
        grid, values = self._white if self._white is not None else (np.empty(0), np.empty(0))
        settings = {kind.name: pair for kind, pair in sorted(self._settings.items())}
        return _Stored(settings, tuple(grid.tolist()), tuple(values.tolist()))


def convert_length(value: float, unit: str, target: str) -> float:
    """Convert a length.

    Raises
    ------
    CalibrationError
        When one of the units is no length.
    """
    return value * _length(unit) / _length(target)


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and value is not True and math.isfinite(value)


def _kind(kind: object) -> CalibrationSettingType:
    if not isinstance(kind, CalibrationSettingType):
        raise HandleArgumentTypeError(f"settingType is a CalibrationSettingType, not {kind!r}")
    return kind


def _length(unit: object) -> float:
    return _factor(CalibrationSettingType.PixelSizeX, unit)


def _factor(kind: CalibrationSettingType, unit: object) -> float:
    units = _UNITS[kind]
    if not isinstance(unit, str) or unit not in units:
        raise CalibrationError(
            f"{unit!r} is no unit for {kind.name}; known are {', '.join(units)}, spelled like this"
        )
    return units[unit]
