"""Everything about the selected stream in figures."""

import time
from collections.abc import Callable

from PySide6.QtCore import QRectF, QSize, Qt, Slot
from PySide6.QtGui import QPainter, QPaintEvent
from PySide6.QtWidgets import (
    QFrame,
    QHBoxLayout,
    QLabel,
    QScrollArea,
    QStackedLayout,
    QVBoxLayout,
    QWidget,
)

from engine.protocol import (
    LatencyFigures,
    Snapshot,
    StreamFigures,
    StreamPhase,
    StreamState,
    Telemetry,
)
from ui.inspector.figures import (
    NO_VALUE,
    drop_rows,
    format_rows,
    rate_unit,
    stage_bars,
    thousands,
)
from ui.inspector.rows import FigureRows
from ui.inspector.stage_chart import StageChart
from ui.shell.theme import Theme, set_role, set_tone
from ui.shell.tokens import SPACE_L, SPACE_M, SPACE_S, SPACE_XS
from ui.wall.glyphs import draw_phase
from ui.wall.surface import lay_on_surface
from ui.wall.tile_state import PHASE_TONE, PHASE_WORD

__all__ = ("Inspector",)

_REFRESH_NS = 180_000_000


class Inspector(QWidget):
    """Shows rates, ages, stages, the last result, drops and origin of one stream, at 5 Hz.

    Parameters
    ----------
    theme : colors.
    clock : monotonic time in nanoseconds, for tests.
    """

    def __init__(
        self,
        theme: Theme,
        *,
        parent: QWidget | None = None,
        clock: Callable[[], int] = time.monotonic_ns,
    ) -> None:
        super().__init__(parent)
        self.setObjectName("inspector")
        lay_on_surface(self)
        self.setMinimumWidth(220)
        self._clock = clock
        self._name = ""
        self._state: StreamState | None = None
        self._snapshot: Snapshot | None = None
        self._telemetry: Telemetry | None = None
        self._shown_at_ns = -_REFRESH_NS
        self._title = _label("stream_name", "title", is_wrapped=True)
        self._sign = _PhaseSign(theme)
        self._phase = _label("phase", "")
        self._message = _label("message", "problem", is_wrapped=True)
        self._rates, self._ages, self._drops, self._origin = (
            _rows(name) for name in ("rates", "ages", "drops", "origin")
        )
        self._stages = StageChart(theme)
        self._result = _label("last_result", "", is_wrapped=True)
        self._stack = QStackedLayout(self)
        self._stack.addWidget(self._make_empty())
        self._stack.addWidget(self._make_body())

    @Slot(str)
    def show_stream(self, name: str) -> None:
        """Show this stream; an empty or unknown name shows the hint instead."""
        self._name = name
        self._refresh()

    def set_snapshot(self, snapshot: Snapshot) -> None:
        """Take the streams' states."""
        self._snapshot = snapshot
        self._refresh()

    def set_telemetry(self, telemetry: Telemetry) -> None:
        """Take the newest figures; they are shown at most five times a second."""
        self._telemetry = telemetry
        now_ns = self._clock()
        if now_ns - self._shown_at_ns >= _REFRESH_NS:
            self._shown_at_ns = now_ns
            self._show_figures()

    def sizeHint(self) -> QSize:
        """Return a comfortable size."""
        return QSize(280, 520)

    # filling

    def _refresh(self) -> None:
        streams = self._snapshot.streams if self._snapshot is not None else ()
        self._state = next((s for s in streams if s.name == self._name), None)
        self._stack.setCurrentIndex(1 if self._state is not None else 0)
        if self._state is None:
            return
        state = self._state
        _set(self._title, state.name)
        self._sign.set_phase(state.phase)
        _set(self._phase, PHASE_WORD[state.phase])
        set_tone(self._phase, PHASE_TONE[state.phase])
        _set(self._message, state.message)
        self._message.setVisible(bool(state.message))
        set_role(self._message, "problem" if state.phase is StreamPhase.FAILED else "muted")
        self._origin.set_rows(self._origin_rows(state))
        self._show_figures()

    def _show_figures(self) -> None:
        if self._state is None:
            return
        figures = self._figures()
        unit = rate_unit(self._state)
        ages = figures.latency_ms if figures is not None else LatencyFigures()
        self._rates.set_rows(
            [
                (self.tr("Arriving"), _figure(figures.rate_in_hz if figures else None), unit),
                (self.tr("Results"), _figure(figures.rate_out_hz if figures else None), unit),
                (self.tr("In flight"), str(figures.in_flight) if figures else NO_VALUE, ""),
                (self.tr("Results so far"), thousands(figures.frames_out) if figures else "-", ""),
            ]
        )
        self._ages.set_rows(
            [
                (self.tr("50 % within (p50)"), _figure(ages.p50 or None), "ms"),
                (self.tr("95 % within (p95)"), _figure(ages.p95 or None), "ms"),
                (self.tr("99 % within (p99)"), _figure(ages.p99 or None), "ms"),
            ]
        )
        self._stages.set_bars(stage_bars(figures))
        _set(self._result, (figures.summary if figures else "") or self.tr("nothing yet"))
        set_role(self._result, "" if figures and figures.summary else "muted")
        dropped = [(reason, count, "") for reason, count in drop_rows(figures)]
        self._drops.set_rows(dropped or [(self.tr("None"), " ", "")])

    def _figures(self) -> StreamFigures | None:
        streams = self._telemetry.streams if self._telemetry is not None else ()
        return next((figures for figures in streams if figures.name == self._name), None)

    def _origin_rows(self, state: StreamState) -> list[tuple[str, str, str]]:
        project = self._snapshot.project if self._snapshot is not None else None
        settings = next(
            (s for s in (project.streams if project else ()) if s.name == state.name), None
        )
        return [
            (self.tr("Driver"), settings.driver if settings else NO_VALUE, ""),
            (self.tr("Program"), settings.program if settings else NO_VALUE, ""),
            *((self.tr(name), value, "") for name, value in format_rows(state.frame_format)),
            (self.tr("Driver process"), str(state.driver_pid or NO_VALUE), ""),
            (self.tr("Restarts"), str(state.restarts), ""),
        ]

    # building

    def _make_empty(self) -> QWidget:
        empty = QLabel(self.tr("Click a tile or a stream to see its figures here."))
        empty.setObjectName("inspector_hint")
        empty.setWordWrap(True)
        empty.setAlignment(Qt.AlignmentFlag.AlignCenter)
        empty.setContentsMargins(SPACE_L, SPACE_L, SPACE_L, SPACE_L)
        set_role(empty, "muted")
        return empty

    def _make_body(self) -> QWidget:
        body = QWidget()
        body.setObjectName("scroll_body")
        column = QVBoxLayout(body)
        column.setContentsMargins(SPACE_M, SPACE_M, SPACE_M, SPACE_M)
        column.setSpacing(SPACE_S)
        head = QHBoxLayout()
        head.setSpacing(SPACE_S)
        head.addWidget(self._title, 1)
        head.addWidget(self._sign)
        head.addWidget(self._phase)
        column.addLayout(head)
        column.addWidget(self._message)
        for title, unit, content in (
            (self.tr("Rates"), "", self._rates),
            (self.tr("Age of results"), self.tr("capture to result"), self._ages),
            (self.tr("Where the time goes"), self.tr("mean, ms"), self._stages),
            (self.tr("Last result"), "", self._result),
            (self.tr("Dropped frames"), "", self._drops),
            (self.tr("Origin"), "", self._origin),
        ):
            column.addWidget(_hairline())
            column.addLayout(_section(title, unit))
            column.addWidget(content)
        column.addStretch()
        scroll = QScrollArea()
        scroll.setObjectName("inspector_scroll")
        scroll.setWidgetResizable(True)
        scroll.setFrameShape(QFrame.Shape.NoFrame)
        scroll.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        scroll.setWidget(body)
        for part in (body, scroll.viewport()):
            part.setAutoFillBackground(False)
        return scroll


