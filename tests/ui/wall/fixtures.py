"""Fixtures for wall, plots, inspector and log; each conftest takes those it needs."""

import pytest
from PySide6.QtGui import QColor, QImage, QPainter
from PySide6.QtWidgets import QApplication

from tests.ui.wall.fakes import FakeClock
from ui.shell.theme import Theme

__all__ = ("clock", "nothing_is_left_behind", "qt_paint_threads", "theme")


@pytest.fixture
def theme(qapp: QApplication) -> Theme:
    return Theme("dark")


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
def qt_paint_threads(qapp: QApplication) -> None:
    """Let Qt start the threads that fill large areas, and open their descriptors, beforehand."""
    image = QImage(1920, 1080, QImage.Format.Format_RGB32)
    with QPainter(image) as painter:
        painter.fillRect(image.rect(), QColor(0, 0, 0, 100))


@pytest.fixture(autouse=True)
def nothing_is_left_behind(qt_paint_threads: None, nothing_is_left_behind: None) -> None:
    """Check for leaks as everywhere, but begin after Qt has its own threads."""
