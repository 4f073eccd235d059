"""Finding drivers and devices, and connecting: `enumerateDevices`, `DeviceGroup`."""
# ruff: noqa: N802, N803, N815 - the published names are camelCase

import weakref
from dataclasses import dataclass, field
from pathlib import Path
from typing import Self

from engine.drivers import DriverCatalog, DriverEntry
from engine.errors import DriverError, DriverNotFoundError
from engine.handle._arguments import milliseconds, whole_number
from engine.handle._core import HandleCore
from engine.handle._enumeration import enumerate_drivers
from engine.handle.enums import DriverState, DriverType
from engine.handle.errors import ArgumentError, HandleArgumentTypeError
from engine.handle.handle import Handle
from engine.handle.instrument import InstrumentDevice
from engine.handle.parameter_info import ParameterInfo, typed_parameters
from engine.handle.queue_set import core_of
from engine.license import require_within

__all__ = (
    "ConnectionSettings",
    "DeviceGroup",
    "EnumeratedDevice",
    "EnumeratedDriver",
    "EnumerationResult",
    "enumerateDevices",
)

_FOLDERS = {"instrument": DriverType.Instrument, "lightcontrol": DriverType.LightControl}
_DEVICE_PARAMETER = "device_id"


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
    outcomes = enumerate_drivers(
        [entry for entry, _ in found],
        timeout_s,
        isolation_executable=core.isolation_executable,
        returns_early=returnEarly,
    )
    drivers, devices = [], []
    for (entry, kind), outcome in zip(found, outcomes, strict=True):
        drivers.append(
            EnumeratedDriver(
                entry.name, kind, entry.description, "1", outcome.state, outcome.problem
            )
        )
        info = ParameterInfo(entry.parameters)
        devices += [
            EnumeratedDevice(entry.name, kind, one.device_id.encode(), one.name, info)
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
        require_within(core.terms, "devices", 1 + core.dependents(InstrumentDevice))
        parameters = typed_parameters(entry.parameters, settings.connectionParameters)
        if any(one.name == _DEVICE_PARAMETER for one in entry.parameters):
            parameters.setdefault(_DEVICE_PARAMETER, settings.id.decode("utf-8", "replace"))
        elif settings.id not in (b"", entry.name.encode()):
            raise ArgumentError(
                f"driver {entry.name!r} knows no device {settings.id!r}; enumerate the devices "
                "again, their ids may change"
            )
        self._device = InstrumentDevice(core, entry, parameters)
        self._finalizer = weakref.finalize(self, self._device.release)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.disconnect()

    def primaryDevice(self) -> InstrumentDevice:
        """Return the device that was connected."""
        return self._device

    def subDevices(self) -> tuple[InstrumentDevice, ...]:
        """Return further devices that came with it; no driver has any."""
        return ()

    def disconnect(self) -> None:
        """End the connection. Safe to call twice."""
        self._device.release()


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
        found.append((entry, _FOLDERS.get(Path(entry.folder).parent.name, DriverType.Instrument)))
    return found


def _type_folders(base: Path) -> list[Path]:
    return [base / name for name in _FOLDERS if (base / name).is_dir()]


def _find(core: HandleCore, settings: ConnectionSettings) -> DriverEntry:
    if not isinstance(settings.id, bytes):
        raise HandleArgumentTypeError("a device's id are bytes; give what the enumeration returned")
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
