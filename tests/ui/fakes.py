"""Hand-written stand-ins for the engine, and a realistic state of it."""

from dataclasses import dataclass, field

from PySide6.QtCore import QSettings, Signal
from PySide6.QtGui import QAction
from PySide6.QtWidgets import QWidget

from engine.config import (
    EngineSettings,
    Policy,
    PostSettings,
    ProgramSettings,
    Project,
    StreamSettings,
    Task,
)
from engine.errors import EngineError
from engine.protocol import (
    Answer,
    AnyCommand,
    ClassShare,
    DriverParameter,
    DriverState,
    EnginePhase,
    EngineStatus,
    FrameFormat,
    FrameKind,
    LatencyFigures,
    LicenseState,
    LogEntry,
    PluginAvailability,
    PluginDevice,
    PluginState,
    ProcessFigures,
    ProgramState,
    RecorderState,
    Snapshot,
    StageFigures,
    StreamFigures,
    StreamPhase,
    StreamState,
    Telemetry,
    TensorInfo,
)
from ui.bridge.protocols import OnReply
from ui.shell.file_chooser import UnsavedChoice
from ui.shell.views import Views


class FakeControl:
    """Takes commands; replies at once, with `error` when one is set, or never when it is mute."""

    def __init__(self) -> None:
        self.asked: list[AnyCommand] = []
        self.error: EngineError | None = None
        self.answer = Answer()
        self.is_mute = False
        self.waiting: list[OnReply] = []

    def ask(self, command: AnyCommand, on_reply: OnReply | None = None) -> None:
        self.asked.append(command)
        if on_reply is None:
            return
        if self.is_mute:
            self.waiting.append(on_reply)
        elif self.error is not None:
            on_reply(None, self.error)
        else:
            on_reply(self.answer, None)


@dataclass
class FakeConnection:
    """A connection whose state the test sets; replies when pumped."""

    snapshot: Snapshot = field(default_factory=Snapshot)
    telemetry: Telemetry | None = None
    engine_outcome: str | None = None
    sent: list[AnyCommand] = field(default_factory=list)
    log: list[LogEntry] = field(default_factory=list)
    error: EngineError | None = None
    is_closed: bool = False
    waiting: list[OnReply] = field(default_factory=list)

    def send(self, command: AnyCommand, on_reply: OnReply | None = None) -> None:
        self.sent.append(command)
        if on_reply is not None:
            self.waiting.append(on_reply)

    def pump(self) -> bool:
        waiting, self.waiting = self.waiting, []
        for on_reply in waiting:
            on_reply(None, self.error) if self.error else on_reply(Answer(), None)
        return bool(waiting)

    def drain_log(self) -> list[LogEntry]:
        entries, self.log = self.log, []
        return entries

    def close(self) -> None:
        self.is_closed = True


@dataclass
class FakeChooser:
    """Answers for the user."""

    files: list[str] = field(default_factory=list)
    folder: str = ""
    saved_as: str = ""
    unsaved: UnsavedChoice = UnsavedChoice.DISCARD
    questions: list[str] = field(default_factory=list)

    def open_files(self, parent: QWidget, title: str, kinds: str, folder: str) -> list[str]:
        self.questions.append(title)
        return self.files

    def open_folder(self, parent: QWidget, title: str, folder: str) -> str:
        self.questions.append(title)
        return self.folder

    def save_file(self, parent: QWidget, title: str, kinds: str, path: str) -> str:
        self.questions.append(title)
        return self.saved_as

    def ask_unsaved(self, parent: QWidget, project: str) -> UnsavedChoice:
        self.questions.append(project)
        return self.unsaved


