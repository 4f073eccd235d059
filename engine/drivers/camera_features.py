"""What drivers of GenICam cameras have in common, whatever library they talk through."""

from collections.abc import Mapping, Sequence
from typing import Protocol

import msgspec

from engine.config import ParameterValue
from engine.drivers.live import LiveParameter, check_value, coerced, find_parameter
from engine.errors import DriverError

__all__ = (
    "STANDARD_FEATURES",
    "CameraFeatures",
    "FrameNumbers",
    "apply_settings",
    "check_size",
    "frozen",
)

_SETTINGS = {
    "width": ("Width",),
    "height": ("Height",),
    "pixel_format": ("PixelFormat",),
    "rate_hz": ("AcquisitionFrameRate", "AcquisitionFrameRateAbs"),
    "exposure_us": ("ExposureTime", "ExposureTimeAbs", "ExposureTimeRaw"),
}
STANDARD_FEATURES = (
    *(name for names in _SETTINGS.values() for name in names),
    *("ExposureAuto", "Gain", "GainRaw", "GainAuto", "AcquisitionFrameRateEnable"),
)
"""Features that users look for, also where the camera does not list them."""
_SWITCHES: dict[str, tuple[tuple[str, ParameterValue], ...]] = {
    "rate_hz": (("AcquisitionFrameRateEnable", True), ("AcquisitionFrameRateEnabled", True)),
    "exposure_us": (("ExposureMode", "Timed"), ("ExposureAuto", "Off")),
}
_FROZEN = frozenset(
    {
        *("Width", "Height", "PixelFormat", "OffsetX", "OffsetY", "ReverseX", "ReverseY"),
        *("BinningHorizontal", "BinningVertical", "BinningSelector"),
        *("DecimationHorizontal", "DecimationVertical", "ComponentSelector", "ComponentEnable"),
        *("GevSCPSPacketSize", "ChunkModeActive", "AcquisitionMode"),
        *("AcquisitionStart", "AcquisitionStop", "AcquisitionAbort", "TLParamsLocked"),
    }
)
_PLAUSIBLE_GAP = 10_000


class CameraFeatures(Protocol):
    """The features of a connected camera, by their GenICam names."""

    def parameters(self) -> Sequence[LiveParameter]:
        """Read all features that are for users and experts."""
        ...

    def find(self, name: str) -> LiveParameter | None:
        """Read one feature, also one for gurus; None when the camera has none of that name."""
        ...

    def set_value(self, name: str, value: ParameterValue) -> None:
        """Set a feature; raises an `EngineError` when the camera refuses it."""
        ...


def apply_settings(
    features: CameraFeatures,
    settings: Mapping[str, ParameterValue],
    own: Mapping[str, ParameterValue],
    *,
    device: str,
) -> None:
    """Set up a camera before it starts.

    Parameters
    ----------
    settings : of the manifest: width, height, pixel_format, rate_hz, exposure_us; 0 and "" leave
        what the camera has.
    own : features by their GenICam names, set in this order after the settings.

    Raises
    ------
    InvalidArgumentError
        When the camera has no such feature, or not with that value.
    """
    for name, value in settings.items():
        if name not in _SETTINGS or not value:
            continue
        for switch, position in _SWITCHES.get(name, ()):
            _set_if_possible(features, switch, position)
        known = (one for one in _SETTINGS[name] if features.find(one) is not None)
        wanted = next(known, _SETTINGS[name][0])
        _set(features, wanted, value, device)
    for name, value in own.items():
        _set(features, name, value, device)


def frozen(parameters: Sequence[LiveParameter]) -> tuple[LiveParameter, ...]:
    """Return the features of a camera that is delivering: what changes its frames is read-only."""
    return tuple(
        msgspec.structs.replace(one, access={"rw": "ro", "wo": "na"}.get(one.access, one.access))
        if one.name in _FROZEN
        else one
        for one in parameters
    )


def check_size(found: tuple[int, int, str], opened: tuple[int, int, str], *, device: str) -> None:
    """Refuse a frame of another width, height or pixel format than the camera was opened with."""
    if found != opened:
        width, height, pixel_format = found
        raise DriverError(
            f"{device} now sends {width} x {height} pixels as {pixel_format} instead of "
            f"{opened[0]} x {opened[1]} as {opened[2]}; somebody else has changed it, start the "
            f"stream again"
        )


class FrameNumbers:
    """Counts the frames that are missing between those that came, by the camera's own numbers.

    Numbers that go back, or far ahead, begin anew: cameras count in 16, 32 or 64 bits.
    """

    def __init__(self) -> None:
        self._last: int | None = None

    def missing_before(self, number: int) -> int:
        """Return how many frames are missing between the last one and this one."""
        last, self._last = self._last, number
        gap = 0 if last is None else number - last - 1
        return gap if 0 < gap < _PLAUSIBLE_GAP else 0


def _set(features: CameraFeatures, name: str, value: ParameterValue, device: str) -> None:
    parameter = features.find(name)
    if parameter is None:
        parameter = find_parameter(features.parameters(), name, device=device)
    value = coerced(parameter, value)
    check_value(parameter, value, device=device)
    features.set_value(name, value)


def _set_if_possible(features: CameraFeatures, name: str, value: ParameterValue) -> None:
    """Turn a switch that stands in the way, where the camera lets us."""
    one = features.find(name)
    if one is None or one.access not in ("rw", "wo") or one.value == value:
        return
    if not one.choices or value in one.choices:
        features.set_value(name, value)
