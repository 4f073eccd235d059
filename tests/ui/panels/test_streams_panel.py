"""Streams: rows, form, commands, refusals."""

import msgspec
import pytest
from PySide6.QtCore import Qt
from PySide6.QtWidgets import QComboBox, QLabel, QLineEdit, QPushButton, QSpinBox
from pytestqt.qtbot import QtBot

from engine.config import Policy, Project, StreamSettings
from engine.errors import MediaError
from engine.protocol import (
    AddStream,
    DeviceInfo,
    DriverParameter,
    DriverState,
    EnginePhase,
    FindDevices,
    RemoveStream,
    SetStreamEnabled,
    Snapshot,
    StartStream,
    StopStream,
    StreamPhase,
    UpdateStream,
)
from tests.ui.fakes import FakeChooser, FakeControl, demo_snapshot, demo_telemetry
from tests.ui.panels.finding import child, press, push, words
from ui.panels.stream_row import StreamRowWidget
from ui.panels.streams_panel import StreamsPanel
from ui.panels.value_editors import CalmDoubleSpinBox, PathEdit
from ui.shell.buttons import IconButton, ToggleSwitch
from ui.shell.theme import Theme
from ui.viewmodels.streams import StreamsViewModel


@pytest.fixture
def panel(qtbot: QtBot, theme: Theme, control: FakeControl, chooser: FakeChooser) -> StreamsPanel:
    made = StreamsPanel(theme, StreamsViewModel(control), chooser)
    qtbot.addWidget(made)
    made.set_snapshot(demo_snapshot())
    return made


def row(panel: StreamsPanel, name: str) -> StreamRowWidget:
    return child(panel, StreamRowWidget, f"row_{name}")


def settings(name: str) -> StreamSettings:
    return next(s for s in demo_snapshot().project.streams if s.name == name)


class TestRows:
    def test_each_stream_has_a_row_with_state_rate_and_switch(self, panel: StreamsPanel) -> None:
        panel.set_telemetry(demo_telemetry())
        assert words(row(panel, "street"), "rate") == "29.4 fps"
        assert words(row(panel, "line"), "rate") == "60.0 l/s"
        assert words(row(panel, "street"), "word") == "running"
        assert row(panel, "street").toggle.isChecked()

    def test_a_stream_that_failed_says_why_and_shows_no_rate(self, panel: StreamsPanel) -> None:
        snapshot = demo_snapshot()
        failed = msgspec.structs.replace(
            snapshot.streams[0], phase=StreamPhase.FAILED, message="street.mp4 is missing"
        )
        panel.set_telemetry(demo_telemetry())
        panel.set_snapshot(
            msgspec.structs.replace(snapshot, streams=(failed, *snapshot.streams[1:]))
        )
        assert words(row(panel, "street"), "word") == "failed"
        assert child(row(panel, "street"), QLabel, "detail").toolTip() == "street.mp4 is missing"
        assert words(row(panel, "street"), "rate") == ""

    def test_the_button_stops_a_stream_that_runs_and_says_so_at_once(
        self, panel: StreamsPanel, control: FakeControl, qtbot: QtBot
    ) -> None:
        control.is_mute = True
        press(qtbot, row(panel, "street"), IconButton, "start_stop")
        assert control.asked == [StopStream("street")]
        assert words(row(panel, "street"), "word") == "stopping"
        assert not row(panel, "street").start_stop.isEnabled()

    def test_the_button_starts_a_stream_that_stands(
        self, panel: StreamsPanel, control: FakeControl, qtbot: QtBot
    ) -> None:
        panel.set_snapshot(demo_snapshot(phase=EnginePhase.IDLE))
        press(qtbot, row(panel, "faces"), IconButton, "start_stop")
        assert control.asked == [StartStream("faces")]

    def test_the_switch_disables_a_stream_and_stays_as_it_was_put(
        self, panel: StreamsPanel, control: FakeControl, qtbot: QtBot
    ) -> None:
        control.is_mute = True
        press(qtbot, row(panel, "line"), ToggleSwitch, "enabled")
        assert control.asked == [SetStreamEnabled("line", False)]
        assert not row(panel, "line").toggle.isChecked()

    def test_a_refused_switch_goes_back_and_says_why(
        self, panel: StreamsPanel, control: FakeControl, qtbot: QtBot
    ) -> None:
        control.error = MediaError("cockatoo.mp4 is missing")
        press(qtbot, row(panel, "parrot"), ToggleSwitch, "enabled")
        assert row(panel, "parrot").toggle.isChecked()
        assert panel.message.text == "cockatoo.mp4 is missing"

    def test_enter_on_a_row_opens_its_form(self, panel: StreamsPanel, qtbot: QtBot) -> None:
        qtbot.keyClick(row(panel, "faces"), Qt.Key.Key_Return)
        assert child(panel, QLineEdit, "stream_name").text() == "faces"

    def test_without_a_stream_the_one_button_adds_one(
        self, panel: StreamsPanel, qtbot: QtBot
    ) -> None:
        snapshot = msgspec.structs.replace(demo_snapshot(), project=Project(), streams=())
        panel.set_snapshot(snapshot)
        push(qtbot, panel, "empty_button")
        assert words(panel, "form_title") == "New stream"


