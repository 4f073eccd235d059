"""Measurements in files: `MeasurementList`, `loadMeasurementList`, `saveMeasurementList`."""
# ruff: noqa: N802, N803 - the published names are camelCase

import os
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from engine.drivers.envi import DARK, WHITE
from engine.handle._arguments import as_path, whole_number
from engine.handle._bound_license import require_connected_device
from engine.handle._envi import StoredCube, read_envi, write_envi
from engine.handle._lines import DataForm
from engine.handle._orders import as_numbers, cube_order, reference_line
from engine.handle._spectra import as_wavelengths
from engine.handle._spectral_setup import Numbers, ReferenceInfo, SpectralData, describe
from engine.handle.calibration import CalibrationInfo
from engine.handle.enums import HSICube_StorageOrder, MeasurementProcessingContextFlag, ValueType
from engine.handle.errors import ArgumentError, HandleArgumentTypeError
from engine.handle.handle import Handle
from engine.handle.queue_set import core_of

__all__ = (
    "MeasurementList",
    "createMeasurementHSICube",
    "loadMeasurementList",
    "measurement_data",
    "saveMeasurementList",
)

Array = np.ndarray[Any, Any]

_NAMES = (WHITE, DARK)


class MeasurementList:
    """Measured cubes in memory; made by `loadMeasurementList` and `createMeasurementHSICube`."""

    def __init__(self, wrapped: tuple[StoredCube, ...]) -> None:
        self._cubes = wrapped

    def count(self) -> int:
        """Return the number of measurements."""
        return len(self._cubes)

    def data(self, index: int) -> Array:
        """Return the values of a measurement, shape (lines, samples, bands)."""
        data: Array = self.cube(index).data
        return data

    def valueType(self, index: int) -> ValueType:
        """Return what the values are."""
        return self.cube(index).value_type

    def wavelengths(self, index: int) -> Array:
        """Return the wavelength of each band in nm; empty when they are not known."""
        return np.asarray(self.cube(index).wavelengths, np.float64)

    def hasReference(self, index: int, name: str) -> bool:
        """Tell whether a measurement has its ``"WhiteReference"`` or ``"DarkReference"``."""
        return _name(name) in self.cube(index).references

    def referenceData(self, index: int, name: str) -> Array:
        """Return a reference, shape (lines, samples, bands).

        Raises
        ------
        ArgumentError
            When the measurement has no such reference.
        """
        references = self.cube(index).references
        if _name(name) not in references:
            raise ArgumentError(f"measurement {index} has no {name}; ask hasReference first")
        data: Array = references[name]
        return data

    def calibrationInfo(self, index: int) -> CalibrationInfo:
        """Return what is known about the instrument's mounting."""
        return self.cube(index).calibration

    def cube(self, index: int) -> StoredCube:
        """Return everything about a measurement; used by this package."""
        position = whole_number(index, "a measurement's index")
        if not 0 <= position < len(self._cubes):
            raise ArgumentError(
                f"a measurement's index is 0 to {len(self._cubes) - 1}, not {position}"
            )
        return self._cubes[position]


def loadMeasurementList(
    handle: Handle,
    format: str,  # noqa: A002 - published
    fileName: str | bytes | os.PathLike[str],
) -> MeasurementList:
    """Load measurements, and the references that lie beside them.

    Parameters
    ----------
    format : ``"ENVI"``, spelled like this.
    fileName : the header, ``*.hdr``.

    Raises
    ------
    MeasurementFileError
        When the file is missing, cut off or cannot be understood.
    LicenseDeviceError
        When the license is bound to devices and none of them is connected.
    """
    core = core_of(handle)
    core.check()
    require_connected_device(core, "loading a measurement")
    return MeasurementList((read_envi(_file(format, fileName)),))


