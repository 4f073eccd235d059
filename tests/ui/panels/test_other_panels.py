"""Programs, drivers, plugins, threads, outputs, license: what they show, ask and refuse."""

import msgspec
from PySide6.QtCore import QMimeData, QPointF, Qt, QUrl
from PySide6.QtGui import QDropEvent
from PySide6.QtWidgets import QFrame, QLabel, QPushButton, QSpinBox, QWidget
from pytestqt.qtbot import QtBot

from engine.config import EngineSettings, Project
from engine.errors import DriverDirectoryMissingError, LicenseSignatureError, ProgramMalformedError
from engine.protocol import (
    AddDriverFolder,
    Answer,
    LicenseState,
    LoadLicense,
    LoadProgram,
    PluginAvailability,
    ProbePlugins,
    RecorderState,
    RemoveDriverFolder,
    SetLanes,
    SetPluginEnabled,
    SetRecording,
    Snapshot,
    UnloadProgram,
)
from tests.ui.fakes import FakeChooser, FakeControl, demo_snapshot, demo_telemetry
from tests.ui.panels.finding import child, press, push, words
from ui.panels.drivers_panel import DriversPanel
from ui.panels.license_panel import LicensePanel
from ui.panels.list_row import ListRow
from ui.panels.outputs_panel import OutputsPanel
from ui.panels.panel import MessageLine
from ui.panels.plugins_panel import PluginsPanel
from ui.panels.programs_panel import ProgramsPanel
from ui.panels.threads_panel import ThreadsPanel
from ui.panels.value_editors import PathEdit
from ui.shell.buttons import IconButton, ToggleSwitch
from ui.shell.theme import Theme
from ui.viewmodels.drivers import DriversViewModel
from ui.viewmodels.license import LicenseViewModel
from ui.viewmodels.outputs import OutputsViewModel
from ui.viewmodels.plugins import PluginsViewModel
from ui.viewmodels.programs import ProgramsViewModel
from ui.viewmodels.threads import ThreadsViewModel


def texts(parent: QWidget) -> str:
    return "\n".join(
        label.text().replace("\u200b", "")
        for label in parent.findChildren(QLabel)
        if not label.isHidden()
    )


