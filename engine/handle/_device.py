"""What all connected devices have in common: a driver's process, a state, parameters."""
# ruff: noqa: N802 - the published names are camelCase

import contextlib
import threading
from collections.abc import Iterator, Mapping, Sequence
from enum import IntEnum
from pathlib import Path

from engine.config import ParameterValue
from engine.drivers import (
    ControlLine,
    DriverEntry,
    DriverProcess,
    LiveParameter,
    check_readable,
    complete_parameters,
)
from engine.errors import DriverCrashedError
from engine.handle._core import HandleCore
from engine.handle._reference_file import is_known_to_affect_references
from engine.handle.errors import (
    ArgumentError,
    DeviceStateError,
    HandleArgumentTypeError,
    runtime_errors,
)
from engine.handle.parameter_info import LiveParameterInfo, ParameterInfo
from engine.protocol import FrameFormat

__all__ = ("ConnectedDevice", "DeviceStatus")


class DeviceStatus(IntEnum):
    """What a device is doing."""

    Connected = 0
    Acquiring = 1
    Error = 2
    Disconnected = 3


class _Host(DriverProcess):
    """A driver process that may be started by another executable than our own."""

    executable: Path | None = None

    def _host_command(self, arguments: Sequence[str]) -> list[str]:
        if self.executable is None:
            return super()._host_command(arguments)
        return [str(self.executable), *arguments]

    def start_device(self) -> FrameFormat | None:
        """Start as usual; when that fails, say which executable was to do it."""
        try:
            return super().start_device()
        except DriverCrashedError as error:
            if self.executable is None:
                raise
            raise DriverCrashedError(
                f"{error.message}; it was run by the isolation executable {self.executable}, "
                "check setDriverIsolationExecutable",
                **error.details,
            ) from error


