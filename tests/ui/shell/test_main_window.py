"""The window over fakes: everything it shows and everything it asks for."""

from pathlib import Path

import msgspec
import pytest
from PySide6.QtCore import QMimeData, QPointF, Qt, QUrl
from PySide6.QtGui import QAction, QDropEvent
from PySide6.QtWidgets import (
    QAbstractButton,
    QAbstractSpinBox,
    QComboBox,
    QDockWidget,
    QLabel,
    QPushButton,
    QToolButton,
    QWidget,
)
from pytestqt.qtbot import QtBot

from engine.config import Project
from engine.errors import OutputError
from engine.protocol import (
    EnginePhase,
    LoadLicense,
    LoadProgram,
    LoadProject,
    LogEntry,
    SaveProject,
    SetPreview,
    SetRecording,
    StartAll,
    StopAll,
    StreamPhase,
)
from tests.ui.fakes import demo_snapshot, demo_telemetry, settings_in
from tests.ui.shell.conftest import House
from ui.shell.file_chooser import UnsavedChoice
from ui.shell.layout_store import LayoutStore
from ui.shell.rail import RAIL_ITEMS
from ui.shell.theme import ThemeMode

pytestmark = pytest.mark.qt_log_ignore("propagateSizeHints")


def shown(house: House, qtbot: QtBot) -> None:
    house.window.show()
    with qtbot.waitActive(house.window):
        house.window.activateWindow()


def button(house: House, name: str) -> QToolButton:
    found = house.window.findChild(QToolButton, name)
    assert found is not None
    return found


def text(house: House, name: str) -> str:
    found = house.window.findChild(QLabel, name)
    assert found is not None
    return found.text()


def dock(house: House, name: str) -> QDockWidget:
    found = house.window.findChild(QDockWidget, name)
    assert found is not None
    return found


def action(house: House, name: str) -> QAction:
    found = house.window.findChild(QAction, f"action_{name}")
    assert found is not None
    return found


def arrive(house: House, **changes: object) -> None:
    house.connection.snapshot = msgspec.structs.replace(house.connection.snapshot, **changes)
    house.bridge.tick()


def be_in(house: House, phase: EnginePhase) -> None:
    house.connection.snapshot = demo_snapshot(phase=phase, is_modified=False)
    house.bridge.tick()


def die(house: House) -> None:
    house.connection.engine_outcome = "the engine (process 4711) was killed by SIGKILL"
    house.bridge.tick()


def sent(house: House, kind: type) -> list[object]:
    return [command for command in house.connection.sent if isinstance(command, kind)]


class TestRun:
    def test_run_sends_start_all_and_says_starting_at_once(
        self, house: House, qtbot: QtBot
    ) -> None:
        be_in(house, EnginePhase.IDLE)
        qtbot.mouseClick(button(house, "run"), Qt.MouseButton.LeftButton)
        assert sent(house, StartAll) == [StartAll()]
        assert button(house, "run").text() == "Starting\u2026"
        assert not button(house, "run").isEnabled()

    def test_stop_says_stopping_until_the_engine_is_idle(self, house: House, qtbot: QtBot) -> None:
        qtbot.mouseClick(button(house, "stop"), Qt.MouseButton.LeftButton)
        assert sent(house, StopAll) == [StopAll()]
        assert button(house, "stop").text() == "Stopping\u2026"
        be_in(house, EnginePhase.IDLE)
        assert button(house, "stop").text() == "Stop"
        assert not button(house, "stop").isEnabled()
        assert button(house, "run").isEnabled()

    def test_a_refused_start_makes_run_available_again_and_says_why(
        self, house: House, qtbot: QtBot
    ) -> None:
        be_in(house, EnginePhase.IDLE)
        house.connection.error = OutputError("the folder /x is not writable; choose another")
        qtbot.mouseClick(button(house, "run"), Qt.MouseButton.LeftButton)
        house.bridge.tick()
        assert button(house, "run").isEnabled()
        message = house.window.findChild(QLabel, "status_message")
        assert message is not None
        assert "not writable" in message.accessibleName()

    def test_f5_runs_and_shift_f5_stops(self, house: House, qtbot: QtBot) -> None:
        be_in(house, EnginePhase.IDLE)
        shown(house, qtbot)
        qtbot.keyClick(house.window, Qt.Key.Key_F5)
        assert sent(house, StartAll)
        be_in(house, EnginePhase.RUNNING)
        qtbot.keyClick(house.window, Qt.Key.Key_F5, Qt.KeyboardModifier.ShiftModifier)
        assert sent(house, StopAll)

    def test_run_is_not_offered_without_a_stream(self, house: House) -> None:
        be_in(house, EnginePhase.IDLE)
        arrive(house, project=Project())
        assert not button(house, "run").isEnabled()

    def test_record_toggles_recording(self, house: House, qtbot: QtBot) -> None:
        qtbot.mouseClick(button(house, "record"), Qt.MouseButton.LeftButton)
        assert sent(house, SetRecording) == [SetRecording(True)]
        assert button(house, "record").text() == "Recording"

    def test_space_freezes_the_pictures_and_thaws_them(self, house: House, qtbot: QtBot) -> None:
        shown(house, qtbot)
        qtbot.keyClick(house.window, Qt.Key.Key_Space)
        assert house.wall.is_frozen
        assert button(house, "freeze").isChecked()
        qtbot.keyClick(house.window, Qt.Key.Key_Space)
        assert not house.wall.is_frozen


