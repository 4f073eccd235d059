"""One theme object dresses the application and tells when it changes."""

from pathlib import Path

import pytest
from PySide6.QtWidgets import QApplication, QLabel
from pytestqt.qtbot import QtBot

import ui
from ui.shell.theme import Theme, set_role, style_sheet
from ui.shell.tokens import DARK, LIGHT, Tokens


def test_switching_the_mode_swaps_the_tokens_and_tells_once(qtbot: QtBot) -> None:
    theme = Theme("dark")
    with qtbot.waitSignal(theme.changed):
        theme.set_mode("light")
    assert theme.tokens is LIGHT
    assert not theme.is_dark


def test_choosing_the_mode_that_is_shown_tells_nobody(qtbot: QtBot) -> None:
    theme = Theme("dark")
    with qtbot.assertNotEmitted(theme.changed):
        theme.set_mode("dark")
    assert theme.tokens is DARK


def test_an_unknown_mode_is_refused(qtbot: QtBot) -> None:
    with pytest.raises(ValueError, match="sepia"):
        Theme("dark").set_mode("sepia")


def test_an_applied_theme_dresses_the_application_again_when_it_changes(
    qtbot: QtBot, qapp: QApplication
) -> None:
    theme = Theme("dark")
    theme.apply(qapp)
    assert qapp.palette().window().color().name().upper() == DARK.window
    theme.set_mode("light")
    assert qapp.palette().window().color().name().upper() == LIGHT.window
    assert LIGHT.surface in qapp.styleSheet()
    qapp.setStyleSheet("")


def test_all_figures_of_the_applications_font_are_equally_wide(
    qtbot: QtBot, qapp: QApplication
) -> None:
    Theme("dark").apply(qapp)
    label = QLabel("0")
    qtbot.addWidget(label)
    widths = {label.fontMetrics().horizontalAdvance(figure) for figure in "0123456789"}
    assert len(widths) == 1
    qapp.setStyleSheet("")


@pytest.mark.parametrize("tokens", [DARK, LIGHT], ids=["dark", "light"])
def test_the_style_sheet_has_no_open_placeholder(tokens: Tokens) -> None:
    assert "$" not in style_sheet(tokens)


def test_a_role_changes_how_a_label_is_drawn(qtbot: QtBot, qapp: QApplication) -> None:
    Theme("dark").apply(qapp)
    label = QLabel("120")
    qtbot.addWidget(label)
    before = label.sizeHint().height()
    set_role(label, "figure")
    assert label.sizeHint().height() > before
    qapp.setStyleSheet("")


def test_no_other_module_sets_a_style_sheet() -> None:
    folder = Path(next(iter(ui.__path__)))
    sinners = [
        path.name
        for path in folder.rglob("*.py")
        if path.name != "theme.py" and "setStyleSheet" in path.read_text(encoding="utf-8")
    ]
    assert sinners == []
