"""Enumerations of the handle classes, under their published names and numbers."""
# ruff: noqa: N801 - the published names are not all CapWords

from enum import IntEnum, IntFlag

__all__ = (
    "CalibrationSettingType",
    "DeviceProcessingContext_CreationFlags",
    "DeviceType",
    "DriverState",
    "DriverType",
    "HSICube_StorageOrder",
    "MeasurementProcessingContextFlag",
    "PushBroomFrame_StorageOrder",
    "ReferenceImportFlag",
    "ValueType",
)


class HSICube_StorageOrder(IntEnum):
    """Order of a cube's axes: y lines, x samples of a line, bands."""

    BIP = 0
    """Shape (y, x, bands)."""
    BIL = 1
    """Shape (y, bands, x)."""
    BSQ = 2
    """Shape (bands, y, x)."""


class PushBroomFrame_StorageOrder(IntEnum):
    """Order of the axes of one frame of a line camera."""

    LambdaX = 0
    """Wavelengths along the picture's x: shape (samples, bands)."""
    LambdaY = 1
    """Wavelengths along the picture's y: shape (bands, samples)."""


class ValueType(IntEnum):
    """What the numbers of a cube are."""

    Intensity = 0
    """What the sensor counted."""
    Reflectance = 1
    """Share of the light that came back, compared with a white reference."""
    RelativeRadiance = 2
    """Intensities after corrections of the instrument, without an absolute scale."""
    Radiance = 3
    """Intensities on an absolute scale."""
    Absorbance = 4
    """Minus the decimal logarithm of the reflectance."""

    @property
    def is_raw(self) -> bool:
        """Whether references still have to be applied to get reflectances."""
        return self in (ValueType.Intensity, ValueType.RelativeRadiance, ValueType.Radiance)


class DriverType(IntEnum):
    """What a driver drives."""

    Unknown = -1
    Instrument = 0
    LightControl = 2


class DriverState(IntEnum):
    """How a driver fared during an enumeration."""

    Unknown = -1
    OK = 0
    LoadTimeout = 1
    LoadError = 2
    EnumerationError = 3
    Crashed = 4


class DeviceType(IntEnum):
    """What a connected device is."""

    Instrument = 0
    LightControl = 2


class CalibrationSettingType(IntEnum):
    """A quantity that describes how an instrument is mounted."""

    PixelSizeX = 0
    InstrumentBaseDistance = 1
    InstrumentAngleX = 2


class ReferenceImportFlag(IntFlag):
    """How strictly a stored reference is compared with the device."""

    NoFlags = 0
    IgnoreParameterMismatch = 1


class MeasurementProcessingContextFlag(IntFlag):
    """How the structure of a measurement is taken over."""

    NoFlags = 0
    VariableSpatialSize = 1
    """The measurement's size is the largest one; smaller ones may be processed too."""
    IgnoreReferences = 2
    """Do without the measurement's references, although its values are raw."""


class DeviceProcessingContext_CreationFlags(IntFlag):
    """What a device's context delivers besides its main result."""

    NoFlags = 0
    AdditionalPreview = 1
    """A recording also has sink 1, which shows the preview of the same frame."""