class TestPrograms:
    def make(
        self, qtbot: QtBot, theme: Theme, control: FakeControl, chooser: FakeChooser
    ) -> ProgramsPanel:
        panel = ProgramsPanel(theme, ProgramsViewModel(control), chooser)
        qtbot.addWidget(panel)
        panel.set_snapshot(demo_snapshot())
        return panel

    def test_the_details_say_everything_about_the_program(
        self, qtbot: QtBot, theme: Theme, control: FakeControl, chooser: FakeChooser
    ) -> None:
        panel = self.make(qtbot, theme, control, chooser)
        qtbot.keyClick(child(panel, ListRow, "row_squeezenet"), Qt.Key.Key_Return)
        said = texts(panel)
        for part in (
            "1 \u00d7 3 \u00d7 224 \u00d7 224 float32",
            "detection_boxes:0",
            "penstock 0.1.0, onnx 1.20.0",
            "9f2c51a0 9f2c51a0",
            "5.0 MB",
            "tench, goldfish, cockatoo (3)",
            "parrot",
        ):
            assert part in said

    def test_opening_loads_every_chosen_file(
        self, qtbot: QtBot, theme: Theme, control: FakeControl, chooser: FakeChooser
    ) -> None:
        panel = self.make(qtbot, theme, control, chooser)
        chooser.files = ["/data/a.dfp", "/data/b.DFP"]
        panel.title_actions[0].click()
        assert control.asked == [LoadProgram("/data/a.dfp"), LoadProgram("/data/b.DFP")]

    def test_the_loaded_program_is_shown(
        self, qtbot: QtBot, theme: Theme, control: FakeControl, chooser: FakeChooser
    ) -> None:
        panel = self.make(qtbot, theme, control, chooser)
        control.answer = Answer(program=demo_snapshot().programs[2])
        chooser.files = ["/data/yunet.dfp"]
        panel.title_actions[0].click()
        assert words(panel, "program_title") == "yunet"

    def test_a_dropped_model_is_refused_with_the_way_to_compile_it(
        self, qtbot: QtBot, theme: Theme, control: FakeControl, chooser: FakeChooser
    ) -> None:
        panel = self.make(qtbot, theme, control, chooser)
        data = QMimeData()
        data.setUrls([QUrl.fromLocalFile("/data/m.onnx"), QUrl.fromLocalFile("/data/ok.dfp")])
        panel.dropEvent(
            QDropEvent(
                QPointF(1, 1),
                Qt.DropAction.CopyAction,
                data,
                Qt.MouseButton.LeftButton,
                Qt.KeyboardModifier.NoModifier,
            )
        )
        assert control.asked == [LoadProgram("/data/ok.dfp")]
        assert panel.message.text == "m.onnx is a model; compile it first: penstock compile m.onnx"

    def test_a_damaged_program_is_told_as_a_sentence(
        self, qtbot: QtBot, theme: Theme, control: FakeControl, chooser: FakeChooser
    ) -> None:
        panel = self.make(qtbot, theme, control, chooser)
        control.error = ProgramMalformedError("a.dfp is cut off; copy it again")
        chooser.files = ["/data/a.dfp"]
        panel.title_actions[0].click()
        assert panel.message.text == "a.dfp is cut off; copy it again"

    def test_a_program_in_use_is_not_unloaded(
        self, qtbot: QtBot, theme: Theme, control: FakeControl, chooser: FakeChooser
    ) -> None:
        panel = self.make(qtbot, theme, control, chooser)
        push(qtbot, panel, "unload")
        assert control.asked == []
        assert panel.message.text.startswith("street uses 'ssd'")

    def test_a_program_nobody_uses_is_unloaded(
        self, qtbot: QtBot, theme: Theme, control: FakeControl, chooser: FakeChooser
    ) -> None:
        panel = self.make(qtbot, theme, control, chooser)
        project = msgspec.structs.replace(demo_snapshot().project, streams=())
        panel.set_snapshot(msgspec.structs.replace(demo_snapshot(), project=project))
        push(qtbot, panel, "unload")
        assert control.asked == [UnloadProgram("ssd")]

    def test_without_a_program_the_one_button_opens_one(
        self, qtbot: QtBot, theme: Theme, control: FakeControl, chooser: FakeChooser
    ) -> None:
        panel = self.make(qtbot, theme, control, chooser)
        panel.set_snapshot(Snapshot(version=20))
        chooser.files = ["/data/a.dfp"]
        push(qtbot, panel, "empty_button")
        assert control.asked == [LoadProgram("/data/a.dfp")]


