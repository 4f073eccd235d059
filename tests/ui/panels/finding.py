"""Finds the widgets a test touches."""

from typing import TypeVar

from PySide6.QtCore import Qt
from PySide6.QtWidgets import QLabel, QPushButton, QWidget
from pytestqt.qtbot import QtBot

T = TypeVar("T", bound=QWidget)


def child(parent: QWidget, kind: type[T], name: str) -> T:
    """Return the one child of that kind and name."""
    found = parent.findChildren(kind, name)
    assert len(found) == 1, f"{len(found)} children named {name!r}"
    return found[0]


def words(parent: QWidget, name: str) -> str:
    """Return what a label says; empty when it is hidden."""
    label = child(parent, QLabel, name)
    return "" if label.isHidden() else label.text()


def press(qtbot: QtBot, parent: QWidget, kind: type[QWidget], name: str) -> None:
    """Click a button."""
    qtbot.mouseClick(child(parent, kind, name), Qt.MouseButton.LeftButton)


def push(qtbot: QtBot, parent: QWidget, name: str) -> None:
    """Click a push button."""
    press(qtbot, parent, QPushButton, name)