class ConnectedDevice:
    """A device behind a driver's process; base of instruments and lights.

    Parameters can be read and set from any thread, also while frames are retrieved.
    """

    def __init__(
        self, core: HandleCore, entry: DriverEntry, parameters: Mapping[str, ParameterValue]
    ) -> None:
        self._core = core
        self._entry = entry
        self._parameters = dict(parameters)
        self._lock = threading.Lock()
        self._status = DeviceStatus.Disconnected
        self._last_error = ""
        self._host = self._new_host(1)

    @property
    def name(self) -> str:
        """The driver's name for people."""
        return self._entry.label

    @property
    def driver_name(self) -> str:
        """The driver's name in its manifest; used by this package."""
        return self._entry.name

    @property
    def status(self) -> DeviceStatus:
        """What the device is doing."""
        return self._status

    @property
    def lastError(self) -> str:
        """What went wrong, empty when nothing did."""
        return self._last_error

    @property
    def core(self) -> HandleCore:
        """The handle it belongs to; used by this package."""
        return self._core

    def parameterInfo(self) -> ParameterInfo:
        """Return the parameters of the device, or those it was connected with when it has none.

        What it says follows the device: after a parameter was set, limits and access of others may
        be different.
        """
        if self._host.has_control and self._live():
            return LiveParameterInfo(self._live)
        return ParameterInfo(self._entry.parameters)

    def reference_settings(self) -> dict[str, ParameterValue]:
        """Return what references depend on, by name; used by this package."""
        fixed = complete_parameters(self._entry, self._parameters)
        found = {
            one.name: fixed[one.name]
            for one in self._entry.parameters
            if one.affects_references or is_known_to_affect_references(one.name)
        }
        live = self._live() if self._host.has_control else ()
        found |= {
            one.name: one.value
            for one in live
            if one.value is not None
            and (one.affects_references or is_known_to_affect_references(one.name))
        }
        return found

    def updateParameters(self) -> None:
        """Read all parameters from the device anew, for those that change by themselves."""
        with self._control() as control:
            control.read_all()

    def getParameter(self, name: str) -> ParameterValue:
        """Read a parameter from the device.

        Raises
        ------
        ParameterAccessError, UnknownParameterError
            When it cannot be read now, or there is none of that name.
        """
        with self._control() as control:
            found = control.read(_text(name))
            check_readable(found, device=repr(self.name))
            return "" if found.value is None else found.value

    def setParameter(self, name: str, value: ParameterValue) -> tuple[str, ...]:
        """Give a parameter another value; return which parameters are different now.

        Raises
        ------
        UnknownParameterError, ParameterAccessError, ParameterTypeError, ParameterRangeError
            Each for its reason; nothing has changed then.
        """
        with self._control() as control:
            return control.set_value(_text(name), value)

    def executeCommand(self, name: str) -> tuple[str, ...]:
        """Run a command of the device; return which parameters are different now."""
        with self._control() as control:
            return control.run_command(_text(name))

    def getParameterBoolean(self, name: str) -> bool:
        """Return a parameter that is true or false."""
        value = self._typed(name, bool, "true or false")
        return bool(value)

    def getParameterInteger(self, name: str) -> int:
        """Return a parameter that is a whole number."""
        return int(str(self._typed(name, int, "a whole number")))

    def getParameterFloat(self, name: str) -> float:
        """Return a parameter that is a number."""
        return float(str(self._typed(name, (int, float), "a number")))

    def getParameterEnumeration(self, name: str) -> str:
        """Return the name of an enumeration's entry."""
        return str(self._typed(name, str, "an enumeration"))

    def getParameterString(self, name: str) -> str:
        """Return a parameter that is a text."""
        return str(self._typed(name, str, "a text"))

    def setParameterBoolean(self, name: str, value: bool) -> tuple[str, ...]:
        """Set a parameter that is true or false; see `setParameter`."""
        return self.setParameter(name, value)

    def setParameterInteger(self, name: str, value: int) -> tuple[str, ...]:
        """Set a parameter that is a whole number; see `setParameter`."""
        return self.setParameter(name, value)

    def setParameterFloat(self, name: str, value: float) -> tuple[str, ...]:
        """Set a parameter that is a number; see `setParameter`."""
        return self.setParameter(name, value)

    def setParameterEnumeration(self, name: str, value: str) -> tuple[str, ...]:
        """Set an enumeration to one of its entries, by name; see `setParameter`."""
        return self.setParameter(name, value)

    def setParameterString(self, name: str, value: str) -> tuple[str, ...]:
        """Set a parameter that is a text; see `setParameter`."""
        return self.setParameter(name, value)

    def release(self) -> None:
        """Disconnect. Safe to call twice, and from any thread."""
        with self._lock:
            if self._status is DeviceStatus.Disconnected:
                return
            self._status = DeviceStatus.Disconnected
        self._host.stop()

    def _new_host(self, buffers: int) -> _Host:
        with runtime_errors():
            host = _Host(self._entry, self._parameters, stream=self._entry.name, slots=buffers)
            if not self._entry.executable:  # else the driver is a program of its own
                host.executable = self._core.isolation_executable
            return host

    def _live(self) -> tuple[LiveParameter, ...]:
        with self._control() as control:
            return control.parameters()

    @contextlib.contextmanager
    def _control(self) -> Iterator[ControlLine]:
        """Lend the control line; a device that is found to be gone is in the state Error."""
        self._core.check()
        if self._status in (DeviceStatus.Error, DeviceStatus.Disconnected):
            self._check(DeviceStatus.Connected)
        try:
            with runtime_errors():
                yield self._host.control
        except DriverCrashedError as error:
            self._failed(error.message)
            raise

    def _failed(self, message: str) -> None:
        with self._lock:
            if self._status is not DeviceStatus.Disconnected:
                self._status = DeviceStatus.Error
                self._last_error = message

    def _typed(self, name: str, kind: type | tuple[type, ...], words: str) -> ParameterValue:
        value = self.getParameter(name)
        if not isinstance(value, kind) or (isinstance(value, bool) and kind is not bool):
            raise ArgumentError(f"parameter {name!r} of {self.name!r} is not {words}")
        return value

    def _check(self, wanted: DeviceStatus) -> None:
        self._core.check()
        if self._status is wanted:
            return
        why = f" ({self._last_error})" if self._last_error else ""
        words = {
            DeviceStatus.Connected: "is not acquiring; call startAcquisition first",
            DeviceStatus.Acquiring: "is acquiring; call stopAcquisition first",
            DeviceStatus.Error: f"has failed{why}; connect it again",
            DeviceStatus.Disconnected: "was disconnected; connect it again",
        }
        raise DeviceStateError(f"device {self.name!r} {words[self._status]}")


def _text(name: object) -> str:
    if not isinstance(name, str):
        raise HandleArgumentTypeError(f"a parameter's name is a text, not {name!r}")
    return name