class TestForm:
    def test_the_form_shows_the_parameters_of_the_driver(self, panel: StreamsPanel) -> None:
        panel.select("faces")
        assert child(panel, PathEdit, "source_folder").value() == "faces"
        assert child(panel, CalmDoubleSpinBox, "source_rate_hz").value() == 25.0
        assert child(panel, QSpinBox, "source_width").value() == 640
        assert child(panel, QComboBox, "source_path_kind").currentText() == "wander"
        assert child(panel, QComboBox, "stream_policy").currentData() == Policy.EVERY

    def test_nothing_can_be_applied_before_something_changed(self, panel: StreamsPanel) -> None:
        panel.select("street")
        assert not child(panel, QPushButton, "apply").isEnabled()

    def test_a_changed_source_is_sent_and_announced_as_a_restart(
        self, panel: StreamsPanel, control: FakeControl, qtbot: QtBot
    ) -> None:
        panel.select("street")
        child(panel, CalmDoubleSpinBox, "source_rate_hz").setValue(15)
        assert child(panel, QPushButton, "apply").text() == "Apply, restarts the stream"
        push(qtbot, panel, "apply")
        wanted = msgspec.structs.replace(
            settings("street"), source={"folder": "street", "rate_hz": 15.0}
        )
        assert control.asked == [UpdateStream("street", wanted)]

    def test_a_changed_threshold_needs_no_restart(
        self, panel: StreamsPanel, control: FakeControl, qtbot: QtBot
    ) -> None:
        panel.select("street")
        press(qtbot, panel, ToggleSwitch, "own_threshold")
        child(panel, CalmDoubleSpinBox, "stream_threshold").setValue(0.65)
        assert child(panel, QPushButton, "apply").text() == "Apply"
        push(qtbot, panel, "apply")
        wanted = msgspec.structs.replace(settings("street"), threshold=0.65)
        assert control.asked == [UpdateStream("street", wanted)]

    def test_a_stream_that_stands_is_changed_without_a_word_about_restarts(
        self, panel: StreamsPanel
    ) -> None:
        panel.set_snapshot(demo_snapshot(phase=EnginePhase.IDLE))
        panel.select("street")
        child(panel, CalmDoubleSpinBox, "source_rate_hz").setValue(15)
        assert child(panel, QPushButton, "apply").text() == "Apply"

    @pytest.mark.parametrize(
        ("kind", "name", "value", "sentence"),
        [
            (QSpinBox, "stream_queue_depth", 65, "Choose 1 to 64 frames."),
            (QSpinBox, "source_width", 32, "Choose 64 to 4096 px."),
            (CalmDoubleSpinBox, "source_rate_hz", 0.5, "Choose 1 to 240 fps."),
        ],
    )
    def test_a_number_out_of_range_is_refused_below_the_field(
        self,
        panel: StreamsPanel,
        control: FakeControl,
        qtbot: QtBot,
        kind: type[QSpinBox],
        name: str,
        value: float,
        sentence: str,
    ) -> None:
        panel.select("street")
        child(panel, kind, name).setValue(value)
        push(qtbot, panel, "apply")
        assert control.asked == []
        assert words(panel, f"{name}_problem") == sentence

    def test_a_corrected_value_takes_the_sentence_away(
        self, panel: StreamsPanel, qtbot: QtBot
    ) -> None:
        panel.select("street")
        child(panel, QSpinBox, "stream_queue_depth").setValue(65)
        push(qtbot, panel, "apply")
        child(panel, QSpinBox, "stream_queue_depth").setValue(8)
        assert words(panel, "stream_queue_depth_problem") == ""

    def test_a_threshold_above_one_is_refused(
        self, panel: StreamsPanel, control: FakeControl, qtbot: QtBot
    ) -> None:
        panel.select("faces")
        child(panel, CalmDoubleSpinBox, "stream_threshold").setValue(1.5)
        push(qtbot, panel, "apply")
        assert control.asked == []
        assert words(panel, "stream_threshold_problem") == "Choose 0 to 1."

    def test_a_name_that_is_taken_is_refused(
        self, panel: StreamsPanel, control: FakeControl, qtbot: QtBot
    ) -> None:
        panel.select("street")
        edit = child(panel, QLineEdit, "stream_name")
        edit.clear()
        qtbot.keyClicks(edit, "line")
        push(qtbot, panel, "apply")
        assert control.asked == []
        assert "'line' already" in words(panel, "stream_name_problem")

    def test_another_driver_brings_its_own_parameters(self, panel: StreamsPanel) -> None:
        panel.select("street")
        box = child(panel, QComboBox, "stream_driver")
        box.setCurrentIndex(box.findData("cube-line"))
        assert child(panel, PathEdit, "source_path").value() == ""
        assert child(panel, CalmDoubleSpinBox, "source_rate_hz").value() == 60.0

    def test_a_browsed_file_inside_the_projects_folder_becomes_relative(
        self, panel: StreamsPanel, control: FakeControl, chooser: FakeChooser, qtbot: QtBot
    ) -> None:
        chooser.files = ["/home/ada/line3/media/new.mp4"]
        panel.select("parrot")
        qtbot.mouseClick(child(panel, PathEdit, "source_path").browse, Qt.MouseButton.LeftButton)
        push(qtbot, panel, "apply")
        wanted = msgspec.structs.replace(settings("parrot"), source={"path": "media/new.mp4"})
        assert control.asked == [UpdateStream("parrot", wanted)]

    def test_revert_shows_the_stream_as_it_is(self, panel: StreamsPanel, qtbot: QtBot) -> None:
        panel.select("street")
        child(panel, QSpinBox, "stream_queue_depth").setValue(9)
        push(qtbot, panel, "revert")
        assert child(panel, QSpinBox, "stream_queue_depth").value() == 3

    def test_news_from_the_engine_do_not_overwrite_what_is_typed(
        self, panel: StreamsPanel, qtbot: QtBot
    ) -> None:
        panel.select("parrot")
        line = child(panel, PathEdit, "source_path").line
        line.clear()
        qtbot.keyClicks(line, "half a pa")
        panel.set_snapshot(demo_snapshot(version=13))
        assert line.text() == "half a pa"

    def test_an_untouched_form_follows_the_engine(self, panel: StreamsPanel) -> None:
        panel.select("street")
        snapshot = demo_snapshot(version=13)
        changed = msgspec.structs.replace(snapshot.project.streams[0], queue_depth=7)
        project = msgspec.structs.replace(
            snapshot.project, streams=(changed, *snapshot.project.streams[1:])
        )
        panel.set_snapshot(msgspec.structs.replace(snapshot, project=project))
        assert child(panel, QSpinBox, "stream_queue_depth").value() == 7

    def test_a_driver_that_is_gone_is_named_as_missing(self, panel: StreamsPanel) -> None:
        panel.set_snapshot(msgspec.structs.replace(demo_snapshot(version=13), drivers=()))
        panel.select("street")
        assert child(panel, QComboBox, "stream_driver").currentText() == "pan-zoom (missing)"