class FakeWall(QWidget):
    """Remembers what it was handed."""

    selected = Signal(str)
    open_requested = Signal()
    previews_wanted = Signal(list)

    def __init__(self) -> None:
        super().__init__()
        self.overlay_action = QAction("Results over pictures", self)
        self.snapshot: Snapshot | None = None
        self.telemetry: Telemetry | None = None
        self.is_frozen = False
        self.marked = ""
        self.ticks = 0

    def set_snapshot(self, snapshot: Snapshot) -> None:
        self.snapshot = snapshot

    def set_telemetry(self, telemetry: Telemetry) -> None:
        self.telemetry = telemetry

    def set_selected(self, name: str) -> None:
        self.marked = name

    def set_frozen(self, is_frozen: bool) -> None:
        self.is_frozen = is_frozen

    def tick(self) -> None:
        self.ticks += 1


class FakeTabs(QWidget):
    """Remembers what it was handed."""

    def __init__(self) -> None:
        super().__init__()
        self.snapshot: Snapshot | None = None
        self.telemetry: list[Telemetry] = []
        self.log: list[LogEntry] = []
        self.events: list[str] = []
        self.ticks = 0

    def set_snapshot(self, snapshot: Snapshot) -> None:
        self.snapshot = snapshot

    def add_event(self, text: str, *, tone: str = "info", source: str = "engine") -> None:
        self.events.append(f"{tone} {source}: {text}")

    def add_telemetry(self, telemetry: Telemetry) -> None:
        self.telemetry.append(telemetry)

    def add_log(self, entries: list[LogEntry]) -> None:
        self.log += entries

    def tick(self) -> None:
        self.ticks += 1


class FakeInspector(QWidget):
    """Remembers what it was handed."""

    def __init__(self) -> None:
        super().__init__()
        self.stream = ""

    def show_stream(self, name: str) -> None:
        self.stream = name

    def set_snapshot(self, snapshot: Snapshot) -> None:
        pass

    def set_telemetry(self, telemetry: Telemetry) -> None:
        pass


class NoPreviews:
    """Has no picture of any stream."""

    def read(self, stream: str) -> None:
        return None


@dataclass
class FakeViews:
    """Makes the simple views and keeps hold of them."""

    wall: FakeWall | None = None
    tabs: FakeTabs | None = None
    inspector: FakeInspector | None = None

    def views(self) -> Views:
        return Views(self._make_wall, self._make_tabs, self._make_inspector)

    def _make_wall(self, *_: object) -> QWidget:
        self.wall = FakeWall()
        return self.wall

    def _make_tabs(self, *_: object) -> QWidget:
        self.tabs = FakeTabs()
        return self.tabs

    def _make_inspector(self, *_: object) -> QWidget:
        self.inspector = FakeInspector()
        return self.inspector


def settings_in(folder: object) -> QSettings:
    """Return settings in a file of their own."""
    return QSettings(f"{folder}/window.ini", QSettings.Format.IniFormat)


PAN_ZOOM = DriverState(
    name="pan-zoom",
    label="Pan-and-zoom camera",
    description="Moves a virtual camera over photographs and knows exactly where every object is.",
    parameters=(
        DriverParameter(
            "folder",
            "Photographs",
            "folder",
            is_required=True,
            help="Folder with JPEG or PNG files",
        ),
        DriverParameter("rate_hz", "Frame rate", "number", 30.0, "fps", minimum=1, maximum=240),
        DriverParameter("width", "Width", "integer", 640, "px", minimum=64, maximum=4096),
        DriverParameter("height", "Height", "integer", 480, "px", minimum=64, maximum=4096),
        DriverParameter("path_kind", "Path", "choice", "wander", choices=("wander", "sweep")),
    ),
)
VIDEO_FILE = DriverState(
    name="video-file",
    label="Video file",
    description="Plays a video file at its own rate or at a given one.",
    parameters=(
        DriverParameter(
            "path", "File", "path", is_required=True, help="Any file that FFmpeg reads"
        ),
        DriverParameter("loop", "Repeat", "boolean", True, help="Begin again at the end"),
        DriverParameter(
            "rate_hz",
            "Frame rate",
            "number",
            0.0,
            "fps",
            minimum=0,
            maximum=240,
            help="0 plays at the file's own rate",
        ),
    ),
)
CUBE_LINE = DriverState(
    name="cube-line",
    label="Cube as a line camera",
    description="Plays a hyperspectral cube line by line, like a camera above a belt.",
    parameters=(
        DriverParameter("path", "Cube", "path", is_required=True, help="NumPy file"),
        DriverParameter("ground_truth", "Ground truth", "path"),
        DriverParameter("rate_hz", "Line rate", "number", 60.0, "l/s", minimum=1, maximum=5000),
    ),
)
USB_CAMERA = DriverState(
    name="usb-camera",
    label="USB camera",
    folder="/opt/line3/drivers",
    problem="manifest.toml names module usb_camera.py, which is not in the folder.",
)


