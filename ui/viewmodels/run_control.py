"""Run, stop, record, open and save: what the buttons say, and what they send."""

from collections.abc import Callable
from pathlib import Path

from engine.protocol import (
    Answer,
    EnginePhase,
    LoadProject,
    SaveProject,
    SetRecording,
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

    @property
    def has_engine(self) -> bool:
        """Whether the engine has answered and has not ended."""
        return self.is_alive and self.snapshot.engine.pid != 0

    @property
    def phase(self) -> EnginePhase:
        """What the engine does, or what it was just told to do."""
        phase = self.snapshot.engine.phase
        if self.wanted("phase") is EnginePhase.IDLE and phase is not EnginePhase.IDLE:
            return EnginePhase.STOPPING
        return phase

    @property
    def is_starting(self) -> bool:
        """Whether Run was pressed and the engine does not run yet."""
        is_wanted = self.wanted("phase") is EnginePhase.RUNNING
        return is_wanted and self.snapshot.engine.phase is EnginePhase.IDLE

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
        wanted = self.wanted("recording")
        return self.snapshot.recorder.is_recording if wanted is None else bool(wanted)

    @property
    def project_name(self) -> str:
        """The project's file name; the project's own name while it has no file."""
        path = self.snapshot.engine.project_path
        return Path(path).name if path else self.snapshot.project.name

    @property
    def is_modified(self) -> bool:
        """Whether there are changes that no file has."""
        return self.snapshot.engine.is_modified

    def set_alive(self, is_alive: bool) -> None:
        """Say whether there is an engine."""
        self.is_alive = is_alive
        self.forget_wanted()
        self.tell()

    def run(self) -> None:
        """Start all enabled streams."""
        if self.can_run:
            self.want("phase", EnginePhase.RUNNING, StartAll())

    def stop(self) -> None:
        """Stop all streams."""
        if self.can_stop:
            self.want("phase", EnginePhase.IDLE, StopAll())

    def record(self, is_recording: bool) -> None:
        """Begin or end recording."""
        self.want("recording", is_recording, SetRecording(is_recording))

    def open(self, path: str) -> None:
        """Load a project file."""
        self.forget_wanted()
        self.ask(LoadProject(path))

    def save(self, path: str = "", then: Callable[[Answer], None] | None = None) -> None:
        """Write the project to a path, empty for where it came from."""
        self.ask(SaveProject(path), then)
