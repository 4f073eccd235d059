"""A driver host's end of the control line; everything happens on the host's main thread."""

import msgspec

from engine.drivers.base import BaseDriver
from engine.drivers.control_messages import (
    ControlRequest,
    ForceLightOff,
    ReadOne,
    RunCommand,
    SetValue,
    decode_request,
    encode_control,
    replies,
)
from engine.drivers.live import LiveParameter
from engine.drivers.messages import Failed
from engine.errors import DriverError, DriverProtocolError, EngineError
from engine.process import Channel

__all__ = ("HostControl",)

_SEND_TIMEOUT_S = 5.0


class HostControl:
    """Carries out what is asked of the device, between two frames.

    After every change all parameters are read again, so that the reply tells what else has
    changed. Whose limits or access have changed once is told as affected from then on.
    """

    def __init__(self, channel: Channel, driver: BaseDriver, name: str) -> None:
        self._channel = channel
        self._driver = driver
        self._name = name
        self._last: dict[str, LiveParameter] = {}  # as the driver said
        self._told: dict[str, LiveParameter] = {}  # as the engine was told
        self._effects: dict[str, set[str]] = {}  # what has changed with what

    def fileno(self) -> int:
        """Return a descriptor that is readable when there is a request."""
        return self._channel.fileno()

    def serve(self) -> None:
        """Answer all requests that are there; raises `PeerGoneError` when the engine is gone."""
        try:
            while (data := self._channel.recv_bytes(0.0)) is not None:
                self._answer(decode_request(data))
        except msgspec.DecodeError as error:
            raise DriverProtocolError(
                f"the driver host received a request that makes no sense: {error}"
            ) from error

    def _answer(self, request: ControlRequest) -> None:
        failed = self._carry_out(request)
        try:
            if isinstance(request, ReadOne) and self._last:
                changed = self._read_one(request.name)
            else:
                changed = self._changes(request)
        except Exception as error:  # noqa: BLE001 - the driver's own code
            changed, failed = [], failed or self._blame(error, "reading its parameters")
        for reply in replies(request.number, changed, failed):
            self._channel.send_bytes(encode_control(reply), _SEND_TIMEOUT_S)

    def _carry_out(self, request: ControlRequest) -> Failed | None:
        try:
            match request:
                case SetValue():
                    self._driver.set_parameter(request.name, request.value)
                case RunCommand():
                    self._driver.run_command(request.name)
                case ForceLightOff():
                    self._driver.force_light_off(is_forced_off=request.is_forced_off)
        except Exception as error:  # noqa: BLE001 - the driver's own code
            return self._blame(error, "carrying out a request")
        return None

    def _changes(self, request: ControlRequest) -> list[LiveParameter]:
        """Read all parameters, and return those that are not what was told before."""
        now = {one.name: one for one in self._driver.live_parameters()}
        cause = request.name if isinstance(request, SetValue | RunCommand) and self._last else ""
        if cause:
            moved = {name for name, one in now.items() if _rules(one) != self._rules_of(name)}
            self._effects.setdefault(cause, set()).update(moved - {cause})
        self._last = now
        before = self._told
        self._told = {name: self._with_effects(one) for name, one in now.items()}
        if not cause:
            return list(self._told.values())
        return [one for name, one in self._told.items() if before.get(name) != one]

    def _read_one(self, name: str) -> list[LiveParameter]:
        found = self._driver.live_parameter(name)
        if found is None:
            return []
        self._last[name] = found
        self._told[name] = self._with_effects(found)
        return [self._told[name]]

    def _rules_of(self, name: str) -> LiveParameter | None:
        last = self._last.get(name)
        return None if last is None else _rules(last)

    def _with_effects(self, parameter: LiveParameter) -> LiveParameter:
        seen = self._effects.get(parameter.name, set()) - set(parameter.affects)
        if not seen:
            return parameter
        return msgspec.structs.replace(parameter, affects=(*parameter.affects, *sorted(seen)))

    def _blame(self, error: Exception, action: str) -> Failed:
        if isinstance(error, EngineError):
            return Failed.of(error)
        return Failed.of(
            DriverError(
                f"driver {self._name!r} failed while {action}: {type(error).__name__}: {error}",
                driver=self._name,
            )
        )


def _rules(parameter: LiveParameter) -> LiveParameter:
    """Return the parameter without its value, which may change by itself."""
    return msgspec.structs.replace(parameter, value=None)
