"""The bar at the bottom: engine, advice or problem, load, license."""

from PySide6.QtCore import Signal, Slot
from PySide6.QtGui import QResizeEvent
from PySide6.QtWidgets import QFrame, QSizePolicy, QStatusBar, QWidget

from engine.protocol import LicenseState, Snapshot, Telemetry
from ui.shell.buttons import IconButton, IconLabel
from ui.shell.layouts import StateBadge, elided, label, row
from ui.shell.theme import Theme
from ui.shell.tokens import SPACE_L, SPACE_M, SPACE_S
from ui.viewmodels.overview import load_text, memory_text
from ui.viewmodels.states import Sign, engine_sign, license_sign

__all__ = ("StatusBar",)

_HEIGHT_PX = 32


class StatusBar(QStatusBar):
    """One line that is always true: what the engine does, and what to do about it."""

    license_asked = Signal()

    def __init__(self, theme: Theme, *, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("status_bar")
        self.setSizeGripEnabled(False)
        self.setFixedHeight(_HEIGHT_PX)
        self._advice = ""
        self._problem = ""
        self._engine = StateBadge(theme)
        self._engine.setObjectName("engine_state")
        self._icon = IconLabel(theme)
        self._text = label(name="status_message")
        self._text.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Preferred)
        self._dismiss = IconButton(theme, "x", self.tr("Dismiss"))
        self._dismiss.setObjectName("dismiss_problem")
        self._dismiss.setFixedHeight(24)
        self._dismiss.clicked.connect(self.dismiss)
        self._load = label(name="cpu_load", role="muted")
        self._load.setToolTip(self.tr("Processor use of all processes, of the whole machine"))
        self._memory = label(name="memory", role="muted")
        self._memory.setToolTip(self.tr("Memory of all processes"))
        self._license = StateBadge(theme)
        self._license.setObjectName("license_state")
        holder = QFrame()
        middle = row(self._icon, self._text, self._dismiss, spacing=SPACE_S)
        middle.setStretch(1, 1)
        line = row(self._engine, middle, self._load, self._memory, self._license, spacing=SPACE_L)
        line.setStretch(1, 1)
        line.setContentsMargins(SPACE_M, 0, SPACE_M, 0)
        holder.setLayout(line)
        self.addPermanentWidget(holder, 1)
        self._show_text()

    @property
    def problem(self) -> str:
        """The sentence of the last failed command, empty when it was dismissed."""
        return self._problem

    def show_snapshot(self, snapshot: Snapshot, *, is_alive: bool) -> None:
        """Show the state of engine and license."""
        engine = snapshot.engine
        sign = engine_sign(engine.phase, is_alive=is_alive)
        if is_alive and engine.pid == 0:
            sign = Sign("refresh-cw", self.tr("Engine is starting"), "info")
        self._engine.set_state(sign.icon, sign.word, sign.tone)
        self._engine.setToolTip(engine.message or self.tr("Engine process %d") % engine.pid)
        self._show_license(snapshot.license, is_known=engine.pid != 0)
        if engine.message and is_alive:
            self.say_problem(engine.message)

    def show_telemetry(self, telemetry: Telemetry | None, cpu_count: int) -> None:
        """Show load and advice."""
        has_figures = telemetry is not None and bool(telemetry.processes)
        self._load.setVisible(has_figures)
        self._memory.setVisible(has_figures)
        self._load.setText(self.tr("CPU %s") % load_text(telemetry, cpu_count))
        self._memory.setText(memory_text(telemetry))
        advice = telemetry.advice if telemetry is not None else ""
        if advice != self._advice:
            self._advice = advice
            self._show_text()

    @Slot(str, str)
    def say_problem(self, sentence: str, details: str = "") -> None:
        """Show why something failed, until it is dismissed or something else fails."""
        self._problem = sentence
        self._text.setToolTip(f"{sentence}\n\n{details}" if details else sentence)
        self._show_text()

    @Slot()
    def dismiss(self) -> None:
        """Show the advice again."""
        self._problem = ""
        self._text.setToolTip("")
        self._show_text()

    def resizeEvent(self, event: QResizeEvent) -> None:
        """Shorten the sentence to the new width."""
        super().resizeEvent(event)
        self._show_text()

    def _show_license(self, state: LicenseState, *, is_known: bool) -> None:
        sign = license_sign(state)
        self._license.setVisible(is_known)
        self._license.set_state(sign.icon, sign.word, sign.tone)
        self._license.setToolTip(state.problem or self.tr("Licensed to %s") % state.licensee)

    def _show_text(self) -> None:
        text = self._problem or self._advice
        self._icon.set_icon(
            ("circle-x" if self._problem else "info") if text else "",
            "error" if self._problem else "info",
        )
        self._dismiss.setVisible(bool(self._problem))
        self._text.setText(elided(text, self._text, self._text.width()))
        self._text.setAccessibleName(text)
        if not self._problem:
            self._text.setToolTip(text)