def saveMeasurementList(
    measurementList: MeasurementList,
    format: str,  # noqa: A002 - published
    fileName: str | bytes | os.PathLike[str],
) -> None:
    """Save a list of one measurement; works without a handle too.

    References are written beside it, value type and calibration into its header.

    Raises
    ------
    MeasurementOutputError
        When the file cannot be written.
    """
    if not isinstance(measurementList, MeasurementList):
        raise HandleArgumentTypeError(
            f"measurementList is a MeasurementList, not {type(measurementList).__name__}"
        )
    if measurementList.count() != 1:
        raise ArgumentError(
            f"an ENVI file holds one measurement, the list has {measurementList.count()}"
        )
    write_envi(_file(format, fileName), measurementList.cube(0))


def createMeasurementHSICube(
    data: ArrayLike,
    storageOrder: HSICube_StorageOrder = HSICube_StorageOrder.BIP,
    *,
    wavelengths: Numbers | None = None,
    references: ReferenceInfo | None = None,
    calibrationInfo: CalibrationInfo | None = None,
) -> MeasurementList:
    """Make a list of one measurement from a cube in memory, which is copied.

    Parameters
    ----------
    data : ndarray in the given order; a `BufferContainer` of lines is one in the order BIP.
    wavelengths : of the bands, in nm.
    references : value type and references, in the same order as the data.
    calibrationInfo : kept with the measurement.
    """
    order = cube_order(storageOrder)
    array = as_numbers(data, "cube")
    if array.ndim != 3 or not array.size or array.dtype.kind not in "iuf":
        raise ArgumentError(f"data is a cube of numbers with three axes, {order}")
    info = ReferenceInfo() if references is None else references
    grid = () if wavelengths is None else as_wavelengths(wavelengths, "wavelengths").tolist()
    described = describe(DataForm(order, array.shape, array.dtype), wavelengths, info)
    _, samples, bands = order.sizes(array.shape)
    found = {
        name: _reference(given, order, samples, bands, name)
        for name, given in ((WHITE, info.whiteReference), (DARK, info.darkReference))
        if given is not None
    }
    cube = StoredCube(
        data=np.array(order.as_lines(array), order="C"),
        value_type=described.value_type,
        wavelengths=tuple(grid),
        references=found,
        calibration=CalibrationInfo() if calibrationInfo is None else calibrationInfo,
    )
    return MeasurementList((cube,))


def measurement_data(
    measurementList: MeasurementList, index: int, flags: MeasurementProcessingContextFlag
) -> SpectralData:
    """Return the structure of a measurement as contexts take it; used by this package."""
    if not isinstance(measurementList, MeasurementList):
        raise HandleArgumentTypeError(
            f"measurementList is a MeasurementList, not {type(measurementList).__name__}"
        )
    cube = measurementList.cube(index)
    is_variable = MeasurementProcessingContextFlag.VariableSpatialSize in flags
    has_references = MeasurementProcessingContextFlag.IgnoreReferences not in flags
    references = cube.references if has_references else {}
    certificate = cube.calibration.whiteReferenceReflectivity()
    order = cube_order(HSICube_StorageOrder.BIP)
    return describe(
        DataForm(order, cube.data.shape, cube.data.dtype, is_variable),
        cube.wavelengths or None,
        ReferenceInfo(
            cube.value_type,
            references.get(WHITE),
            references.get(DARK),
            certificate if WHITE in references and cube.wavelengths else None,
        ),
    )


def _reference(given: ArrayLike, order: Any, samples: int, bands: int, name: str) -> Array:  # noqa: ANN401
    """Return a reference as (lines, samples, bands); one spectrum is spread over all samples."""
    array = as_numbers(given, name)
    if array.ndim == 3:
        return np.array(order.as_lines(array), order="C")
    line = reference_line(array, order, samples=samples, bands=bands, what=name)
    return np.broadcast_to(line, (1, samples, bands)).astype(array.dtype)


def _file(kind: object, name: object) -> Path:
    if not isinstance(kind, str) or kind != "ENVI":
        raise ArgumentError(f"the format {kind!r} is not known; known is 'ENVI', spelled like this")
    path = as_path(name, "fileName")
    if path is None:
        raise ArgumentError("fileName is empty; give the .hdr file")
    return path


def _name(name: object) -> str:
    if not isinstance(name, str) or name not in _NAMES:
        raise ArgumentError(f"a reference is called {' or '.join(_NAMES)}, not {name!r}")
    return name
