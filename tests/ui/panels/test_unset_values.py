"""A field says what its emptiness, or its smallest number, stands for."""

from typing import Any

import pytest
from PySide6.QtWidgets import QAbstractSpinBox, QComboBox, QLineEdit
from pytestqt.qtbot import QtBot

from engine.protocol import DriverParameter
from tests.ui.fakes import FakeChooser
from ui.panels.value_editors import ParameterField, PathEdit
from ui.shell.theme import Theme, style_sheet

WORDS = "as the camera is set"


def field_of(qtbot: QtBot, kind: str, **more: Any) -> ParameterField:
    parameter = DriverParameter("width", "Width", kind, unset=WORDS, **more)
    field = ParameterField(Theme(), FakeChooser(), parameter)
    qtbot.addWidget(field)
    return field


def shown(field: ParameterField) -> str:
    match field.editor:
        case PathEdit() as path:
            return path.line.placeholderText()
        case QAbstractSpinBox() as number:
            return number.text()
        case QComboBox() as choice:
            return choice.lineEdit().placeholderText()
        case QLineEdit() as line:
            return line.placeholderText()
    return ""


@pytest.mark.parametrize(
    ("kind", "more"),
    [
        ("text", {}),
        ("text", {"choices": ("Mono8", "RGB8")}),
        ("secret", {}),
        ("path", {}),
        ("integer", {"default": 0, "minimum": 0, "unit": "px"}),
        ("number", {"default": 0.0, "minimum": 0.0, "unit": "Hz"}),
    ],
)
def test_an_empty_field_says_what_that_stands_for(
    kind: str, more: dict[str, Any], qtbot: QtBot
) -> None:
    field = field_of(qtbot, kind, **more)
    field.set_value(more.get("default", ""))
    assert shown(field) == WORDS
    assert field.value() == more.get("default", "")


def test_a_number_that_was_set_stands_there_with_its_unit(qtbot: QtBot) -> None:
    field = field_of(qtbot, "integer", default=0, minimum=0, unit="px")
    field.set_value(640)
    assert shown(field) == "640 px"
    assert field.value() == 640


@pytest.mark.parametrize("mode", ["dark", "light"])
def test_what_an_empty_field_says_has_the_muted_color(mode: str, qtbot: QtBot) -> None:
    theme = Theme()
    theme.set_mode(mode)
    edit = QLineEdit()
    qtbot.addWidget(edit)
    edit.setStyleSheet(style_sheet(theme.tokens))
    edit.ensurePolished()
    assert edit.palette().placeholderText().color().name() == theme.tokens.muted.lower()