class TestFigures:
    def test_the_header_shows_streams_rate_and_median_age(self, house: House) -> None:
        house.connection.telemetry = demo_telemetry()
        house.bridge.tick()
        assert text(house, "figure_streams_number") == "4"
        assert text(house, "figure_rate_number") == "134"
        assert text(house, "figure_age_number") == "14.2"

    def test_the_status_bar_shows_load_memory_and_advice(self, house: House) -> None:
        house.connection.telemetry = demo_telemetry()
        house.bridge.tick()
        assert text(house, "cpu_load") == "CPU 44 %"
        assert text(house, "memory") == "970 MB"
        label = house.window.findChild(QLabel, "status_message")
        assert label is not None
        assert label.accessibleName().startswith("device limits street")

    def test_the_title_names_the_project_and_marks_changes(self, house: House) -> None:
        assert house.window.windowTitle() == "demo.toml[*] \u2013 Penstock"
        assert not house.window.isWindowModified()
        house.connection.snapshot = demo_snapshot(is_modified=True)
        house.bridge.tick()
        assert house.window.isWindowModified()
        assert text(house, "project_name") == "demo.toml *"
        house.connection.snapshot = demo_snapshot(is_modified=False)
        house.bridge.tick()


class TestViews:
    def test_everything_is_handed_on_to_the_views(self, house: House) -> None:
        house.window.complete()
        house.connection.telemetry = demo_telemetry()
        house.connection.log = [LogEntry(1, "INFO", "engine", "hello")]
        ticks = house.wall.ticks
        house.bridge.tick()
        assert house.wall.snapshot is house.connection.snapshot
        assert house.wall.telemetry is house.connection.telemetry
        assert house.tabs.telemetry == [house.connection.telemetry]
        assert [entry.message for entry in house.tabs.log] == ["hello"]
        assert house.wall.ticks == ticks + 1
        assert house.tabs.ticks == 1

    def test_log_that_comes_before_the_plots_are_there_is_kept(self, house: House) -> None:
        house.connection.log = [LogEntry(1, "INFO", "engine", "early")]
        house.bridge.tick()
        house.window.complete()
        assert [entry.message for entry in house.tabs.log] == ["early"]

    def test_the_plots_are_made_after_the_window_was_shown(
        self, house: House, qtbot: QtBot
    ) -> None:
        assert house.views.tabs is None
        house.window.show()
        qtbot.waitUntil(lambda: house.views.tabs is not None)

    def test_the_stream_chosen_on_the_wall_is_inspected(self, house: House) -> None:
        house.wall.selected.emit("faces")
        assert house.inspector.stream == "faces"

    def test_the_stream_chosen_in_the_list_is_inspected_and_marked_on_the_wall(
        self, house: House, qtbot: QtBot
    ) -> None:
        house.window.show_panel("streams")
        line = house.window.findChild(QWidget, "row_line")
        assert line is not None
        qtbot.keyClick(line, Qt.Key.Key_Return)
        assert house.inspector.stream == "line"
        assert house.wall.marked == "line"

    def test_the_first_stream_is_inspected_until_another_is_chosen(self, house: House) -> None:
        assert house.inspector.stream == "street"
        house.wall.selected.emit("line")
        arrive(house, version=13)
        assert house.inspector.stream == "line"
        arrive(house, streams=house.connection.snapshot.streams[1:3])
        assert house.inspector.stream == "parrot"

    def test_the_wall_says_which_pictures_it_wants(self, house: House) -> None:
        house.wall.previews_wanted.emit([("street", True, 640, 360), ("line", False, 0, 0)])
        assert sent(house, SetPreview) == [
            SetPreview("street", True, 640, 360),
            SetPreview("line", False, 0, 0),
        ]


