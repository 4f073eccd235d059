"""Starts the window: engine first, then Qt, so that both come up at the same time."""

import os
import signal
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import platformdirs

from app.qt_guard import check_bindings
from engine.client import EngineClient
from engine.errors import OutputError
from engine.protocol import LoadProgram, LoadProject, PreviewPlace, StartAll
from resources import resource_path

if TYPE_CHECKING:
    from PySide6.QtCore import QSettings
    from PySide6.QtWidgets import QApplication

    from engine.client import PreviewReader
    from ui.shell.main_window import MainWindow

__all__ = ("GuiOptions", "run_gui")

_PICTURE_SIZE = (1440, 900)


@dataclass(frozen=True, slots=True)
class GuiOptions:
    """How the window is opened.

    Attributes
    ----------
    project : project file or program (DFP) to open, or None for an empty window.
    is_started : start its streams at once.
    is_attached : look at an engine that runs already, and leave it running.
    theme : "system", "light", "dark", or empty for what was chosen last.
    picture : save a picture of the window here after `picture_after_s` seconds, then leave.
    """

    project: Path | None = None
    is_started: bool = False
    is_attached: bool = False
    theme: str = ""
    picture: Path | None = None
    picture_after_s: float = 4.0


def run_gui(options: GuiOptions) -> int:
    """Open the window and return the exit code when it is closed.

    Raises
    ------
    EngineError
        When the window cannot be opened at all, with the reason.
    """
    check_bindings()
    client = _connect(options)
    try:
        return _show(client, options)
    finally:
        client.close()


def _connect(options: GuiOptions) -> EngineClient:
    if options.is_attached:
        return EngineClient.attach(name="window")
    client = EngineClient.launch(name="window", timeout_s=None)
    if options.project is not None:
        path = str(options.project.resolve())
        is_program = options.project.suffix == ".dfp"
        client.send(LoadProgram(path) if is_program else LoadProject(path))
        if options.is_started and not is_program:
            client.send(StartAll())
    return client


def _show(client: EngineClient, options: GuiOptions) -> int:
    from PySide6.QtCore import QTimer
    from PySide6.QtGui import QIcon
    from PySide6.QtWidgets import QApplication

    from app.milestones import Milestones
    from ui.bridge.bridge import EngineBridge
    from ui.bridge.previews import PreviewBook
    from ui.shell.main_window import MainWindow
    from ui.shell.theme import Theme

    app = QApplication(sys.argv[:1])
    app.setApplicationName("Penstock")
    app.setDesktopFileName("penstock")
    app.setWindowIcon(QIcon(str(resource_path("icons/penstock.svg"))))
    with tempfile.TemporaryDirectory() as scratch:
        settings = _settings(Path(scratch) if options.picture else None)
        theme = Theme()
        theme.apply(app)
        bridge = EngineBridge(client, relaunch=None if options.is_attached else _relaunch)
        previews = PreviewBook(_open_preview)
        bridge.snapshot_changed.connect(previews.set_snapshot)
        window = MainWindow(bridge, theme, previews, settings=settings)
        if options.theme:
            theme.set_mode(options.theme)
        if options.picture is not None:
            window.resize(*_PICTURE_SIZE)
        milestones = Milestones(window)
        bridge.telemetry_changed.connect(milestones.on_telemetry)
        window.show()
        bridge.start()
        _leave_on_signal(app)
        photographer = None
        if options.picture is not None:
            photographer = _Photographer(app, window, options.picture)
            QTimer.singleShot(int(options.picture_after_s * 1000), photographer.take)
        try:
            app.exec()
        finally:
            bridge.close()
            previews.close()
        return photographer.exit_code() if photographer is not None else 0


def _open_preview(place: PreviewPlace) -> "PreviewReader":
    """Open a preview; the reader and NumPy are loaded with the first one."""
    from engine.client import PreviewReader

    return PreviewReader(place)


def _relaunch() -> EngineClient:
    return EngineClient.launch(name="window", timeout_s=None)


def _settings(scratch: Path | None) -> "QSettings":
    from PySide6.QtCore import QSettings

    folder = scratch or Path(platformdirs.user_config_dir("penstock", appauthor=False))
    return QSettings(str(folder / "window.ini"), QSettings.Format.IniFormat)


def _leave_on_signal(app: "QApplication") -> None:
    """Close on Ctrl+C and SIGTERM; Python's handlers run between two ticks of the bridge."""
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: app.quit())


class _Photographer:
    """Saves one picture of the window, then ends the application."""

    def __init__(self, app: "QApplication", window: "MainWindow", path: Path) -> None:
        self._app = app
        self._window = window
        self._path = path
        self._is_saved = False

    def take(self) -> None:
        self._path.parent.mkdir(parents=True, exist_ok=True)
        self._is_saved = self._window.grab().save(os.fspath(self._path))
        self._app.quit()

    def exit_code(self) -> int:
        if not self._is_saved:
            raise OutputError(
                f"the picture cannot be written to {self._path}; choose another place"
            )
        return 0
