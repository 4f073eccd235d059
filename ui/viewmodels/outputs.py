"""The recorder: on or off, where to, how much, and what went wrong."""

from engine.protocol import RecorderState, SetRecording
from ui.bridge.protocols import EngineControl
from ui.viewmodels.base import ViewModel
from ui.viewmodels.formats import format_bytes

__all__ = ("OutputsViewModel",)


class OutputsViewModel(ViewModel):
    """Where results are recorded."""

    def __init__(self, control: EngineControl) -> None:
        super().__init__(control)
        self.problem = ""

    @property
    def recorder(self) -> RecorderState:
        """The recorder's state."""
        return self.snapshot.recorder

    @property
    def is_on(self) -> bool:
        """Whether recording is on, or was just asked for."""
        wanted = self.wanted("recording")
        return self.recorder.is_recording if wanted is None else bool(wanted)

    @property
    def directory(self) -> str:
        """The folder in use."""
        return self.recorder.directory or self.snapshot.project.recorder.directory

    @property
    def size_text(self) -> str:
        """Bytes written, for people."""
        return format_bytes(self.recorder.size_bytes)

    def set_recording(self, is_recording: bool) -> None:
        """Begin or end recording into the folder in use."""
        self.want("recording", is_recording, SetRecording(is_recording))

    def set_directory(self, directory: str) -> bool:
        """Record into another folder; False when it is refused (see `problem`)."""
        directory = directory.strip()
        self.problem = "" if directory else "Choose a folder for the recordings."
        if self.problem or directory == self.directory:
            self.tell()
            return not self.problem
        self.ask(SetRecording(self.recorder.is_recording, directory))
        return True
