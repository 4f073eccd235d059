"""The bar at the top: menus, project, run buttons, and three figures."""

from PySide6.QtCore import QSize, Qt
from PySide6.QtGui import QAction
from PySide6.QtWidgets import QFrame, QMenuBar, QSizePolicy, QToolButton, QWidget

from engine.protocol import Snapshot, Telemetry
from ui.shell.actions import WindowActions
from ui.shell.layouts import label, row
from ui.shell.theme import set_role, set_tone
from ui.shell.tokens import ICON_PX, SPACE_L, SPACE_S, SPACE_XS
from ui.viewmodels.overview import age_text, rate_text, streams_text
from ui.viewmodels.run_control import RunViewModel

__all__ = ("Header",)

_HEIGHT_PX = 52


class Header(QFrame):
    """Says what is open, whether it runs and how fast."""

    def __init__(
        self, actions: WindowActions, menu_bar: QMenuBar, *, parent: QWidget | None = None
    ) -> None:
        super().__init__(parent)
        set_role(self, "header")
        self.setFixedHeight(_HEIGHT_PX)
        self._actions = actions
        menu_bar.setSizePolicy(QSizePolicy.Policy.Maximum, QSizePolicy.Policy.Maximum)
        self._project = label(role="title", name="project_name")
        self._run = _button(actions.run, "run", role="primary")
        self._stop = _button(actions.stop, "stop")
        self._freeze = _button(actions.freeze, "freeze")
        self._record = _button(actions.record, "record")
        self._streams = _Figure("figure_streams")
        self._rate = _Figure("figure_rate")
        self._age = _Figure("figure_age", suffix=self.tr("age p50"))
        buttons = row(self._run, self._stop, self._freeze, self._record, spacing=SPACE_S)
        figures = row(self._streams, self._rate, self._age, spacing=SPACE_L)
        layout = row(menu_bar, self._project, buttons, 1, figures, spacing=SPACE_L)
        layout.setContentsMargins(SPACE_XS, 0, SPACE_L, 0)
        self.setLayout(layout)

    def show_run(self, model: RunViewModel) -> None:
        """Show project and run buttons."""
        actions = self._actions
        self._project.setText(model.project_name + (" *" if model.is_modified else ""))
        self._project.setToolTip(model.snapshot.engine.project_path)
        _say(actions.run, self.tr("Starting\u2026") if model.is_starting else self.tr("Run"))
        actions.run.setEnabled(model.can_run)
        stopping = model.is_alive and model.is_stopping
        _say(actions.stop, self.tr("Stopping\u2026") if stopping else self.tr("Stop"))
        actions.stop.setEnabled(model.can_stop)
        set_role(self._run, "primary" if model.can_run else "")
        actions.set_icon(actions.run, "play", "window" if model.can_run else "text")
        is_recording = model.is_recording
        actions.record.setChecked(is_recording)
        _say(actions.record, self.tr("Recording") if is_recording else self.tr("Record"))
        actions.set_icon(actions.record, "circle-dot", "error" if is_recording else "text")
        actions.record.setEnabled(model.is_alive)

    def show_figures(self, snapshot: Snapshot, telemetry: Telemetry | None) -> None:
        """Show the three figures; those of a run that ended are not kept."""
        count, _, noun = streams_text(snapshot).rpartition(" ")
        self._streams.show_figure(count, noun)
        rate, _, unit = rate_text(telemetry).partition(" ")
        self._rate.show_figure(rate, unit or "fps")
        age, _, unit = age_text(telemetry).partition(" ")
        self._age.show_figure(age, f"{unit or 'ms'} age p50")


class _Figure(QWidget):
    """A large number with its unit in small print."""

    def __init__(self, name: str, *, suffix: str = "") -> None:
        super().__init__()
        self.setObjectName(name)
        self._number = label("\u2013", role="figure", name=f"{name}_number")
        self._number.setAlignment(Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignBaseline)
        self._suffix = label(suffix, role="muted")
        line = row(spacing=SPACE_XS)
        line.addWidget(self._number, alignment=Qt.AlignmentFlag.AlignBaseline)
        line.addWidget(self._suffix, alignment=Qt.AlignmentFlag.AlignBaseline)
        self.setLayout(line)

    def show_figure(self, number: str, suffix: str) -> None:
        if number != self._number.text() or suffix != self._suffix.text():
            self._number.setText(number)
            self._suffix.setText(suffix)
            set_tone(self._number, "muted" if number == "\u2013" else "")
            self.setAccessibleName(f"{number} {suffix}")


def _button(action: QAction, name: str, *, role: str = "") -> QToolButton:
    button = QToolButton()
    button.setObjectName(name)
    button.setDefaultAction(action)
    button.setToolButtonStyle(Qt.ToolButtonStyle.ToolButtonTextBesideIcon)
    button.setIconSize(QSize(ICON_PX, 16))
    button.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
    button.setSizePolicy(QSizePolicy.Policy.Minimum, QSizePolicy.Policy.Fixed)
    set_role(button, role)
    return button


def _say(action: QAction, text: str) -> None:
    """Change an action's words; a button would leave out the dots at the end."""
    action.setText(text)
    action.setIconText(text)