def demo_project() -> Project:
    """Return a project with four streams and four programs."""
    return Project(
        name="demo",
        engine=EngineSettings(driver_directories=("/opt/line3/drivers",)),
        programs=tuple(
            ProgramSettings(name, f"programs/{name}.dfp")
            for name in ("ssd", "squeezenet", "yunet", "spectral")
        ),
        streams=(
            StreamSettings("street", "ssd", "pan-zoom", {"folder": "street"}),
            StreamSettings("parrot", "squeezenet", "video-file", {"path": "cockatoo.mp4"}),
            StreamSettings(
                "faces",
                "yunet",
                "pan-zoom",
                {"folder": "faces", "rate_hz": 25.0},
                policy=Policy.EVERY,
                threshold=0.7,
            ),
            StreamSettings("line", "spectral", "cube-line", {"path": "indian_pines.npy"}),
        ),
    )


def demo_snapshot(
    *, phase: EnginePhase = EnginePhase.RUNNING, is_modified: bool = True, version: int = 12
) -> Snapshot:
    """Return the state of the demo: four streams, all running unless another phase is asked for."""
    stream_phase = StreamPhase.RUNNING if phase is EnginePhase.RUNNING else StreamPhase.STOPPED
    picture = FrameFormat(FrameKind.IMAGE, (480, 640, 3), "uint8", 30.0)
    line = FrameFormat(FrameKind.LINE, (145, 200), "uint16", 60.0)
    return Snapshot(
        version=version,
        engine=EngineStatus(
            phase=phase,
            pid=4711,
            project_path="/home/ada/line3/demo.toml",
            is_modified=is_modified,
            cpu_count=8,
            lanes=8,
        ),
        project=demo_project(),
        license=LicenseState(
            is_valid=True,
            licensee="Penstock community",
            license_id="community-2026-01",
            product="penstock",
            valid_from="2026-01-01",
            valid_until="2031-12-31",
            features=("run", "record", "spectral"),
            limits={"streams": 16, "lanes": 64},
        ),
        plugins=(
            PluginState(
                "onnxruntime-cpu",
                "u1",
                "ONNX Runtime, processor",
                "1.27.0",
                availability=PluginAvailability.AVAILABLE,
                devices=("AMD EPYC 9B14",),
                device_details=(PluginDevice(0, "cpu", "AMD EPYC 9B14", 126 * 2**29),),
            ),
            PluginState(
                "simulator",
                "u4",
                "Simulated pipelined accelerator",
                "onnxruntime 1.27.0",
                is_enabled=False,
                availability=PluginAvailability.AVAILABLE,
                devices=("simulated: 6 stages, 400 frames/s", "simulated: 2 stages, 100 frames/s"),
                device_details=(
                    PluginDevice(0, "simulated", "simulated: 6 stages, 400 frames/s"),
                    PluginDevice(1, "simulated", "simulated: 2 stages, 100 frames/s"),
                ),
            ),
            PluginState(
                "onnx-reference",
                "u2",
                "ONNX reference evaluator",
                "1.20.0",
                is_enabled=False,
                availability=PluginAvailability.AVAILABLE,
                devices=("AMD EPYC 9B14",),
            ),
            PluginState(
                "openvino",
                "u3",
                "OpenVINO",
                is_enabled=True,
                availability=PluginAvailability.UNAVAILABLE,
                reason="Its probe was killed by SIGILL (illegal instruction); this "
                "processor lacks AVX2.",
            ),
        ),
        drivers=(VIDEO_FILE, PAN_ZOOM, CUBE_LINE, USB_CAMERA),
        programs=tuple(_program(*entry) for entry in _PROGRAMS),
        streams=(
            StreamState("street", stream_phase, task=Task.DETECT, frame_format=picture),
            StreamState("parrot", stream_phase, task=Task.CLASSIFY, frame_format=picture),
            StreamState("faces", stream_phase, task=Task.FACES, frame_format=picture),
            StreamState("line", stream_phase, task=Task.SPECTRAL, frame_format=line),
        ),
        recorder=RecorderState(directory="/home/ada/line3/recordings"),
    )


