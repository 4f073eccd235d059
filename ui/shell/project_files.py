"""Opening, saving and closing the project, with the one question about unsaved changes."""

from collections.abc import Callable
from pathlib import Path

from PySide6.QtCore import QObject, Slot
from PySide6.QtWidgets import QWidget

from engine.protocol import Answer
from ui.shell.file_chooser import FileChooser, UnsavedChoice
from ui.viewmodels.run_control import RunViewModel

__all__ = ("ProjectFiles",)

_SUFFIX = ".penstock.toml"  # the desktop opens these with Penstock and leaves other TOML alone


class ProjectFiles(QObject):
    """Carries out what the file menu asks for."""

    def __init__(self, model: RunViewModel, chooser: FileChooser, *, window: QWidget) -> None:
        super().__init__(window)
        self._model = model
        self._chooser = chooser
        self._window = window
        self._kinds = self.tr("Projects (*.penstock.toml *.toml);;All files (*)")

    @Slot()
    def open(self) -> None:
        """Ask for a project file and load it."""
        path = self._model.snapshot.engine.project_path
        folder = str(Path(path).parent) if path else ""
        files = self._chooser.open_files(self._window, self.tr("Open project"), self._kinds, folder)
        if files:
            self.open_path(files[0])

    def open_path(self, path: str) -> None:
        """Load a project file, after the question about unsaved changes."""

        def go_on() -> None:
            self._model.open(path)

        self.when_saved(go_on)

    @Slot()
    def save(self) -> None:
        """Write the project to its file; one that has none asks for it."""
        self._save(None)

    @Slot()
    def save_as(self) -> None:
        """Ask for a file and write the project to it."""
        self._save_as(None)

    def when_saved(self, go_on: Callable[[], None]) -> None:
        """Call `go_on` when nothing is unsaved, or the user said what to do with it."""
        if not self._model.is_modified or not self._model.is_alive:
            go_on()
            return
        match self._chooser.ask_unsaved(self._window, self._model.project_name):
            case UnsavedChoice.DISCARD:
                go_on()
            case UnsavedChoice.SAVE:
                self._save(go_on)
            case UnsavedChoice.CANCEL:
                pass

    def _save(self, go_on: Callable[[], None] | None) -> None:
        if self._model.snapshot.engine.project_path:
            self._write("", go_on)
        else:
            self._save_as(go_on)

    def _save_as(self, go_on: Callable[[], None] | None) -> None:
        snapshot = self._model.snapshot
        start = snapshot.engine.project_path or f"{snapshot.project.name}{_SUFFIX}"
        path = self._chooser.save_file(self._window, self.tr("Save project"), self._kinds, start)
        if path:
            self._write(path if Path(path).suffix else f"{path}{_SUFFIX}", go_on)

    def _write(self, path: str, go_on: Callable[[], None] | None) -> None:
        def on_saved(answer: Answer) -> None:
            del answer
            if go_on is not None:
                go_on()

        self._model.save(path, on_saved)