class TestDrivers:
    def make(
        self, qtbot: QtBot, theme: Theme, control: FakeControl, chooser: FakeChooser
    ) -> DriversPanel:
        panel = DriversPanel(theme, DriversViewModel(control), chooser)
        qtbot.addWidget(panel)
        panel.set_snapshot(demo_snapshot())
        return panel

    def test_a_driver_opens_to_its_description_and_parameters(
        self, qtbot: QtBot, theme: Theme, control: FakeControl, chooser: FakeChooser
    ) -> None:
        panel = self.make(qtbot, theme, control, chooser)
        qtbot.mouseClick(child(panel, ListRow, "row_pan-zoom"), Qt.MouseButton.LeftButton)
        said = texts(panel)
        assert "knows exactly where every object is" in said
        assert "number, 1 to 240 fps, default 30" in said
        assert "street, faces" in said

    def test_a_driver_that_cannot_be_used_says_why(
        self, qtbot: QtBot, theme: Theme, control: FakeControl, chooser: FakeChooser
    ) -> None:
        panel = self.make(qtbot, theme, control, chooser)
        bad = child(panel, ListRow, "row_usb-camera")
        assert words(bad, "word") == "not usable"
        assert "which is not in the folder" in words(bad, "detail")

    def test_devices_name_the_plugins_that_can_use_them(
        self, qtbot: QtBot, theme: Theme, control: FakeControl, chooser: FakeChooser
    ) -> None:
        panel = self.make(qtbot, theme, control, chooser)
        device = child(panel, ListRow, "row_AMD EPYC 9B14")
        assert "ONNX Runtime, processor" in words(device, "detail")

    def test_a_folder_is_added_and_removed(
        self, qtbot: QtBot, theme: Theme, control: FakeControl, chooser: FakeChooser
    ) -> None:
        panel = self.make(qtbot, theme, control, chooser)
        chooser.folder = "/opt/more"
        push(qtbot, panel, "add_folder")
        press(qtbot, panel, IconButton, "remove_folder")
        assert control.asked == [
            AddDriverFolder("/opt/more"),
            RemoveDriverFolder("/opt/line3/drivers"),
        ]

    def test_a_folder_that_is_looked_in_already_is_refused(
        self, qtbot: QtBot, theme: Theme, control: FakeControl, chooser: FakeChooser
    ) -> None:
        panel = self.make(qtbot, theme, control, chooser)
        chooser.folder = "/opt/line3/drivers"
        push(qtbot, panel, "add_folder")
        assert control.asked == []
        assert panel.message.text == "This folder is looked in already."

    def test_a_missing_folder_is_told_as_a_sentence(
        self, qtbot: QtBot, theme: Theme, control: FakeControl, chooser: FakeChooser
    ) -> None:
        panel = self.make(qtbot, theme, control, chooser)
        control.error = DriverDirectoryMissingError("the driver folder /opt/more is not there")
        chooser.folder = "/opt/more"
        push(qtbot, panel, "add_folder")
        assert panel.message.text == "the driver folder /opt/more is not there"


class TestPlugins:
    def make(self, qtbot: QtBot, theme: Theme, control: FakeControl) -> PluginsPanel:
        panel = PluginsPanel(theme, PluginsViewModel(control))
        qtbot.addWidget(panel)
        panel.set_snapshot(demo_snapshot())
        return panel

    def test_a_plugin_says_whether_it_works_and_why_not(
        self, qtbot: QtBot, theme: Theme, control: FakeControl
    ) -> None:
        panel = self.make(qtbot, theme, control)
        said = texts(child(panel, QFrame, "plugin_openvino"))
        assert "not available" in said
        assert "illegal instruction" in said
        assert "float32" in texts(child(panel, QFrame, "plugin_onnxruntime-cpu"))

    def test_each_device_has_a_line_with_kind_name_and_memory_where_known(
        self, qtbot: QtBot, theme: Theme, control: FakeControl
    ) -> None:
        panel = self.make(qtbot, theme, control)
        assert words(child(panel, QFrame, "plugin_onnxruntime-cpu"), "devices") == (
            "Processor \u00b7 AMD EPYC 9B14 \u00b7 63.0 GiB"
        )
        assert words(child(panel, QFrame, "plugin_simulator"), "devices").splitlines() == [
            "simulated: 6 stages, 400 frames/s",
            "simulated: 2 stages, 100 frames/s",
        ]

    def test_devices_of_an_engine_of_an_earlier_version_are_names(
        self, qtbot: QtBot, theme: Theme, control: FakeControl
    ) -> None:
        panel = self.make(qtbot, theme, control)
        # The reference evaluator's state holds names alone, as such an engine tells them.
        assert words(child(panel, QFrame, "plugin_onnx-reference"), "devices") == "AMD EPYC 9B14"

    def test_the_switch_forbids_a_plugin(
        self, qtbot: QtBot, theme: Theme, control: FakeControl
    ) -> None:
        panel = self.make(qtbot, theme, control)
        row = child(panel, QFrame, "plugin_onnxruntime-cpu")
        press(qtbot, row, ToggleSwitch, "enabled")
        assert control.asked == [SetPluginEnabled("onnxruntime-cpu", False)]
        assert not child(row, ToggleSwitch, "enabled").isChecked()

    def test_a_warning_says_when_no_plugin_is_left(
        self, qtbot: QtBot, theme: Theme, control: FakeControl
    ) -> None:
        panel = self.make(qtbot, theme, control)
        press(qtbot, child(panel, QFrame, "plugin_onnxruntime-cpu"), ToggleSwitch, "enabled")
        assert child(panel, MessageLine, "warning").text.startswith("No plugin is usable")

    def test_probe_again_asks_once_until_the_answers_are_there(
        self, qtbot: QtBot, theme: Theme, control: FakeControl
    ) -> None:
        panel = self.make(qtbot, theme, control)
        panel.title_actions[0].click()
        assert control.asked == [ProbePlugins()]
        assert not panel.title_actions[0].isEnabled()
        probing = tuple(
            msgspec.structs.replace(p, availability=PluginAvailability.PROBING)
            for p in demo_snapshot().plugins
        )
        panel.set_snapshot(msgspec.structs.replace(demo_snapshot(), plugins=probing))
        assert not panel.title_actions[0].isEnabled()
        panel.set_snapshot(demo_snapshot(version=14))
        assert panel.title_actions[0].isEnabled()