_PROGRAMS = (
    ("ssd", Task.DETECT, 29_483_112, (1, 300, 300, 3), ("person", "bicycle", "car", "motorcycle")),
    ("squeezenet", Task.CLASSIFY, 4_961_004, (1, 3, 224, 224), ("tench", "goldfish", "cockatoo")),
    ("yunet", Task.FACES, 232_589, (1, 3, 320, 320), ("face",)),
    ("spectral", Task.SPECTRAL, 88_410, (145, 200), ("corn", "soybean", "grass", "woods")),
)


def _program(
    name: str, task: Task, size: int, shape: tuple[int, ...], labels: tuple[str, ...]
) -> ProgramState:
    return ProgramState(
        name=name,
        path=f"/home/ada/line3/programs/{name}.dfp",
        task=task,
        sha256="9f2c51a0" * 8,
        size_bytes=size,
        compiler="penstock 0.1.0, onnx 1.20.0",
        created="2026-05-04T09:12:00Z",
        inputs=(TensorInfo("image_tensor:0", shape, "float32"),),
        outputs=(
            TensorInfo("detection_boxes:0", (1, 100, 4), "float32"),
            TensorInfo("detection_scores:0", (1, 100), "float32"),
        ),
        post=PostSettings(threshold=0.5),
        label_count=len(labels),
        labels=labels,
        plugin="onnxruntime-cpu",
    )


def demo_telemetry(at_ns: int = 1_000_000_000) -> Telemetry:
    """Return figures of the running demo."""
    rates = {
        "street": (30.0, 29.4, 22.1),
        "parrot": (20.0, 20.0, 14.2),
        "faces": (25.0, 25.0, 18.3),
        "line": (60.0, 60.0, 9.1),
    }
    stages = {
        "capture": 4.2,
        "wait": 0.3,
        "pre": 2.1,
        "queue": 1.4,
        "device": 12.5,
        "order": 0.1,
        "post": 1.2,
    }
    return Telemetry(
        at_ns=at_ns,
        streams=tuple(
            StreamFigures(
                name=name,
                frames_in=1800,
                frames_out=1795,
                dropped={"superseded": 3} if name == "street" else {},
                in_flight=2,
                rate_in_hz=rate_in,
                rate_out_hz=rate_out,
                latency_ms=LatencyFigures(age, age * 1.4, age * 1.8),
                stages_ms={stage: StageFigures(ms, ms * 1.5) for stage, ms in stages.items()},
                summary="person 0.71, car 0.64",
                shares=(ClassShare(0, "corn", 0.4),) if name == "line" else (),
            )
            for name, (rate_in, rate_out, age) in rates.items()
        ),
        processes=(
            ProcessFigures("engine", 4711, 231.0, 620_000_000),
            ProcessFigures("driver street", 4712, 88.0, 110_000_000),
            ProcessFigures("window", 4700, 34.0, 240_000_000),
        ),
        lanes_busy=0.62,
        advice="device limits street: 12.5 ms of 22 ms, lanes busy 62 %; a lighter program or a "
        "faster plugin helps",
    )