class TestAddAndRemove:
    def test_a_new_stream_is_added_with_what_the_form_says(
        self, panel: StreamsPanel, control: FakeControl, chooser: FakeChooser, qtbot: QtBot
    ) -> None:
        chooser.files = ["/media/usb/cats.mp4"]
        panel.title_actions[0].click()
        qtbot.mouseClick(child(panel, PathEdit, "source_path").browse, Qt.MouseButton.LeftButton)
        push(qtbot, panel, "apply")
        added = StreamSettings("stream 1", "ssd", "video-file", {"path": "/media/usb/cats.mp4"})
        assert control.asked == [AddStream(added)]

    def test_a_new_stream_without_its_file_is_refused_below_the_field(
        self, panel: StreamsPanel, control: FakeControl, qtbot: QtBot
    ) -> None:
        panel.title_actions[0].click()
        push(qtbot, panel, "apply")
        assert control.asked == []
        assert words(panel, "source_path_problem") == "Choose a file."

    def test_a_stream_needs_a_program(
        self, panel: StreamsPanel, control: FakeControl, qtbot: QtBot
    ) -> None:
        panel.set_snapshot(msgspec.structs.replace(demo_snapshot(version=13), project=Project()))
        panel.title_actions[0].click()
        push(qtbot, panel, "apply")
        assert control.asked == []
        assert words(panel, "stream_program_problem").startswith("Choose a program")

    def test_a_removed_stream_can_be_brought_back_and_runs_again(
        self, panel: StreamsPanel, control: FakeControl, qtbot: QtBot
    ) -> None:
        panel.select("street")
        push(qtbot, panel, "remove")
        assert control.asked == [RemoveStream("street")]
        assert words(panel, "removed") == "street was removed."
        push(qtbot, panel, "undo_remove")
        assert control.asked[1:] == [AddStream(settings("street")), StartStream("street")]
        assert child(panel, QLabel, "removed").parentWidget().isHidden()

    def test_a_refused_removal_offers_no_undo(
        self, panel: StreamsPanel, control: FakeControl, qtbot: QtBot
    ) -> None:
        control.error = MediaError("the stream does not stop")
        panel.select("street")
        push(qtbot, panel, "remove")
        assert child(panel, QLabel, "removed").parentWidget().isHidden()
        assert panel.message.text == "the stream does not stop"


