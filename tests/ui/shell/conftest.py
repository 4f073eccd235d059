"""A window over hand-written fakes."""

import os
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from PySide6.QtGui import QImage
from PySide6.QtWidgets import QApplication
from pytestqt.qtbot import QtBot

from tests.ui.fakes import (
    FakeChooser,
    FakeConnection,
    FakeInspector,
    FakeTabs,
    FakeViews,
    FakeWall,
    NoPreviews,
    demo_snapshot,
    settings_in,
)
from ui.bridge.bridge import EngineBridge
from ui.shell.main_window import MainWindow
from ui.shell.theme import Theme

os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")


@dataclass
class House:
    """The window and everything it was handed."""

    folder: Path
    connection: FakeConnection = field(
        default_factory=lambda: FakeConnection(demo_snapshot(is_modified=False))
    )
    successor: FakeConnection = field(default_factory=FakeConnection)
    chooser: FakeChooser = field(default_factory=FakeChooser)
    views: FakeViews = field(default_factory=FakeViews)
    relaunches: int = 0

    def build(self) -> "House":
        self.theme = Theme("dark")
        self.bridge = EngineBridge(self.connection, relaunch=self._relaunch)
        self.window = MainWindow(
            self.bridge,
            self.theme,
            NoPreviews(),
            settings=settings_in(self.folder),
            chooser=self.chooser,
            views=self.views.views(),
        )
        self.bridge.tick()
        return self

    @property
    def wall(self) -> FakeWall:
        assert self.views.wall is not None
        return self.views.wall

    @property
    def tabs(self) -> FakeTabs:
        assert self.views.tabs is not None
        return self.views.tabs

    @property
    def inspector(self) -> FakeInspector:
        assert self.views.inspector is not None
        return self.views.inspector

    def _relaunch(self) -> FakeConnection:
        self.relaunches += 1
        return self.successor


@pytest.fixture(scope="session", autouse=True)
def qt_is_warm(qapp: QApplication) -> None:
    """Let Qt start its drawing threads, so that no test is blamed for their descriptors."""
    picture = QImage(1440, 900, QImage.Format.Format_ARGB32)
    picture.fill(0)
    picture.convertToFormat(QImage.Format.Format_RGBA8888_Premultiplied)


@pytest.fixture
def house(qtbot: QtBot, tmp_path: Path) -> Iterator[House]:
    made = House(tmp_path).build()
    qtbot.addWidget(made.window)
    yield made
    made.window.close()
    made.bridge.close()
