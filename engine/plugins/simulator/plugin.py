"""Executes programs on a simulated accelerator: real results at the simulated device's pace."""

import hashlib
import threading
from collections.abc import Sequence
from typing import Any

import msgspec
import numpy as np

from engine.errors import DeviceError, DeviceLostError, DeviceNotFoundError
from engine.plugins.api import Device, DeviceTelemetry, ProbeReport, Session
from engine.plugins.onnxruntime_cpu import OnnxRuntimeCpuPlugin
from engine.plugins.simulator.clock import Clock, RealClock
from engine.plugins.simulator.settings import (
    ENVIRONMENT,
    FaultKind,
    SimulatorSettings,
    read_devices,
)
from engine.plugins.simulator.state import DeviceState, Outcome, admit, advance

__all__ = ("SimulatedDevice", "SimulatorPlugin")

Array = np.ndarray[Any, Any]

_KEY = "simulator"


class SimulatorPlugin:
    """Simulated devices, one unless there shall be more; used only when somebody asks for them.

    Parameters
    ----------
    settings : what the device is like, or each of several; None takes what the environment says.
    clock : the devices' time.
    """

    key = _KEY
    plugin_id = "c7b1d6a2-1f4d-5b39-8e64-2a9f0d5c4e77"
    name = "Simulated pipelined accelerator"
    precision = "float32"

    def __init__(
        self,
        settings: SimulatorSettings | Sequence[SimulatorSettings] | None = None,
        clock: Clock | None = None,
    ) -> None:
        if isinstance(settings, SimulatorSettings):
            settings = (settings,)
        clock = clock or RealClock()
        self.devices = [SimulatedDevice(one, clock) for one in settings or read_devices()]
        self._backend = OnnxRuntimeCpuPlugin()

    @property
    def device(self) -> "SimulatedDevice":
        """The first device."""
        return self.devices[0]

    @property
    def lanes(self) -> int:
        """How many frames have to be under way at once to use the deepest device fully."""
        return max(device.settings.depth for device in self.devices)

    def probe(self) -> ProbeReport:
        """Say what is simulated; needs what computes its results."""
        report = self._backend.probe()
        devices = tuple(
            Device(number, "simulated", _name_of(device.settings))
            for number, device in enumerate(self.devices)
        )
        return ProbeReport(
            report.is_available, report.reason, f"onnxruntime {report.version}", devices
        )

    def load(self, graph: bytes, *, threads_per_lane: int = 1, device_index: int = 0) -> Session:
        """Load an ONNX graph.

        Raises
        ------
        ProgramIncompatibleError
            When onnxruntime refuses the graph.
        DeviceNotFoundError
            When there is no device of that number.
        """
        if device_index >= len(self.devices):
            raise DeviceNotFoundError(
                f"there is no simulated device {device_index}; there are {len(self.devices)}, "
                f"counted from 0, and {ENVIRONMENT} says how many",
                device=device_index,
            )
        session = self._backend.load(graph, threads_per_lane=threads_per_lane)
        return _SimulatedSession(
            self.devices[device_index], hashlib.sha256(graph).hexdigest(), session
        )

    def telemetry(self, device_index: int = 0) -> DeviceTelemetry:
        """Read the simulated sensors; power and utilization are means since the reading before."""
        if device_index >= len(self.devices):
            return DeviceTelemetry()
        return self.devices[device_index].telemetry()


class SimulatedDevice:
    """A device that all its programs share; frames of all threads enter one after the other."""

    def __init__(self, settings: SimulatorSettings, clock: Clock) -> None:
        self.settings = settings
        self._clock = clock
        self._lock = threading.Lock()
        self._state = DeviceState.new(settings, clock.now_s())
        self._read = self._state

    @property
    def state(self) -> DeviceState:
        """The device as it was when the last frame entered, or was read."""
        return self._state

    def enter(self, program: str) -> Outcome:
        """Take in a frame that is there now."""
        with self._lock:
            self._state, outcome = admit(self._state, self.settings, program, self._clock.now_s())
            return outcome

    def wait_for(self, outcome: Outcome) -> None:
        """Wait until a frame came out.

        Raises
        ------
        DeviceError
            When something goes wrong with it; `DeviceLostError` when the device answers no more.
        """
        self._clock.wait_until(outcome.finished_s)
        if outcome.fault is FaultKind.ERROR:
            raise DeviceError(
                f"the simulated device failed on frame {outcome.frame}, as its settings say",
                plugin=_KEY,
                frame=outcome.frame,
            )
        if outcome.fault is FaultKind.WEDGE:
            raise DeviceLostError(
                f"the simulated device answers no more since before frame {outcome.frame + 1}; "
                "reset it",
                plugin=_KEY,
                frame=outcome.frame,
            )

    def reset(self) -> None:
        """Let a device that answers no more answer again; its program has to be loaded again."""
        with self._lock:
            self._state = msgspec.structs.replace(
                self._state, is_wedged=False, is_blind=False, program=""
            )

    def telemetry(self) -> DeviceTelemetry:
        """Read the sensors."""
        with self._lock:
            before = self._read
            self._state = now = advance(self._state, self.settings, self._clock.now_s())
            self._read = now
        if now.is_blind:
            return DeviceTelemetry()
        time_s = now.at_s - before.at_s
        if time_s <= 0:
            return DeviceTelemetry(temperature_c=now.temperature_c)
        return DeviceTelemetry(
            utilization=min(1.0, (now.busy_s - before.busy_s) / time_s),
            temperature_c=now.temperature_c,
            power_w=(now.energy_j - before.energy_j) / time_s,
        )


class _SimulatedSession:
    """One program on the simulated device."""

    def __init__(self, device: SimulatedDevice, program: str, session: Session) -> None:
        self.inputs = session.inputs
        self.outputs = session.outputs
        self._device = device
        self._program = program
        self._session = session

    def run(self, inputs: Sequence[Array]) -> list[Array]:
        """Compute the results, and return them when the simulated device would.

        Raises
        ------
        InvalidArgumentError
            When the arrays do not fit the model's inputs.
        DeviceError
            When the settings say that this frame fails.
        ClosedError
            After `close`.
        """
        outcome = self._device.enter(self._program)
        outputs = self._session.run(inputs)
        self._device.wait_for(outcome)
        return outputs

    def close(self) -> None:
        """Let go of the model."""
        self._session.close()


def _name_of(settings: SimulatorSettings) -> str:
    return f"simulated: {settings.depth} stages, {settings.rate_hz:g} frames/s"
