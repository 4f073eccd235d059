"""The engine's state as clients see it: one versioned snapshot, followed by ordered changes."""

from enum import StrEnum

import msgspec

from engine.config import PostSettings, PreSettings, Project, Task
from engine.protocol.frames import FrameFormat

__all__ = (
    "DeviceInfo",
    "DriverParameter",
    "DriverState",
    "EnginePhase",
    "EngineStatus",
    "LicenseState",
    "PluginAvailability",
    "PluginDevice",
    "PluginState",
    "PreviewPlace",
    "ProgramState",
    "RecorderState",
    "Snapshot",
    "StateChange",
    "StreamPhase",
    "StreamState",
    "TensorInfo",
)


class EnginePhase(StrEnum):
    """What the engine as a whole is doing."""

    IDLE = "idle"
    RUNNING = "running"
    STOPPING = "stopping"


class StreamPhase(StrEnum):
    """What one stream is doing."""

    STOPPED = "stopped"
    STARTING = "starting"
    RUNNING = "running"
    RESTARTING = "restarting"
    STOPPING = "stopping"
    FINISHED = "finished"
    FAILED = "failed"


class EngineStatus(msgspec.Struct, frozen=True):
    """The engine process and what it works on. `message` is a sentence when something is wrong."""

    phase: EnginePhase = EnginePhase.IDLE
    message: str = ""
    pid: int = 0
    started_at_ns: int = 0
    project_path: str = ""
    is_modified: bool = False
    cpu_count: int = 1
    lanes: int = 1


class LicenseState(msgspec.Struct, frozen=True):
    """The license in use; dates are ISO days, `problem` is a sentence when it is not valid.

    `machine_id` is the machine the license is bound to (empty: any), `this_machine_id` is the one
    the engine runs on, `devices` are the devices it is bound to (empty: any).
    """

    is_valid: bool = False
    problem: str = ""
    path: str = ""
    licensee: str = ""
    license_id: str = ""
    product: str = ""
    valid_from: str = ""
    valid_until: str = ""
    features: tuple[str, ...] = ()
    limits: dict[str, int] = {}
    machine_id: str = ""
    this_machine_id: str = ""
    devices: tuple[str, ...] = ()


class PluginAvailability(StrEnum):
    """Whether a plugin can work on this machine."""

    UNKNOWN = "unknown"
    PROBING = "probing"
    AVAILABLE = "available"
    UNAVAILABLE = "unavailable"


class PluginDevice(msgspec.Struct, frozen=True):
    """One device of a plugin.

    Attributes
    ----------
    index : counts within the plugin, from 0.
    kind : "cpu", "gpu", "npu", "accelerator", "simulated", or a word of the plugin's own.
    memory_bytes : 0 when it is not known.
    """

    index: int
    kind: str
    name: str
    memory_bytes: int = 0


class PluginState(msgspec.Struct, frozen=True):
    """A processing plugin: `key` names it in project files, `plugin_id` is its UUID.

    `devices` are the names of its devices, `device_details` all that is known of them; an engine
    of an earlier version tells the names alone.
    """

    key: str
    plugin_id: str
    name: str
    version: str = ""
    is_enabled: bool = True
    availability: PluginAvailability = PluginAvailability.UNKNOWN
    reason: str = ""
    devices: tuple[str, ...] = ()
    precision: str = "float32"
    device_details: tuple[PluginDevice, ...] = ()


class DriverParameter(msgspec.Struct, frozen=True):
    """A parameter of a driver, from which forms are made.

    `kind` is "path", "folder", "text", "integer", "number", "boolean", "choice", "secret" (a text
    that is never shown) or "url" (an address, whose password is never shown); `unit` is for
    display; `minimum` and `maximum` are limits of numbers; `affects_references`: a reference
    measured with another value does not fit; `unset`: what an empty text or the smallest number
    stands for, for display.
    """

    name: str
    label: str
    kind: str
    default: str | int | float | bool = ""
    unit: str = ""
    help: str = ""
    minimum: float | None = None
    maximum: float | None = None
    choices: tuple[str, ...] = ()
    is_required: bool = False
    affects_references: bool = False
    unset: str = ""