class TestThreads:
    def make(self, qtbot: QtBot, theme: Theme, control: FakeControl) -> ThreadsPanel:
        panel = ThreadsPanel(theme, ThreadsViewModel(control))
        qtbot.addWidget(panel)
        panel.set_snapshot(demo_snapshot())
        return panel

    def test_zero_lanes_read_as_one_per_core(
        self, qtbot: QtBot, theme: Theme, control: FakeControl
    ) -> None:
        panel = self.make(qtbot, theme, control)
        assert child(panel, QSpinBox, "lanes").text() == "One per core"
        assert words(panel, "cores") == "8"

    def test_a_number_of_lanes_takes_effect_at_once(
        self, qtbot: QtBot, theme: Theme, control: FakeControl
    ) -> None:
        control.is_mute = True
        panel = self.make(qtbot, theme, control)
        child(panel, QSpinBox, "lanes").setValue(4)
        assert control.asked == [SetLanes(4)]
        panel.set_telemetry(demo_telemetry())
        assert child(panel, QSpinBox, "lanes").value() == 4

    def test_more_than_two_lanes_per_core_are_refused_with_a_reason(
        self, qtbot: QtBot, theme: Theme, control: FakeControl
    ) -> None:
        panel = self.make(qtbot, theme, control)
        child(panel, QSpinBox, "lanes").setValue(17)
        assert control.asked == []
        assert words(panel, "lanes_problem") == "Choose 1 to 16 lanes, or 0 for one per core."

    def test_the_busy_figure_is_shown_with_what_it_means(
        self, qtbot: QtBot, theme: Theme, control: FakeControl
    ) -> None:
        panel = self.make(qtbot, theme, control)
        panel.set_telemetry(demo_telemetry())
        assert words(panel, "lanes_busy") == "62 %"
        assert words(panel, "verdict") == "The lanes keep up."