class TestPanels:
    def test_the_rail_opens_each_panel_and_closes_it_again(
        self, house: House, qtbot: QtBot
    ) -> None:
        house.window.show()
        house.window.show_panel("")
        for item in RAIL_ITEMS[1:]:
            entry = button(house, f"rail_{item.key}")
            qtbot.mouseClick(entry, Qt.MouseButton.LeftButton)
            assert house.window.panel_key == item.key
            assert dock(house, "panel_dock").isVisible()
            assert dock(house, "panel_dock").windowTitle() == item.title
        qtbot.mouseClick(entry, Qt.MouseButton.LeftButton)
        assert house.window.panel_key == ""
        assert not dock(house, "panel_dock").isVisible()

    def test_the_figure_keys_open_the_panels(self, house: House, qtbot: QtBot) -> None:
        shown(house, qtbot)
        house.window.show_panel("")
        qtbot.keyClick(house.window, Qt.Key.Key_6)
        assert house.window.panel_key == "threads"
        qtbot.keyClick(house.window, Qt.Key.Key_1)
        assert house.window.panel_key == ""

    def test_closing_the_dock_clears_the_mark_on_the_rail(self, house: House) -> None:
        house.window.show()
        house.window.show_panel("plugins")
        dock(house, "panel_dock").close()
        assert house.window.panel_key == ""
        assert button(house, "rail_live").isChecked()

    def test_every_control_of_every_panel_is_reached_by_the_keyboard(self, house: House) -> None:
        for item in RAIL_ITEMS[1:]:
            house.window.show_panel(item.key)
        controls = [
            *house.window.findChildren(QAbstractButton),
            *house.window.findChildren(QComboBox),
            *house.window.findChildren(QAbstractSpinBox),
        ]
        unreachable = [
            found.objectName()
            for found in controls
            if not found.objectName().startswith("qt_")
            and not found.focusPolicy() & Qt.FocusPolicy.TabFocus
        ]
        assert len(controls) > 30
        assert unreachable == []

    def test_every_button_of_every_panel_has_a_name_for_screen_readers(self, house: House) -> None:
        for item in RAIL_ITEMS[1:]:
            house.window.show_panel(item.key)
        for kind in (QToolButton, QPushButton):
            for found in house.window.findChildren(kind):
                if found.objectName().startswith("qt_"):
                    continue
                assert found.accessibleName() or found.text(), found.objectName()


class TestEngineEnds:
    def test_a_banner_says_how_and_the_window_stays(self, house: House) -> None:
        house.window.show()
        die(house)
        banner = house.window.findChild(QWidget, "engine_banner")
        assert banner is not None
        assert banner.isVisible()
        assert "killed by SIGKILL" in text(house, "engine_banner_text")
        assert not button(house, "stop").isEnabled()

    def test_no_stream_is_shown_as_running_any_more(self, house: House) -> None:
        die(house)
        assert house.wall.snapshot is not None
        assert {s.phase for s in house.wall.snapshot.streams} == {StreamPhase.FAILED}
        assert text(house, "figure_rate_number") == "\u2013"

    def test_one_click_starts_it_again_with_the_project(self, house: House, qtbot: QtBot) -> None:
        house.window.show()
        die(house)
        restart = house.window.findChild(QPushButton, "restart_engine")
        assert restart is not None
        qtbot.mouseClick(restart, Qt.MouseButton.LeftButton)
        assert house.relaunches == 1
        assert house.successor.sent[:2] == [LoadProject("/home/ada/line3/demo.toml"), StartAll()]
        banner = house.window.findChild(QWidget, "engine_banner")
        assert banner is not None
        assert not banner.isVisible()
        house.successor.snapshot = demo_snapshot(is_modified=False)
        house.bridge.tick()
        assert button(house, "stop").isEnabled()


