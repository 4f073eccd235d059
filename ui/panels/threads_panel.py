"""Threads: how many device lanes execute programs."""

from PySide6.QtCore import Slot
from PySide6.QtWidgets import QLabel, QProgressBar, QWidget

from engine.protocol import Snapshot, Telemetry
from ui.panels.panel import Panel
from ui.panels.value_editors import CalmSpinBox
from ui.shell.layouts import Field, column, label, row
from ui.shell.theme import Theme
from ui.shell.tokens import SPACE_L, SPACE_XS
from ui.viewmodels.threads import ThreadsViewModel

__all__ = ("ThreadsPanel",)


class ThreadsPanel(Panel):
    """Lets the user choose the number of lanes and see how busy they are."""

    def __init__(
        self, theme: Theme, view_model: ThreadsViewModel, *, parent: QWidget | None = None
    ) -> None:
        super().__init__(theme, parent=parent)
        self._view_model = view_model
        self._lanes = CalmSpinBox()
        self._lanes.setRange(0, 256)
        self._lanes.setSpecialValueText(self.tr("One per core"))
        self._field = Field(
            self.tr("Lanes"),
            self._lanes,
            help_text=self.tr("Threads that execute programs, shared by all streams"),
        )
        self._field.set_name("lanes")
        self._lanes.valueChanged.connect(self._on_lanes)
        self._in_use = self._figure("lanes_in_use")
        self._cores = self._figure("cores")
        self._busy = self._figure("lanes_busy")
        self._bar = QProgressBar()
        self._bar.setRange(0, 100)
        self._bar.setTextVisible(False)
        self._bar.setAccessibleName(self.tr("Lanes busy"))
        self._verdict = label(role="muted", wrap=True, name="verdict")
        figures = row(
            column(self._in_use, label(self.tr("lanes in use"), role="caption"), spacing=0),
            column(self._cores, label(self.tr("processor cores"), role="caption"), spacing=0),
            column(self._busy, label(self.tr("busy"), role="caption"), spacing=0),
            spacing=SPACE_L,
        )
        for index in range(3):
            figures.setStretch(index, 1)
        intro = label(
            self.tr(
                "A lane executes one program at a time. All streams share the lanes in turn. "
                "Changes take effect at once, without a restart."
            ),
            role="muted",
            wrap=True,
        )
        self.body.addWidget(intro)
        self.body.addWidget(self._field)
        self.body.addSpacing(SPACE_XS)
        self.body.addLayout(figures)
        self.body.addWidget(self._bar)
        self.body.addWidget(self._verdict)
        self.body.addStretch(1)
        view_model.changed = self._refresh
        self._refresh()

    def set_snapshot(self, snapshot: Snapshot) -> None:
        """Take over the newest state."""
        self._view_model.set_snapshot(snapshot)

    def set_telemetry(self, telemetry: Telemetry) -> None:
        """Show how busy the lanes are."""
        self._view_model.set_telemetry(telemetry)

    def _figure(self, name: str) -> QLabel:
        return label(role="figure", name=name)

    def _refresh(self) -> None:
        model = self._view_model
        self._field.set_problem(model.problem)
        if not model.problem and self._lanes.value() != model.lanes:
            before = self._lanes.blockSignals(True)
            self._lanes.setValue(model.lanes)
            self._lanes.blockSignals(before)
        self._in_use.setText(str(model.lanes_in_use))
        self._cores.setText(str(model.cpu_count))
        self._busy.setText(model.busy_text)
        self._bar.setValue(round((model.busy or 0.0) * 100))
        self._verdict.setText(model.verdict)
        self.say(model.message)

    @Slot(int)
    def _on_lanes(self, lanes: int) -> None:
        self._view_model.set_lanes(lanes)