def with_camera(*devices: str) -> Snapshot:
    """Return a state with a driver whose devices were found, used by the stream "street"."""
    snapshot = demo_snapshot()
    camera = DriverState(
        name="eye",
        label="Camera",
        parameters=(
            DriverParameter("device", "Device", "text"),
            DriverParameter("note", "Note", "text"),
        ),
        devices=tuple(DeviceInfo(one, f"Camera {one}") for one in devices),
    )
    streams = tuple(
        msgspec.structs.replace(one, driver="eye", source={}) if one.name == "street" else one
        for one in snapshot.project.streams
    )
    project = msgspec.structs.replace(snapshot.project, streams=streams)
    return msgspec.structs.replace(snapshot, drivers=(camera, *snapshot.drivers), project=project)


class TestDevices:
    def test_the_engine_is_asked_for_devices_when_a_form_opens(
        self, panel: StreamsPanel, control: FakeControl
    ) -> None:
        panel.set_snapshot(with_camera())
        panel.select("street")
        assert control.asked == [FindDevices("eye")]
        panel.select("faces")
        assert control.asked == [FindDevices("eye")]  # that driver has no devices to choose

    def test_devices_that_were_found_are_offered_and_others_may_be_typed(
        self, panel: StreamsPanel, control: FakeControl, qtbot: QtBot
    ) -> None:
        panel.set_snapshot(with_camera())
        panel.select("street")
        assert child(panel, QLineEdit, "source_device").text() == ""
        panel.set_snapshot(with_camera("A1", "B2"))  # the engine has found them meanwhile
        box = child(panel, QComboBox, "source_device")
        assert [box.itemText(i) for i in range(box.count())] == ["A1", "B2"]
        assert box.currentText() == ""  # none is chosen for the user
        box.setCurrentIndex(1)
        push(qtbot, panel, "apply")
        after = control.asked[-1]
        assert isinstance(after, UpdateStream)
        assert after.settings.source == {"device": "B2"}
        box.setEditText("10.0.0.7")
        push(qtbot, panel, "apply")
        after = control.asked[-1]
        assert isinstance(after, UpdateStream)
        assert after.settings.source == {"device": "10.0.0.7"}

    def test_a_device_that_is_not_there_now_stays_in_the_form(self, panel: StreamsPanel) -> None:
        snapshot = with_camera("A1")
        street = next(s for s in snapshot.project.streams if s.name == "street")
        chosen = msgspec.structs.replace(street, source={"device": "gone"})
        others = tuple(s for s in snapshot.project.streams if s.name != "street")
        project = msgspec.structs.replace(snapshot.project, streams=(chosen, *others))
        panel.set_snapshot(msgspec.structs.replace(snapshot, project=project))
        panel.select("street")
        assert child(panel, QComboBox, "source_device").currentText() == "gone"
