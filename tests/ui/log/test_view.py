import pytest
from PySide6.QtCore import QAbstractItemModel
from PySide6.QtGui import QGuiApplication
from PySide6.QtTest import QAbstractItemModelTester
from PySide6.QtWidgets import QComboBox, QLabel, QLineEdit, QPushButton
from pytestqt.qtbot import QtBot

from engine.protocol import LogEntry
from tests.ui.wall.fakes import FakeClock
from ui.log import LogView
from ui.shell.theme import Theme


def entry(message: str, level: str = "INFO", stream: str = "") -> LogEntry:
    return LogEntry(1000 * 10**9, level, "engine.pipeline", message, "engine", 42, stream)


@pytest.fixture
def view(qtbot: QtBot, theme: Theme, clock: FakeClock) -> LogView:
    view = LogView(theme, clock=clock, capacity=100)
    qtbot.addWidget(view)
    view.resize(900, 200)
    view.show()
    return view


def messages(view: LogView) -> list[str]:
    model: QAbstractItemModel = view.model
    return [str(model.index(row, 3).data()) for row in range(model.rowCount())]


def button(view: LogView, name: str) -> QPushButton:
    found = view.findChild(QPushButton, name)
    assert isinstance(found, QPushButton)
    return found


def told(view: LogView) -> str:
    label = view.findChild(QLabel, "told")
    assert isinstance(label, QLabel)
    return label.text()


def test_the_model_keeps_the_rules_of_qt_while_records_come_and_go(view: LogView) -> None:
    tester = QAbstractItemModelTester(
        view.model, QAbstractItemModelTester.FailureReportingMode.Fatal
    )
    for batch in range(6):
        view.add([entry(f"{batch}.{i}", ("INFO", "DEBUG")[i % 2]) for i in range(30)])
    view.model.set_filter("DEBUG", "5.")

    assert tester.model() is view.model
    assert len(messages(view)) == 30


def test_records_show_level_source_and_message(view: LogView) -> None:
    view.add([entry("The disk is full.", "ERROR", "street"), entry("ready")])
    rows = [[view.model.index(r, c).data() for c in (1, 2, 3)] for r in range(2)]

    assert rows == [["error", "street", "The disk is full."], ["info", "engine", "ready"]]


def test_a_message_of_several_lines_stands_in_one_row(view: LogView) -> None:
    view.add([entry("first\nsecond")])

    assert messages(view) == ["first second"]


def test_the_text_filter_hides_other_records_at_once(view: LogView, qtbot: QtBot) -> None:
    view.add([entry("driver was killed"), entry("stream is running")])
    text = view.findChild(QLineEdit, "text")
    assert isinstance(text, QLineEdit)
    qtbot.keyClicks(text, "killed")

    assert messages(view) == ["driver was killed"]
    assert told(view) == "1 of 2 records"


def test_the_level_filter_shows_only_trouble(view: LogView) -> None:
    view.add([entry("a"), entry("b", "WARNING"), entry("c", "ERROR"), entry("d", "DEBUG")])
    level = view.findChild(QComboBox, "level")
    assert isinstance(level, QComboBox)
    before = messages(view)
    level.setCurrentIndex(level.findData("WARNING"))

    assert before == ["a", "b", "c"]
    assert messages(view) == ["b", "c"]


def test_pause_holds_records_back_and_loses_none(view: LogView) -> None:
    view.add([entry("before")])
    button(view, "pause").click()
    view.add([entry("during 1"), entry("during 2")])
    held = messages(view)
    said = told(view)
    button(view, "pause").click()

    assert held == ["before"]
    assert said == "1 records, paused, 2 new"
    assert messages(view) == ["before", "during 1", "during 2"]


def test_copy_takes_all_that_is_shown(view: LogView) -> None:
    view.add([entry("one", "WARNING", "street"), entry("two")])
    button(view, "copy").click()
    lines = QGuiApplication.clipboard().text().splitlines()

    assert len(lines) == 2
    assert lines[0].endswith(" WARNING engine/street [42] engine.pipeline: one")


def test_copy_takes_the_selected_records_only(view: LogView) -> None:
    view.add([entry("one"), entry("two"), entry("three")])
    view.table.selectRow(1)
    view.copy()

    assert QGuiApplication.clipboard().text().endswith(": two")
    assert "\n" not in QGuiApplication.clipboard().text()


def test_clear_forgets_everything(view: LogView) -> None:
    view.add([entry("one")])
    button(view, "clear").click()

    assert messages(view) == []


def test_the_view_stays_at_the_end_unless_scrolled_up(view: LogView, qtbot: QtBot) -> None:
    bar = view.table.verticalScrollBar()
    view.add([entry(str(i)) for i in range(50)])
    qtbot.waitUntil(lambda: bar.maximum() > 0 and bar.value() == bar.maximum())
    bar.setValue(0)
    view.add([entry("more")])

    assert bar.value() == 0


def test_trouble_is_counted_only_while_nobody_looks(view: LogView) -> None:
    counts: list[int] = []
    view.trouble_changed.connect(counts.append)
    view.add([entry("a", "ERROR"), entry("b", "WARNING"), entry("c")])
    view.set_watched(True)
    view.add([entry("d", "ERROR")])

    assert counts == [2, 0]


def test_level_words_take_the_colors_of_the_theme(view: LogView, theme: Theme) -> None:
    from PySide6.QtCore import Qt

    view.add([entry("a", "ERROR")])
    dark = view.model.index(0, 1).data(Qt.ItemDataRole.ForegroundRole)
    theme.set_mode("light")
    light = view.model.index(0, 1).data(Qt.ItemDataRole.ForegroundRole)

    assert dark.name().upper() == "#F0716A"
    assert light.name().upper() == "#B3261E"
