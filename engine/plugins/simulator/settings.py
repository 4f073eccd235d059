"""What a simulated accelerator is like."""

import os
import tomllib
from collections.abc import Mapping
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import msgspec

from engine.errors import PluginError

__all__ = (
    "ENVIRONMENT",
    "Fault",
    "FaultKind",
    "SimulatorSettings",
    "read_devices",
    "read_settings",
)

ENVIRONMENT = "PENSTOCK_SIMULATOR"
"""Holds a TOML file's path, or settings: ``depth = 4, rate_hz = 250, swap_s = 0.02``.

Several devices are a list of what each has of its own: ``depth = 4, devices = [{}, {depth = 8}]``.
"""

_Positive = Annotated[float, msgspec.Meta(gt=0)]
_NotNegative = Annotated[float, msgspec.Meta(ge=0)]
_Fraction = Annotated[float, msgspec.Meta(gt=0, le=1)]
_Count = Annotated[int, msgspec.Meta(ge=1, le=256)]


class FaultKind(StrEnum):
    """What goes wrong with a frame."""

    ERROR = "error"
    """The frame fails; those after it are not touched."""
    STALL = "stall"
    """The device does nothing for some seconds, then goes on."""
    WEDGE = "wedge"
    """This frame and all after it fail until the device is reset."""
    SENSOR = "sensor"
    """From this frame on the sensors show nothing."""


class Fault(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One thing that goes wrong: with frame number `frame` (from 0) since the device began.

    `seconds` is how long a stall takes.
    """

    frame: Annotated[int, msgspec.Meta(ge=0)]
    kind: FaultKind = FaultKind.ERROR
    seconds: _NotNegative = 1.0


class SimulatorSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A pipelined accelerator; the defaults are those of a small card with four chips.

    Attributes
    ----------
    depth : stages of the pipeline, so that many frames are under way at once.
    rate_hz : frames per second when it is full. One frame takes ``depth / rate_hz`` seconds.
    swap_s : seconds to load another program, after the last frame of the one before came out.
    idle_w, active_w : power when nothing and when always something is executed.
    ambient_c : temperature of the surroundings.
    warming_c_per_w : how much warmer than them it gets, per watt, when the power stays the same.
    inertia_s : seconds after which 63 % of a change of temperature have happened.
    throttle_at_c : from there on it runs slower, until it is 5 degrees cooler.
    throttle_factor : how much slower.
    faults : what goes wrong, and when.
    """

    depth: _Count = 6
    rate_hz: _Positive = 400.0
    swap_s: _NotNegative = 0.05
    idle_w: _NotNegative = 2.0
    active_w: _NotNegative = 11.5
    ambient_c: float = 35.0
    warming_c_per_w: _NotNegative = 5.5
    inertia_s: _Positive = 40.0
    throttle_at_c: float = 100.0
    throttle_factor: _Fraction = 0.5
    faults: tuple[Fault, ...] = ()


_MOST_DEVICES = 64


def read_settings(environment: Mapping[str, str] = os.environ) -> SimulatorSettings:
    """Return the settings of the first device that the environment asks for, or the defaults.

    Raises
    ------
    PluginError
        When they cannot be read, naming what is wrong.
    """
    return read_devices(environment)[0]


def read_devices(environment: Mapping[str, str] = os.environ) -> tuple[SimulatorSettings, ...]:
    """Return the settings of every device that the environment asks for: one without a word.

    Raises
    ------
    PluginError
        When they cannot be read, naming what is wrong.
    """
    given = environment.get(ENVIRONMENT, "").strip()
    if not given:
        return (SimulatorSettings(),)
    try:
        if given.endswith(".toml"):
            found = tomllib.loads(Path(given).read_text(encoding="utf-8"))
        else:
            found = tomllib.loads(f"settings = {{ {given} }}")["settings"]
        own = msgspec.convert(found.pop("devices", [{}]), list[dict[str, Any]])
        if not 1 <= len(own) <= _MOST_DEVICES:
            raise ValueError(f"devices are 1 to {_MOST_DEVICES}, not {len(own)}")
        return tuple(msgspec.convert(found | one, SimulatorSettings) for one in own)
    except (OSError, ValueError) as error:
        raise PluginError(
            f"{ENVIRONMENT} has no settings of the simulator: {error}; write for example "
            "'depth = 4, rate_hz = 250', or the path of a .toml file",
            plugin="simulator",
        ) from error