class TestProjectFiles:
    def test_ctrl_o_asks_for_a_file_and_loads_it(self, house: House, qtbot: QtBot) -> None:
        house.chooser.files = ["/home/ada/other.toml"]
        shown(house, qtbot)
        qtbot.keyClick(house.window, Qt.Key.Key_O, Qt.KeyboardModifier.ControlModifier)
        assert sent(house, LoadProject) == [LoadProject("/home/ada/other.toml")]

    def test_ctrl_s_saves_to_the_projects_own_file(self, house: House, qtbot: QtBot) -> None:
        shown(house, qtbot)
        qtbot.keyClick(house.window, Qt.Key.Key_S, Qt.KeyboardModifier.ControlModifier)
        assert sent(house, SaveProject) == [SaveProject("")]

    def test_a_project_without_a_file_is_saved_where_the_user_says(self, house: House) -> None:
        engine = msgspec.structs.replace(house.connection.snapshot.engine, project_path="")
        arrive(house, engine=engine)
        house.chooser.saved_as = "/home/ada/mine"
        action(house, "save_project").trigger()
        assert sent(house, SaveProject) == [SaveProject("/home/ada/mine.penstock.toml")]

    def test_opening_another_project_asks_about_changes_first(self, house: House) -> None:
        house.connection.snapshot = demo_snapshot(is_modified=True)
        house.bridge.tick()
        house.chooser.files = ["/home/ada/other.toml"]
        house.chooser.unsaved = UnsavedChoice.CANCEL
        action(house, "open_project").trigger()
        assert sent(house, LoadProject) == []
        house.chooser.unsaved = UnsavedChoice.SAVE
        action(house, "open_project").trigger()
        house.bridge.tick()
        assert sent(house, SaveProject) == [SaveProject("")]
        assert sent(house, LoadProject) == [LoadProject("/home/ada/other.toml")]

    def test_closing_with_changes_can_be_cancelled(self, house: House) -> None:
        house.window.show()
        house.connection.snapshot = demo_snapshot(is_modified=True)
        house.bridge.tick()
        house.chooser.unsaved = UnsavedChoice.CANCEL
        assert not house.window.close()
        assert house.window.isVisible()
        house.chooser.unsaved = UnsavedChoice.DISCARD
        house.window.close()
        assert not house.window.isVisible()

    @pytest.mark.parametrize(
        ("name", "command"),
        [
            ("p.toml", LoadProject("/data/p.toml")),
            ("m.dfp", LoadProgram("/data/m.dfp")),
            ("my.lic", LoadLicense("/data/my.lic")),
        ],
    )
    def test_a_dropped_file_is_opened_as_what_it_is(
        self, house: House, name: str, command: object
    ) -> None:
        drop(house, f"/data/{name}")
        assert command in house.connection.sent

    def test_a_dropped_file_of_another_kind_gets_a_sentence(self, house: House) -> None:
        drop(house, "/data/holiday.jpg")
        label = house.window.findChild(QLabel, "status_message")
        assert label is not None
        assert label.accessibleName().startswith("holiday.jpg cannot be opened here")


def drop(house: House, path: str) -> None:
    data = QMimeData()
    data.setUrls([QUrl.fromLocalFile(path)])
    event = QDropEvent(
        QPointF(10, 10),
        Qt.DropAction.CopyAction,
        data,
        Qt.MouseButton.LeftButton,
        Qt.KeyboardModifier.NoModifier,
    )
    house.window.dropEvent(event)


class TestLook:
    def test_the_theme_is_switched_by_the_menu_and_remembered(self, house: House) -> None:
        action(house, "theme_light").trigger()
        assert not house.theme.is_dark
        assert LayoutStore(settings_in(house.folder)).theme_mode is ThemeMode.LIGHT

    def test_the_menu_marks_the_theme_also_when_somebody_else_chose_it(self, house: House) -> None:
        house.theme.set_mode("light")
        assert action(house, "theme_light").isChecked()

    def test_layout_and_panel_come_back_after_a_restart(
        self, house: House, qtbot: QtBot, tmp_path: Path
    ) -> None:
        house.window.show()
        house.window.show_panel("license")
        dock(house, "inspector_dock").hide()
        house.window.close()
        again = House(tmp_path).build()
        qtbot.addWidget(again.window)
        again.window.show()
        assert again.window.panel_key == "license"
        assert not dock(again, "inspector_dock").isVisible()
        again.window.reset_layout()
        assert dock(again, "inspector_dock").isVisible()
        assert again.window.panel_key == "streams"
        again.window.close()
        again.bridge.close()

    def test_a_damaged_layout_falls_back_to_the_default_one(
        self, qtbot: QtBot, tmp_path: Path
    ) -> None:
        settings = settings_in(tmp_path)
        settings.setValue("state", b"not a layout")
        settings.setValue("theme", "plaid")
        settings.setValue("panel", "no-such-panel")
        settings.sync()
        house = House(tmp_path).build()
        qtbot.addWidget(house.window)
        house.window.show()
        assert dock(house, "tabs_dock").isVisible()
        assert dock(house, "inspector_dock").isVisible()
        assert house.window.panel_key == ""
        house.window.close()
        house.bridge.close()
