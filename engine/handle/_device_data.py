"""What the frames of a connected device are, as contexts take them."""

from dataclasses import replace
from pathlib import Path

import numpy as np

from engine.handle._envi import read_envi_reference
from engine.handle._lines import DataForm
from engine.handle._orders import frame_order
from engine.handle._spectral_setup import ReferenceInfo, SpectralData, describe
from engine.handle.calibration import CalibrationInfo
from engine.handle.enums import PushBroomFrame_StorageOrder, ValueType
from engine.handle.errors import ArgumentError, HandleArgumentTypeError
from engine.handle.instrument import InstrumentDevice
from engine.protocol import FrameFormat, FrameKind

__all__ = ("device_calibration", "device_data", "picture_of")


def picture_of(device: InstrumentDevice) -> FrameFormat | None:
    """Return what an area camera's pictures look like; None for a line camera."""
    if not isinstance(device, InstrumentDevice):
        raise HandleArgumentTypeError(f"device is an InstrumentDevice, not {type(device).__name__}")
    device.core.check()
    found = device.frame_format
    return found if found.kind is FrameKind.IMAGE else None


def device_calibration(
    device: InstrumentDevice, given: CalibrationInfo | None
) -> CalibrationInfo | None:
    """Return the calibration for a new context: the one given, else a copy of the device's."""
    if given is not None and not isinstance(given, CalibrationInfo):
        raise HandleArgumentTypeError(
            f"calibrationInfo is a CalibrationInfo, not {type(given).__name__}"
        )
    return device.calibrationInfo() if given is None else given.copy()


def device_data(
    device: InstrumentDevice,
    references: ReferenceInfo | None = None,
    calibration: CalibrationInfo | None = None,
    *,
    is_for_display: bool = False,
) -> SpectralData:
    """Return what a line camera's frames are.

    Parameters
    ----------
    references : measured by the caller; left out, those that the device's source brings along.
    calibration : says what the white surface reflects, unless `references` do.
    is_for_display : references are not wanted.

    Raises
    ------
    ArgumentError
        When it is no line camera.
    MeasurementFileError
        When a reference of the source cannot be read.
    """
    found = device.frame_format
    if picture_of(device) is not None:
        raise ArgumentError(f"device {device.name!r} delivers pictures, which have no references")
    order = frame_order(PushBroomFrame_StorageOrder.LambdaX)
    form = DataForm(order, found.shape, np.dtype(found.dtype))
    info = _own(found, is_for_display=is_for_display) if references is None else references
    if isinstance(info, ReferenceInfo):
        info = _with_reflectivity(info, found, calibration)
    return describe(form, found.wavelengths_nm or None, info)


def _own(found: FrameFormat, *, is_for_display: bool) -> ReferenceInfo:
    kind = ValueType[found.value_type] if found.value_type else ValueType.Intensity
    if is_for_display or not kind.is_raw:
        return ReferenceInfo(kind)
    white, dark = (
        read_envi_reference(Path(path)) if path else None
        for path in (found.white_reference, found.dark_reference)
    )
    return ReferenceInfo(kind, white, dark)


def _with_reflectivity(
    info: ReferenceInfo, found: FrameFormat, calibration: CalibrationInfo | None
) -> ReferenceInfo:
    certificate = None if calibration is None else calibration.whiteReferenceReflectivity()
    if certificate is None or info.whiteReflectivity is not None or info.whiteReference is None:
        return info
    if not found.wavelengths_nm:
        raise ArgumentError(
            "the calibration says what the white surface reflects at which wavelengths, and the "
            "wavelengths of the device's bands are not known; give whiteReflectivity per band"
        )
    return replace(info, whiteReflectivity=certificate)