class _PhaseSign(QWidget):
    """The sign of a phase, the same as on the tile."""

    def __init__(self, theme: Theme) -> None:
        super().__init__()
        self.setFixedSize(12, 12)
        self._theme = theme
        self._phase = StreamPhase.STOPPED
        theme.changed.connect(self._on_theme_changed)

    def set_phase(self, phase: StreamPhase) -> None:
        """Show this phase."""
        if phase is not self._phase:
            self._phase = phase
            self.update()

    def paintEvent(self, _event: QPaintEvent) -> None:
        """Draw the sign."""
        with QPainter(self) as painter:
            color = self._theme.color(PHASE_TONE[self._phase])
            draw_phase(painter, self._phase, QRectF(1, 1, 10, 10), color)

    @Slot()
    def _on_theme_changed(self) -> None:
        self.update()


def _figure(value: float | None) -> str:
    return NO_VALUE if value is None else f"{value:.1f}"


def _label(name: str, role: str, *, is_wrapped: bool = False) -> QLabel:
    label = QLabel()
    label.setObjectName(name)
    label.setWordWrap(is_wrapped)
    label.setMinimumWidth(1)
    label.setTextFormat(Qt.TextFormat.PlainText)
    if role:
        set_role(label, role)
    return label


def _rows(name: str) -> FigureRows:
    rows = FigureRows()
    rows.setObjectName(name)
    return rows


def _set(label: QLabel, text: str) -> None:
    if label.text() != text:
        label.setText(text)


def _section(title: str, unit: str) -> QHBoxLayout:
    line = QHBoxLayout()
    line.setContentsMargins(0, SPACE_XS, 0, 0)
    name, detail = QLabel(title), QLabel(unit)
    set_role(name, "heading")
    set_role(detail, "caption")
    line.addWidget(name)
    line.addStretch()
    line.addWidget(detail)
    return line


def _hairline() -> QFrame:
    line = QFrame()
    line.setFixedHeight(1)
    set_role(line, "hairline")
    return line
