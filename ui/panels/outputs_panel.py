"""Outputs: recording results to files."""

from PySide6.QtCore import Slot
from PySide6.QtWidgets import QWidget

from engine.protocol import Snapshot
from ui.panels.panel import MessageLine, Panel
from ui.panels.value_editors import PathEdit
from ui.shell.buttons import ToggleSwitch
from ui.shell.file_chooser import FileChooser
from ui.shell.layouts import Field, column, label, row
from ui.shell.theme import Theme
from ui.shell.tokens import SPACE_L
from ui.viewmodels.outputs import OutputsViewModel

__all__ = ("OutputsPanel",)


class OutputsPanel(Panel):
    """Lets the user record results and see how that goes."""

    def __init__(
        self,
        theme: Theme,
        view_model: OutputsViewModel,
        chooser: FileChooser,
        *,
        parent: QWidget | None = None,
    ) -> None:
        super().__init__(theme, parent=parent)
        self._view_model = view_model
        self._toggle = ToggleSwitch(theme, self.tr("Record results"))
        self._toggle.setObjectName("recording")
        self._toggle.clicked.connect(self._on_toggle)
        self._word = label(role="muted", name="recording_word")
        self._path = PathEdit(theme, chooser, self.tr("Folder for recordings"), is_folder=True)
        self._path.finished.connect(self._on_directory)
        self._field = Field(
            self.tr("Folder"),
            self._path,
            help_text=self.tr("One JSON Lines file per stream and run is written here"),
        )
        self._field.set_name("directory")
        self._records = label(role="figure", name="records")
        self._size = label(role="figure", name="size")
        figures = row(
            column(self._records, label(self.tr("records"), role="caption"), spacing=0),
            column(self._size, label(self.tr("written"), role="caption"), spacing=0),
            spacing=SPACE_L,
        )
        figures.setStretch(0, 1)
        figures.setStretch(1, 1)
        self._problem = MessageLine(theme)
        self._problem.setObjectName("recorder_problem")
        head = row(label(self.tr("Record results"), role="heading"), 1, self._word, self._toggle)
        intro = label(
            self.tr("Writes what was found in every frame, with times, one JSON line per frame."),
            role="muted",
            wrap=True,
        )
        self.body.addLayout(head)
        self.body.addWidget(intro)
        self.body.addWidget(self._field)
        self.body.addLayout(figures)
        self.body.addWidget(self._problem)
        self.body.addStretch(1)
        view_model.changed = self._refresh
        self._refresh()

    def set_snapshot(self, snapshot: Snapshot) -> None:
        """Take over the newest state."""
        self._view_model.set_snapshot(snapshot)

    def _refresh(self) -> None:
        model = self._view_model
        self._toggle.set_on(model.is_on)
        self._word.setText(self.tr("on") if model.is_on else self.tr("off"))
        self._field.set_problem(model.problem)
        if not model.problem and not self._path.line.hasFocus():
            self._path.set_value(model.directory)
        self._records.setText(f"{model.recorder.records:,}".replace(",", "\u202f"))
        self._size.setText(model.size_text)
        self._problem.say(model.recorder.problem)
        self.say(model.message)

    @Slot(bool)
    def _on_toggle(self, is_on: bool) -> None:
        self._view_model.set_recording(is_on)

    @Slot()
    def _on_directory(self) -> None:
        self._view_model.set_directory(self._path.value())
