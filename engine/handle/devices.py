"""Finding drivers and devices, and connecting: `enumerateDevices`, `DeviceGroup`."""
# ruff: noqa: N802, N803, N815 - the published names are camelCase

import weakref
from dataclasses import dataclass, field
from pathlib import Path
from typing import Self

from engine.drivers import (
    DeviceKind,
    DiscoveryState,
    DriverCatalog,
    DriverEntry,
    discover_devices,
)
from engine.errors import DriverError, DriverNotFoundError
from engine.handle._arguments import milliseconds, whole_number
from engine.handle._core import HandleCore
from engine.handle._device import ConnectedDevice, DeviceStatus
from engine.handle.enums import DriverState, DriverType
from engine.handle.errors import ArgumentError, HandleArgumentTypeError
from engine.handle.handle import Handle
from engine.handle.instrument import InstrumentDevice
from engine.handle.light import LightControlDevice
from engine.handle.parameter_info import ParameterInfo, typed_parameters
from engine.handle.queue_set import core_of
from engine.license import require_device, require_within

__all__ = (
    "ConnectionSettings",
    "DeviceGroup",
    "EnumeratedDevice",
    "EnumeratedDriver",
    "EnumerationResult",
    "enumerateDevices",
)

_FOLDERS = {"instrument": DriverType.Instrument, "lightcontrol": DriverType.LightControl}
_DEVICE_PARAMETERS = ("device", "device_id")
_STATES = {
    DiscoveryState.OK: DriverState.OK,
    DiscoveryState.LOAD_TIMEOUT: DriverState.LoadTimeout,
    DiscoveryState.LOAD_ERROR: DriverState.LoadError,
    DiscoveryState.ENUMERATION_ERROR: DriverState.EnumerationError,
    DiscoveryState.CRASHED: DriverState.Crashed,
    DiscoveryState.UNKNOWN: DriverState.Unknown,
}


@dataclass(frozen=True)
class EnumeratedDriver:
    """A driver that was found, whether or not it works; `error` is a sentence when it does not."""

    name: str
    type: DriverType
    description: str
    version: str
    state: DriverState
    error: str = ""


@dataclass(frozen=True)
class EnumeratedDevice:
    """A device of a driver. The id may change when the machine or the driver is started again."""

    driverName: str
    driverType: DriverType
    id: bytes
    name: str
    connectionParameters: ParameterInfo
    vendor: str = ""
    model: str = ""
    serial: str = ""


@dataclass(frozen=True)
class EnumerationResult:
    """All drivers, all devices of those that work, and what went wrong with the others."""

    drivers: tuple[EnumeratedDriver, ...]
    devices: tuple[EnumeratedDevice, ...]
    errors: tuple[str, ...] = ()


@dataclass
class ConnectionSettings:
    """Which device to connect to, and how; parameters that are left out have their defaults."""

    driverName: str
    driverType: DriverType
    id: bytes
    connectionParameters: dict[str, str] = field(default_factory=dict)


def enumerateDevices(
    handle: Handle,
    driverType: DriverType | int,
    timeout: float,
    *,
    returnEarly: bool = False,
) -> EnumerationResult:
    """Load every driver in a process of its own and ask for its devices.

    Takes as long as the time-out, unless `returnEarly`. A driver that fails never makes this fail:
    it is listed with its state and error.

    Parameters
    ----------
    driverType : which drivers; -1 for all.
    timeout : in milliseconds.
    """
    core = core_of(handle)
    core.check()
    wanted = _driver_type(driverType)
    timeout_s = milliseconds(timeout, "timeout")
    found = [
        (entry, kind) for entry, kind in _entries(core) if wanted in (DriverType.Unknown, kind)
    ]
    outcomes = discover_devices(
        [entry for entry, _ in found],
        timeout_s,
        isolation_executable=core.isolation_executable,
        returns_early=returnEarly,
    )
    drivers, devices = [], []
    for (entry, kind), outcome in zip(found, outcomes, strict=True):
        drivers.append(
            EnumeratedDriver(
                entry.name,
                kind,
                entry.description,
                str(entry.api_version),
                _STATES[outcome.state],
                outcome.problem,
            )
        )
        info = ParameterInfo(entry.parameters)
        devices += [
            EnumeratedDevice(
                entry.name,
                kind,
                one.device_id.encode(),
                one.name,
                info,
                one.vendor,
                one.model,
                one.serial,
            )
            for one in outcome.devices
        ]
    errors = tuple(outcome.problem for outcome in outcomes if outcome.problem)
    return EnumerationResult(tuple(drivers), tuple(devices), errors)


