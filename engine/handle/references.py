"""Measured references in files: `exportReference` and `importReference`."""
# ruff: noqa: N802, N803 - the published names are camelCase

import os
from pathlib import Path

import numpy as np

from engine.handle._arguments import as_path
from engine.handle._envi import replace_file
from engine.handle._reference_file import StoredReference, encode_reference, read_reference
from engine.handle.enums import ReferenceImportFlag
from engine.handle.errors import ArgumentError, HandleArgumentTypeError, ReferenceMismatchError
from engine.handle.instrument import BufferContainer, InstrumentDevice
from engine.protocol import FrameKind

__all__ = ("exportReference", "importReference")

_TOLERANCE_NM = 1e-6


def exportReference(
    device: InstrumentDevice,
    reference: BufferContainer,
    fileName: str | bytes | os.PathLike[str],
) -> None:
    """Write a reference that was measured with a device, with the settings the device has now.

    Parameters
    ----------
    reference : the buffers that were collected.
    fileName : by custom it ends in ``.fluxref``.

    Raises
    ------
    ArgumentError
        When the container is empty, or the device is no line camera.
    ReferenceMismatchError
        When the buffers are not of this device.
    MeasurementOutputError
        When the file cannot be written.
    """
    _check_device(device)
    if not isinstance(reference, BufferContainer):
        raise HandleArgumentTypeError(
            f"reference is a BufferContainer, not {type(reference).__name__}"
        )
    frames = np.asarray(reference)
    _check_frames(device, frames.shape[1:], frames.dtype.name, "the reference")
    stored = StoredReference(
        driver=device.driver_name,
        device=device.name,
        frames=frames,
        wavelengths=device.frame_format.wavelengths_nm,
        settings=device.reference_settings(),
    )
    replace_file(_path(fileName), encode_reference(stored), "reference")


def importReference(
    device: InstrumentDevice,
    fileName: str | bytes | os.PathLike[str],
    flags: ReferenceImportFlag = ReferenceImportFlag.NoFlags,
) -> BufferContainer:
    """Read a reference for use with a device.

    Parameters
    ----------
    flags : IgnoreParameterMismatch takes the reference although the device has other settings or
        wavelengths now; the reflectances are off then.

    Returns
    -------
    BufferContainer
        For `ReferenceInfo`.

    Raises
    ------
    ReferenceMismatchError
        When it has another size or number type than the device's frames, whatever the flags; when
        it was measured with other settings, unless the flag is given.
    MeasurementFileError
        When the file cannot be read.
    """
    _check_device(device)
    if not isinstance(flags, ReferenceImportFlag):
        raise HandleArgumentTypeError(f"flags is a ReferenceImportFlag, not {flags!r}")
    path = _path(fileName)
    stored = read_reference(path)
    _check_frames(device, stored.frames.shape[1:], stored.frames.dtype.name, f"reference {path}")
    if ReferenceImportFlag.IgnoreParameterMismatch not in flags:
        _check_settings(device, stored, path)
    return BufferContainer.of(stored.frames)


def _check_device(device: object) -> None:
    if not isinstance(device, InstrumentDevice):
        raise HandleArgumentTypeError(f"device is an InstrumentDevice, not {type(device).__name__}")
    device.core.check()
    if device.frame_format.kind is not FrameKind.LINE:
        raise ArgumentError(f"device {device.name!r} delivers pictures, which have no references")


def _check_frames(device: InstrumentDevice, shape: tuple[int, ...], dtype: str, what: str) -> None:
    wanted = device.frame_format
    if shape != wanted.shape or dtype != wanted.dtype:
        raise ReferenceMismatchError(
            f"{what} has {dtype} frames of shape {shape}, device {device.name!r} delivers "
            f"{wanted.dtype} frames of shape {wanted.shape} (samples, bands); measure it again"
        )


def _check_settings(device: InstrumentDevice, stored: StoredReference, path: Path) -> None:
    now = device.reference_settings()
    different = [
        f"{name} was {stored.settings.get(name)!r} and is {now.get(name)!r}"
        for name in sorted(stored.settings.keys() | now.keys())
        if stored.settings.get(name) != now.get(name)
    ]
    if stored.driver != device.driver_name:
        different.insert(0, f"the driver was {stored.driver!r} and is {device.driver_name!r}")
    if not _is_same_grid(stored.wavelengths, device.frame_format.wavelengths_nm):
        different.append("the wavelengths are others")
    if different:
        raise ReferenceMismatchError(
            f"reference {path} was measured with other settings: {'; '.join(different)}; measure "
            "it again, or import it with ReferenceImportFlag.IgnoreParameterMismatch"
        )


def _is_same_grid(one: tuple[float, ...], other: tuple[float, ...]) -> bool:
    return len(one) == len(other) and bool(
        np.allclose(np.asarray(one), np.asarray(other), rtol=0, atol=_TOLERANCE_NM)
    )


def _path(name: object) -> Path:
    path = as_path(name, "fileName")
    if path is None:
        raise ArgumentError("fileName is empty; give the name of a .fluxref file")
    return path