class DeviceInfo(msgspec.Struct, frozen=True):
    """A device that a driver knows of.

    `device_id` is what the driver's parameter ``device`` takes; it may change when the machine is
    started again, unless it is a serial number.
    """

    device_id: str
    name: str
    vendor: str = ""
    model: str = ""
    serial: str = ""


class DriverState(msgspec.Struct, frozen=True):
    """A driver that streams can use; `problem` is a sentence when it cannot be used.

    `devices` are those that the last `FindDevices` found, `devices_problem` says why it found none.
    """

    name: str
    label: str
    description: str = ""
    folder: str = ""
    parameters: tuple[DriverParameter, ...] = ()
    problem: str = ""
    devices: tuple[DeviceInfo, ...] = ()
    devices_problem: str = ""


class TensorInfo(msgspec.Struct, frozen=True):
    """An input or output of a program: shape with 0 for a free dimension, NumPy dtype name."""

    name: str
    shape: tuple[int, ...]
    dtype: str
    port: int = 0


class ProgramState(msgspec.Struct, frozen=True):
    """A loaded program (DFP), or why it could not be loaded (`problem`)."""

    name: str
    path: str
    task: Task = Task.TENSOR
    problem: str = ""
    sha256: str = ""
    size_bytes: int = 0
    compiler: str = ""
    created: str = ""
    inputs: tuple[TensorInfo, ...] = ()
    outputs: tuple[TensorInfo, ...] = ()
    pre: PreSettings = PreSettings()
    post: PostSettings = PostSettings()
    label_count: int = 0
    labels: tuple[str, ...] = ()
    plugin: str = ""


class PreviewPlace(msgspec.Struct, frozen=True):
    """Where the newest picture of a stream lies, for `engine.client.PreviewReader`."""

    segment: str
    width: int
    height: int


class StreamState(msgspec.Struct, frozen=True):
    """One stream: phase, a sentence and code when something is wrong, and where its preview is."""

    name: str
    phase: StreamPhase = StreamPhase.STOPPED
    message: str = ""
    error_code: str = ""
    since_ns: int = 0
    task: Task = Task.TENSOR
    frame_format: FrameFormat | None = None
    driver_pid: int = 0
    restarts: int = 0
    preview: PreviewPlace | None = None


class RecorderState(msgspec.Struct, frozen=True):
    """Whether results are being written, where, and what went wrong."""

    is_recording: bool = False
    directory: str = ""
    problem: str = ""
    records: int = 0
    size_bytes: int = 0


class Snapshot(msgspec.Struct, frozen=True):
    """The whole state at one version."""

    version: int = 0
    engine: EngineStatus = EngineStatus()
    project: Project = Project()
    license: LicenseState = LicenseState()
    plugins: tuple[PluginState, ...] = ()
    drivers: tuple[DriverState, ...] = ()
    programs: tuple[ProgramState, ...] = ()
    streams: tuple[StreamState, ...] = ()
    recorder: RecorderState = RecorderState()


class StateChange(msgspec.Struct, frozen=True, omit_defaults=True):
    """What changed with `version`; a section that is None is unchanged.

    A client that misses a version asks for a snapshot. `streams` holds only changed streams unless
    `are_streams_complete`.
    """

    version: int
    engine: EngineStatus | None = None
    project: Project | None = None
    license: LicenseState | None = None
    plugins: tuple[PluginState, ...] | None = None
    drivers: tuple[DriverState, ...] | None = None
    programs: tuple[ProgramState, ...] | None = None
    streams: tuple[StreamState, ...] | None = None
    are_streams_complete: bool = False
    recorder: RecorderState | None = None

    def apply_to(self, snapshot: Snapshot) -> Snapshot:
        """Return the snapshot with this change in it."""
        changed = {
            name: value
            for name in (
                "engine",
                "project",
                "license",
                "plugins",
                "drivers",
                "programs",
                "recorder",
            )
            if (value := getattr(self, name)) is not None
        }
        if self.streams is not None:
            changed["streams"] = self._merged(snapshot.streams, self.streams)
        return msgspec.structs.replace(snapshot, version=self.version, **changed)

    def _merged(
        self, before: tuple[StreamState, ...], changed: tuple[StreamState, ...]
    ) -> tuple[StreamState, ...]:
        if self.are_streams_complete:
            return changed
        new = {stream.name: stream for stream in changed}
        return tuple(new.get(stream.name, stream) for stream in before)
