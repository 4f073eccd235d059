"""Run, stop, record, open and save: what the buttons say, and what they send."""

from collections.abc import Callable
from pathlib import Path

from engine.protocol import (
    Answer,
    EnginePhase,
    LoadProject,
    SaveProject,
    SetRecording,
    Snapshot,
    StartAll,
    StopAll,
)
from ui.bridge.protocols import EngineControl
from ui.viewmodels.base import ViewModel

__all__ = ("RunViewModel",)


class RunViewModel(ViewModel):
    """The state of the whole run; a button answers before the engine does."""

    def __init__(self, control: EngineControl) -> None:
        super().__init__(control)
        self.is_alive = True
        self._wanted: EnginePhase | None = None
        self._wanted_recording: bool | None = None

    @property
    def has_engine(self) -> bool:
        """Whether the engine has answered and has not ended."""
        return self.is_alive and self.snapshot.engine.pid != 0

    @property
    def phase(self) -> EnginePhase:
        """What the engine does, or what it was just told to do."""
        if self._wanted is EnginePhase.IDLE:
            return EnginePhase.STOPPING
        return self.snapshot.engine.phase

    @property
    def is_starting(self) -> bool:
        """Whether Run was pressed and the engine does not run yet."""
        return self._wanted is EnginePhase.RUNNING

    @property
    def is_stopping(self) -> bool:
        """Whether Stop was pressed and streams still run."""
        return self.phase is EnginePhase.STOPPING

    @property
    def can_run(self) -> bool:
        """Whether Run would do something."""
        is_idle = self.phase is EnginePhase.IDLE and not self.is_starting
        return self.is_alive and is_idle and bool(self.snapshot.project.streams)

    @property
    def can_stop(self) -> bool:
        """Whether Stop would do something."""
        is_running = self.phase is EnginePhase.RUNNING or self.is_starting
        return self.is_alive and is_running and not self.is_stopping

    @property
    def is_recording(self) -> bool:
        """Whether results are recorded, or were just asked to be."""
        wanted = self._wanted_recording
        return self.snapshot.recorder.is_recording if wanted is None else wanted

    @property
    def project_name(self) -> str:
        """The project's file name; the project's own name while it has no file."""
        path = self.snapshot.engine.project_path
        return Path(path).name if path else self.snapshot.project.name

    @property
    def is_modified(self) -> bool:
        """Whether there are changes that no file has."""
        return self.snapshot.engine.is_modified

    def set_snapshot(self, snapshot: Snapshot) -> None:
        """Take over the newest state; what it grants is no longer waited for."""
        if snapshot.engine.phase is self._wanted:
            self._wanted = None
        if snapshot.recorder.is_recording is self._wanted_recording:
            self._wanted_recording = None
        super().set_snapshot(snapshot)

    def set_alive(self, is_alive: bool) -> None:
        """Say whether there is an engine."""
        self.is_alive = is_alive
        self._wanted = self._wanted_recording = None
        self.tell()

    def run(self) -> None:
        """Start all enabled streams."""
        if self.can_run:
            self._wanted = EnginePhase.RUNNING
            self.ask(StartAll(), self._on_answered)

    def stop(self) -> None:
        """Stop all streams."""
        if self.can_stop:
            self._wanted = EnginePhase.IDLE
            self.ask(StopAll(), self._on_answered)

    def record(self, is_recording: bool) -> None:
        """Begin or end recording."""
        self._wanted_recording = is_recording
        self.ask(SetRecording(is_recording), self._on_answered)

    def open(self, path: str) -> None:
        """Load a project file."""
        self._wanted = None
        self.ask(LoadProject(path))

    def save(self, path: str = "", then: Callable[[Answer], None] | None = None) -> None:
        """Write the project to a path, empty for where it came from."""
        self.ask(SaveProject(path), then)

    def tell(self) -> None:
        """Let the window show what is new; nothing is waited for after a failure."""
        if self.message:
            self._wanted = self._wanted_recording = None
        super().tell()

    def _on_answered(self, answer: Answer) -> None:
        del answer
        self._wanted = self._wanted_recording = None
