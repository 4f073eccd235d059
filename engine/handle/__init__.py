"""The handle: licenses, plugins, processing threads, models, contexts, measurements, devices.

Names are camelCase here because they are published that way.
"""

from engine.handle._device import DeviceStatus
from engine.handle._objects import OBJECT_DTYPE
from engine.handle._sinks import OutputSinkInfo
from engine.handle._spectral_setup import ReferenceInfo
from engine.handle.calibration import CalibrationInfo, convert_length
from engine.handle.context import ProcessingContext
from engine.handle.devices import (
    ConnectionSettings,
    DeviceGroup,
    EnumeratedDevice,
    EnumeratedDriver,
    EnumerationResult,
    enumerateDevices,
)
from engine.handle.enums import (
    CalibrationSettingType,
    DeviceProcessingContext_CreationFlags,
    DeviceType,
    DriverState,
    DriverType,
    HSICube_StorageOrder,
    MeasurementProcessingContextFlag,
    PushBroomFrame_StorageOrder,
    ReferenceImportFlag,
    ValueType,
)
from engine.handle.errors import (
    HandleAlreadyCreatedError,
    HandleError,
    HandleNoLongerValidError,
    HandleReentryError,
    MissingReferenceError,
    ModelNoLongerValidError,
    ObjectNoLongerValidError,
    ProcessingAbortedError,
    ProcessingContextNoLongerValidError,
    WavelengthRangeError,
)
from engine.handle.handle import Handle
from engine.handle.instrument import Buffer, BufferContainer, InstrumentDevice
from engine.handle.light import LightControlDevice, LightState
from engine.handle.measurement import (
    MeasurementList,
    createMeasurementHSICube,
    loadMeasurementList,
    saveMeasurementList,
)
from engine.handle.model import Model
from engine.handle.parameter_info import ParameterInfo
from engine.handle.queue_set import ProcessingQueueSet
from engine.handle.references import exportReference, importReference
from engine.handle.version import versionMajor, versionMinor, versionString

__all__ = (
    "OBJECT_DTYPE",
    "Buffer",
    "BufferContainer",
    "CalibrationInfo",
    "CalibrationSettingType",
    "ConnectionSettings",
    "DeviceGroup",
    "DeviceProcessingContext_CreationFlags",
    "DeviceStatus",
    "DeviceType",
    "DriverState",
    "DriverType",
    "EnumeratedDevice",
    "EnumeratedDriver",
    "EnumerationResult",
    "HSICube_StorageOrder",
    "Handle",
    "HandleAlreadyCreatedError",
    "HandleError",
    "HandleNoLongerValidError",
    "HandleReentryError",
    "InstrumentDevice",
    "LightControlDevice",
    "LightState",
    "MeasurementList",
    "MeasurementProcessingContextFlag",
    "MissingReferenceError",
    "Model",
    "ModelNoLongerValidError",
    "ObjectNoLongerValidError",
    "OutputSinkInfo",
    "ParameterInfo",
    "ProcessingAbortedError",
    "ProcessingContext",
    "ProcessingContextNoLongerValidError",
    "ProcessingQueueSet",
    "PushBroomFrame_StorageOrder",
    "ReferenceImportFlag",
    "ReferenceInfo",
    "ValueType",
    "WavelengthRangeError",
    "convert_length",
    "createMeasurementHSICube",
    "enumerateDevices",
    "exportReference",
    "importReference",
    "loadMeasurementList",
    "saveMeasurementList",
    "versionMajor",
    "versionMinor",
    "versionString",
)
