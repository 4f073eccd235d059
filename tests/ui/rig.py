"""The real window over a real engine, for end-to-end tests and for screenshots."""

import time
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import Self

from PySide6.QtCore import QSettings
from PySide6.QtWidgets import QApplication, QPushButton, QToolButton, QWidget

from engine.client import EngineClient, PreviewReader
from engine.protocol import StreamPhase
from ui.bridge.bridge import EngineBridge
from ui.bridge.previews import PreviewBook
from ui.shell.main_window import MainWindow
from ui.shell.theme import Theme

__all__ = ("Rig",)


class Rig:
    """Wires the window as the application does; a context manager that leaves nothing behind."""

    def __init__(self, app: QApplication, folder: Path, *, theme: str = "dark") -> None:
        self.app = app
        self.client = EngineClient.launch(name="rig")
        self.settings = QSettings(str(folder / "window.ini"), QSettings.Format.IniFormat)
        self.theme = Theme(theme)
        self.theme.apply(app)
        self.bridge = EngineBridge(self.client, relaunch=lambda: EngineClient.launch(name="rig"))
        self.previews = PreviewBook(PreviewReader)
        self.bridge.snapshot_changed.connect(self.previews.set_snapshot)
        self.window = MainWindow(self.bridge, self.theme, self.previews, settings=self.settings)
        self.theme.set_mode(theme)
        self.window.resize(1440, 900)
        self.window.show()
        self.bridge.start()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        _kind: type[BaseException] | None,
        _error: BaseException | None,
        _trace: TracebackType | None,
    ) -> None:
        self.window._may_close = True
        self.window.close()
        self.bridge.close()
        self.previews.close()
        self.window.deleteLater()
        self.app.processEvents()

    def until(self, condition: Callable[[], object], timeout_s: float = 15.0) -> None:
        """Let the window live until something is true."""
        deadline = time.monotonic() + timeout_s
        while not condition():
            assert time.monotonic() < deadline, self.bridge.snapshot.streams
            self.app.processEvents()
            time.sleep(0.005)

    def live(self, seconds: float) -> None:
        """Let the window live for a time."""
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            self.app.processEvents()
            time.sleep(0.005)

    def are_all(self, phase: StreamPhase) -> bool:
        streams = self.bridge.snapshot.streams
        return bool(streams) and all(stream.phase is phase for stream in streams)

    def child(self, kind: type[QWidget], name: str) -> QWidget:
        found = self.window.findChild(kind, name)
        assert found is not None, name
        return found

    def click(self, name: str, within: QWidget | None = None) -> None:
        """Click the visible button of that object name."""
        place = within or self.window
        buttons = [
            *place.findChildren(QPushButton, name),
            *place.findChildren(QToolButton, name),
        ]
        visible = [button for button in buttons if button.isVisible()]
        assert visible, f"no visible button {name!r}"
        visible[0].click()
