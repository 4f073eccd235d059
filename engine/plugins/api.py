"""What a processing plugin is: a backend that executes programs on devices."""

from collections.abc import Callable, Sequence
from typing import Any, Protocol, runtime_checkable

import msgspec
import numpy as np

from engine.protocol import PluginDevice as Device
from engine.protocol import TensorInfo

__all__ = (
    "Device",
    "DeviceTelemetry",
    "ForeignPrograms",
    "HasTelemetry",
    "InPlaceSession",
    "ProbeReport",
    "ProcessingPlugin",
    "Session",
)


class ProbeReport(msgspec.Struct, frozen=True):
    """What a plugin found out about this machine; `reason` is a sentence when it cannot work."""

    is_available: bool
    reason: str = ""
    version: str = ""
    devices: tuple[Device, ...] = ()


class DeviceTelemetry(msgspec.Struct, frozen=True):
    """How a device is doing; what it does not measure is None.

    `utilization` is 0..1 since the reading before.
    """

    utilization: float | None = None
    temperature_c: float | None = None
    power_w: float | None = None


@runtime_checkable
class Session(Protocol):
    """One model, loaded and ready; may be used by several threads at once."""

    inputs: tuple[TensorInfo, ...]
    outputs: tuple[TensorInfo, ...]

    def run(self, inputs: Sequence[np.ndarray[Any, Any]]) -> list[np.ndarray[Any, Any]]:
        """Execute the model once and return fresh arrays in the order of `outputs`."""
        ...

    def close(self) -> None:
        """Give the model's memory back. Safe to call twice; runs under way end normally."""
        ...


@runtime_checkable
class InPlaceSession(Session, Protocol):
    """A session that can also work in memory that it is given."""

    def bind(
        self, inputs: Sequence[np.ndarray[Any, Any]], outputs: Sequence[np.ndarray[Any, Any]]
    ) -> Callable[[], None]:
        """Return what executes the model once, from `inputs` into `outputs`, as often as called.

        The arrays have the shapes and dtypes that the model says, with no free axes, lie in one
        piece each and have to live as long as what is returned, which one thread calls at a time.

        Raises
        ------
        DeviceError
            When called: the device failed, or the outputs are not of the shapes the model says.
        """
        ...


@runtime_checkable
class ProcessingPlugin(Protocol):
    """A backend. Importing its module and building the object must start nothing.

    Attributes
    ----------
    key : names the plugin in project files and entry points, for example "onnxruntime-cpu".
    plugin_id : a UUID as text.
    name : for people.
    precision : the number format the plugin computes in, for example "float32".
    """

    key: str
    plugin_id: str
    name: str
    precision: str

    def probe(self) -> ProbeReport:
        """Find out whether the plugin works here. Runs in a child process and may crash there."""
        ...

    def load(self, graph: bytes, *, threads_per_lane: int = 1, device_index: int = 0) -> Session:
        """Load an ONNX graph on one of the plugin's devices.

        A plugin that takes no `device_index` is used on its first device alone; it is never called
        with one. A session raises `DeviceLostError` when its device answers no more.

        Raises
        ------
        ProgramError
            When the backend does not accept the graph.
        """
        ...


@runtime_checkable
class HasTelemetry(Protocol):
    """What a plugin has on top when its devices measure something."""

    def telemetry(self, device_index: int = 0) -> DeviceTelemetry:
        """Read a device's sensors; returns at once and raises nothing."""
        ...


@runtime_checkable
class ForeignPrograms(Protocol):
    """What a plugin has on top when it executes programs that a vendor's compiler made."""

    def load_foreign(
        self,
        program: bytes,
        model_idx: int,
        inputs: tuple[TensorInfo, ...],
        outputs: tuple[TensorInfo, ...],
        device_ids: tuple[int, ...],
    ) -> Session:
        """Load one model of a vendor's program on some devices of the plugin.

        `inputs` and `outputs` are what the program's file says.

        Raises
        ------
        PluginError
            When the vendor's runtime cannot be used.
        ProgramError
            When it refuses the program.
        """
        ...
