"""The class `LightControlDevice`: a light that is dark while a dark reference is taken."""
# ruff: noqa: N802 - the published names are camelCase

import contextlib
import logging
from collections.abc import Hashable, Mapping, Sequence
from enum import IntEnum

from engine.config import ParameterValue
from engine.drivers import DriverEntry
from engine.errors import DriverProtocolError, EngineError
from engine.handle._core import HandleCore
from engine.handle._device import ConnectedDevice, DeviceStatus
from engine.handle.errors import ArgumentError, as_runtime_error, runtime_errors

__all__ = ("LightControlDevice", "LightState", "make_dark", "make_light")

log = logging.getLogger(__name__)

_BY_USER = "the user"


class LightState(IntEnum):
    """Whether a light follows its parameters."""

    Parametrized = 0
    """As the user has set it, which may be off."""
    ForcedOff = 1
    """Dark, whatever the parameters say; they stay as they are."""


class LightControlDevice(ConnectedDevice):
    """A connected light or shutter; made by `DeviceGroup`.

    While an instrument of the same handle takes a dark reference, all lights are forced off.
    """

    def __init__(
        self, core: HandleCore, entry: DriverEntry, parameters: Mapping[str, ParameterValue]
    ) -> None:
        super().__init__(core, entry, parameters)
        self._holders: set[Hashable] = set()
        with runtime_errors():
            if self._host.start_device() is not None:
                self._host.stop()
                raise DriverProtocolError(
                    f"driver {entry.name!r} is listed as a light and delivers frames; put it "
                    f"among the instruments",
                    driver=entry.name,
                )
        self._status = DeviceStatus.Connected
        core.add(self)

    def lightState(self) -> LightState:
        """Return whether the light follows its parameters."""
        return LightState.ForcedOff if self._holders else LightState.Parametrized

    def setLightState(self, state: LightState) -> None:
        """Force the light off, or let it follow its parameters again.

        It stays dark as long as an instrument takes a dark reference.
        """
        if state not in (LightState.Parametrized, LightState.ForcedOff):
            raise ArgumentError(f"a light's state is a LightState, not {state!r}")
        if state == LightState.ForcedOff:
            self.hold_dark(_BY_USER)
        else:
            self.let_go(_BY_USER)

    def notificationHandle(self) -> int:
        """Return a descriptor that is readable when something went wrong."""
        self._check(DeviceStatus.Connected)
        return self._host.fileno()

    def hold_dark(self, holder: Hashable) -> None:
        """Force it off until this and every other holder let go; used by this package."""
        self._check(DeviceStatus.Connected)
        if not self._holders:
            self._force(is_forced_off=True)
        self._holders.add(holder)

    def let_go(self, holder: Hashable) -> None:
        """End what `hold_dark` began; does nothing for those who do not hold it."""
        if holder not in self._holders:
            return
        self._holders.discard(holder)
        if not self._holders and self._status is DeviceStatus.Connected:
            self._force(is_forced_off=False)

    def _force(self, *, is_forced_off: bool) -> None:
        with self._control() as control:
            control.force_light_off(is_forced_off=is_forced_off)


def make_dark(lights: Sequence[LightControlDevice], holder: Hashable) -> None:
    """Force all lights off, or none when one of them cannot be.

    Raises
    ------
    EngineError
        What the light said; frames taken now would not be dark.
    """
    with contextlib.ExitStack() as undo:
        for light in lights:
            if light.status is DeviceStatus.Disconnected:
                continue
            undo.callback(make_light, [light], holder)
            try:
                light.hold_dark(holder)
            except EngineError as error:
                raise as_runtime_error(error) from error
        undo.pop_all()


def make_light(lights: Sequence[LightControlDevice], holder: Hashable) -> None:
    """Let the lights follow their parameters again; what fails is logged and hinders no other."""
    for light in lights:
        try:
            light.let_go(holder)
        except EngineError as error:
            log.warning("light %r stays dark: %s", light.name, error)