class DeviceGroup:
    """A connection to a device; ends with `disconnect`, ``del``, a ``with`` block, or the handle.

    Parameters
    ----------
    settings : what to connect to.

    Raises
    ------
    DriverError
        When the driver is not there, fails, or finds its device not to be there.
    LicenseFeatureMissingError, LicenseDeviceError
        When the license allows no further device or driver, or not this device.
    ArgumentError
        When a connection parameter is wrong or missing.
    """

    def __init__(self, handle: Handle, settings: ConnectionSettings) -> None:
        core = core_of(handle)
        core.check()
        if not isinstance(settings, ConnectionSettings):
            raise HandleArgumentTypeError(
                f"settings are ConnectionSettings, not {type(settings).__name__}"
            )
        entry = _find(core, settings)
        is_light = settings.driverType is DriverType.LightControl
        parameters = typed_parameters(entry.parameters, settings.connectionParameters)
        names = [one.name for one in entry.parameters if one.name in _DEVICE_PARAMETERS]
        if names:
            parameters.setdefault(names[0], settings.id.decode("utf-8", "replace"))
        elif settings.id not in (b"", entry.name.encode()):
            raise ArgumentError(
                f"driver {entry.name!r} knows no device {settings.id!r}; enumerate the devices "
                "again, their ids may change"
            )
        chosen = str(parameters[names[0]]) if names else ""
        _check_license(core, entry.name, chosen, is_light=is_light)
        self._device: InstrumentDevice | LightControlDevice
        if is_light and entry.api_version >= 2:
            self._device = LightControlDevice(core, entry, parameters)
        else:
            self._device = InstrumentDevice(core, entry, parameters)
        self._finalizer = weakref.finalize(self, self._device.release)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.disconnect()

    def primaryDevice(self) -> InstrumentDevice | LightControlDevice:
        """Return the device that was connected."""
        return self._device

    def subDevices(self) -> tuple[InstrumentDevice, ...]:
        """Return further devices that came with it; no driver has any."""
        return ()

    def disconnect(self) -> None:
        """End the connection. Safe to call twice."""
        self._device.release()


def _check_license(core: HandleCore, driver: str, device_id: str, *, is_light: bool) -> None:
    """Refuse what the license does not allow besides what is connected already."""
    connected = [
        one
        for one in core.all_dependents(ConnectedDevice)
        if one.status is not DeviceStatus.Disconnected
    ]
    drivers = {one.driver_name for one in connected} | {driver}
    require_within(core.terms, "drivers", len(drivers))
    if is_light:  # no source of data
        return
    instruments = sum(isinstance(one, InstrumentDevice) for one in connected)
    require_within(core.terms, "devices", 1 + instruments)
    require_device(core.terms, driver, device_id)


def _driver_type(value: object) -> DriverType:
    number = whole_number(value, "driverType")
    try:
        return DriverType(number)
    except ValueError as error:
        raise ArgumentError(f"driverType is a DriverType, or -1 for all, not {number}") from error


def _entries(core: HandleCore) -> list[tuple[DriverEntry, DriverType]]:
    """Return all drivers: the built-in ones and those in the base directory or its type folders."""
    base = core.driver_folder
    folders = [] if base is None else [base, *_type_folders(base)]
    catalog = DriverCatalog(folders)
    found = []
    for state in catalog.states():
        try:
            entry = catalog.get(state.name)
        except DriverError as error:
            entry = DriverEntry(state.name, state.label, state.folder, problem=error.message)
        kind = _FOLDERS.get(Path(entry.folder).parent.name, DriverType.Instrument)
        if entry.device_kind is DeviceKind.LIGHT:
            kind = DriverType.LightControl
        found.append((entry, kind))
    return found


def _type_folders(base: Path) -> list[Path]:
    return [base / name for name in _FOLDERS if (base / name).is_dir()]


def _find(core: HandleCore, settings: ConnectionSettings) -> DriverEntry:
    if not isinstance(settings.id, bytes):
        raise HandleArgumentTypeError("a device's id are bytes; give what the enumeration returned")
    if not isinstance(settings.driverName, str):
        raise HandleArgumentTypeError(f"driverName is a text, not {settings.driverName!r}")
    for entry, kind in _entries(core):
        if entry.name == settings.driverName and kind is settings.driverType:
            if entry.problem:
                raise DriverError(entry.problem, driver=entry.name)
            return entry
    raise DriverNotFoundError(
        f"there is no driver {settings.driverName!r} of type {settings.driverType!r}; "
        "enumerateDevices lists those there are",
        driver=str(settings.driverName),
    )