class TestOutputs:
    def make(
        self, qtbot: QtBot, theme: Theme, control: FakeControl, chooser: FakeChooser
    ) -> OutputsPanel:
        panel = OutputsPanel(theme, OutputsViewModel(control), chooser)
        qtbot.addWidget(panel)
        panel.set_snapshot(demo_snapshot())
        return panel

    def test_the_switch_begins_recording_and_says_so_at_once(
        self, qtbot: QtBot, theme: Theme, control: FakeControl, chooser: FakeChooser
    ) -> None:
        control.is_mute = True
        panel = self.make(qtbot, theme, control, chooser)
        press(qtbot, panel, ToggleSwitch, "recording")
        assert control.asked == [SetRecording(True)]
        assert words(panel, "recording_word") == "on"

    def test_another_folder_is_used_without_starting_to_record(
        self, qtbot: QtBot, theme: Theme, control: FakeControl, chooser: FakeChooser
    ) -> None:
        panel = self.make(qtbot, theme, control, chooser)
        chooser.folder = "/mnt/ssd"
        qtbot.mouseClick(child(panel, PathEdit, "directory").browse, Qt.MouseButton.LeftButton)
        assert control.asked == [SetRecording(False, "/mnt/ssd")]

    def test_an_empty_folder_is_refused_below_the_field(
        self, qtbot: QtBot, theme: Theme, control: FakeControl, chooser: FakeChooser
    ) -> None:
        panel = self.make(qtbot, theme, control, chooser)
        line = child(panel, PathEdit, "directory").line
        line.clear()
        qtbot.keyClick(line, Qt.Key.Key_Return)
        assert control.asked == []
        assert words(panel, "directory_problem") == "Choose a folder for the recordings."

    def test_figures_and_the_problem_of_a_full_disk_are_shown(
        self, qtbot: QtBot, theme: Theme, control: FakeControl, chooser: FakeChooser
    ) -> None:
        panel = self.make(qtbot, theme, control, chooser)
        state = RecorderState(
            True, "/mnt/ssd", "The disk is full; recording stopped, the run goes on.", 12_345, 9_000
        )
        panel.set_snapshot(msgspec.structs.replace(demo_snapshot(), recorder=state))
        assert words(panel, "records") == "12\u202f345"
        assert words(panel, "size") == "9.0 kB"
        assert child(panel, MessageLine, "recorder_problem").text.startswith("The disk is full")


class TestLicense:
    def make(
        self, qtbot: QtBot, theme: Theme, control: FakeControl, chooser: FakeChooser
    ) -> LicensePanel:
        panel = LicensePanel(theme, LicenseViewModel(control), chooser)
        qtbot.addWidget(panel)
        panel.set_snapshot(demo_snapshot())
        return panel

    def test_the_license_is_shown_with_its_limits(
        self, qtbot: QtBot, theme: Theme, control: FakeControl, chooser: FakeChooser
    ) -> None:
        said = texts(self.make(qtbot, theme, control, chooser))
        for part in ("Penstock community", "2031-12-31", "lanes 64, streams 16", "bundled"):
            assert part in said

    def test_a_license_file_is_loaded(
        self, qtbot: QtBot, theme: Theme, control: FakeControl, chooser: FakeChooser
    ) -> None:
        panel = self.make(qtbot, theme, control, chooser)
        chooser.files = ["/home/ada/my.lic"]
        push(qtbot, panel, "load_license")
        assert control.asked == [LoadLicense("/home/ada/my.lic")]

    def test_a_changed_license_is_told_as_a_sentence(
        self, qtbot: QtBot, theme: Theme, control: FakeControl, chooser: FakeChooser
    ) -> None:
        panel = self.make(qtbot, theme, control, chooser)
        control.error = LicenseSignatureError("my.lic was changed after it was signed")
        chooser.files = ["/home/ada/my.lic"]
        push(qtbot, panel, "load_license")
        assert panel.message.text == "my.lic was changed after it was signed"

    def test_the_bundled_license_is_offered_only_when_another_is_in_use(
        self, qtbot: QtBot, theme: Theme, control: FakeControl, chooser: FakeChooser
    ) -> None:
        panel = self.make(qtbot, theme, control, chooser)
        assert not child(panel, QPushButton, "use_bundled").isEnabled()
        project = Project(engine=EngineSettings(license="/home/ada/my.lic"))
        panel.set_snapshot(
            msgspec.structs.replace(
                demo_snapshot(),
                project=project,
                license=LicenseState(problem="The license ended on 2026-01-31."),
            )
        )
        assert child(panel, MessageLine, "license_problem").text.startswith("The license ended")
        push(qtbot, panel, "use_bundled")
        assert control.asked == [LoadLicense()]
