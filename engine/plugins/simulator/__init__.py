"""A simulated accelerator: real results, and the timing, power and faults of a pipelined device."""

from engine.plugins.simulator.clock import RealClock, SteppedClock
from engine.plugins.simulator.plugin import SimulatedDevice, SimulatorPlugin
from engine.plugins.simulator.settings import (
    ENVIRONMENT,
    Fault,
    FaultKind,
    SimulatorSettings,
    read_devices,
    read_settings,
)
from engine.plugins.simulator.state import DeviceState, Outcome, admit, advance

__all__ = (
    "ENVIRONMENT",
    "DeviceState",
    "Fault",
    "FaultKind",
    "Outcome",
    "RealClock",
    "SimulatedDevice",
    "SimulatorPlugin",
    "SimulatorSettings",
    "SteppedClock",
    "admit",
    "advance",
    "read_devices",
    "read_settings",
)
