"""Icons are drawn in the color asked for, at any scale."""

import re
from pathlib import Path

import pytest
from PySide6.QtCore import QSize
from PySide6.QtGui import QColor, QIcon, QPixmap
from pytestqt.qtbot import QtBot

import ui
from resources import resource_path
from ui.shell.icons import icon, icon_pixmap

NAME = re.compile(r'"([a-z]+(?:-[a-z0-9]+)*)"')


def colors_of(pixmap: QPixmap) -> set[str]:
    image = pixmap.toImage()
    found = set()
    for x in range(image.width()):
        for y in range(image.height()):
            color: QColor = image.pixelColor(x, y)
            if color.alpha() == 255:
                found.add(color.name())
    return found


def test_an_icon_is_drawn_in_the_color_asked_for(qtbot: QtBot) -> None:
    assert colors_of(icon_pixmap("play", "#5bc27a")) == {"#5bc27a"}


def test_an_icon_is_as_sharp_as_the_screen(qtbot: QtBot) -> None:
    pixmap = icon_pixmap("cpu", "#ffffff", 20, ratio=2.0)
    assert (pixmap.width(), pixmap.devicePixelRatio()) == (40, 2.0)


def test_a_disabled_icon_takes_the_disabled_color(qtbot: QtBot) -> None:
    made = icon("play", "#ffffff", disabled="#ff0000")
    assert colors_of(made.pixmap(QSize(20, 20), QIcon.Mode.Disabled)) == {"#ff0000"}


@pytest.mark.expected_log
def test_a_missing_icon_is_empty_and_logged(qtbot: QtBot, caplog: pytest.LogCaptureFixture) -> None:
    assert colors_of(icon_pixmap("no-such-icon", "#ffffff")) == set()
    assert "no-such-icon" in caplog.text


def test_every_icon_the_window_names_is_bundled() -> None:
    folder = Path(next(iter(ui.__path__)))
    named: set[str] = set()
    calls = re.compile(
        r"(?:Sign|IconButton|IconLabel|TextButton|EmptyState|RailItem|_Spec|set_icon|icon_name=|"
        r"button_icon=|show_state)[^\n]*(?:\n[^\n]*){0,2}"
    )
    bundled = {path.stem for path in resource_path("icons").glob("*.svg")}
    for path in folder.rglob("*.py"):
        for call in calls.findall(path.read_text(encoding="utf-8")):
            named |= {name for name in NAME.findall(call) if "-" in name}
    assert len(named) > 8
    assert {name for name in named if name not in bundled} <= {"video-file", "pan-zoom"}
