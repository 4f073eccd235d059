"""One plot with its title, its lines and the labels at their ends. Built when first seen."""

from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from math import isfinite
from typing import TYPE_CHECKING

import numpy as np
from PySide6.QtCore import QEvent, QObject, Qt, QTimer, Signal, Slot
from PySide6.QtGui import QShowEvent
from PySide6.QtWidgets import QHBoxLayout, QLabel, QVBoxLayout, QWidget

from ui.plots.end_labels import EndLabel, EndLabels
from ui.plots.history import History
from ui.plots.scale import Scale, value_ticks
from ui.shell.theme import Theme, set_role
from ui.shell.tokens import SPACE_S, SPACE_XS, mix
from ui.wall.lettering import Lettering
from ui.wall.surface import lay_on_surface

if TYPE_CHECKING:
    from ui.plots._pg import LinePlot

__all__ = ("SPAN_S", "Chart", "Line", "Mark", "TimeCursor")

SPAN_S = 60.0
"""All plots show this many seconds up to now."""

NEAR_S = 0.6


@dataclass(frozen=True)
class Line:
    """A line of a plot.

    Attributes
    ----------
    key : series in the history.
    label : name at the line's end; empty for a line without label.
    color : index of the series color.
    faintness : 0 (full color) to 1 (invisible).
    """

    key: Hashable
    label: str
    color: int
    faintness: float = 0.0


@dataclass(frozen=True)
class Mark:
    """An event on the time axis: when (seconds on the history's clock) and what."""

    at_s: float
    text: str


class TimeCursor(QObject):
    """The time under the mouse, common to all plots: seconds before now as a negative number."""

    changed = Signal()

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self.at_s: float | None = None

    def move(self, at_s: float | None) -> None:
        """Set the time, or None when the mouse is elsewhere."""
        if at_s != self.at_s:
            self.at_s = at_s
            self.changed.emit()


class Chart(QWidget):
    """Shows lines of the history. The plotting library is loaded after the first paint.

    Parameters
    ----------
    title : what is drawn, in bold.
    unit : unit and remarks, muted, behind the title.
    form : how a value is written at the end of its line, for example "{:.1f}".
    least_top : the value axis never ends lower.
    is_fixed : the value axis always ends at `least_top`.
    """

    def __init__(
        self,
        theme: Theme,
        cursor: TimeCursor,
        title: str,
        unit: str,
        *,
        form: str = "{:.1f}",
        least_top: float = 1.0,
        is_fixed: bool = False,
        parent: QWidget | None = None,
    ) -> None:
        super().__init__(parent)
        self._theme = theme
        self._cursor = cursor
        self._form = form
        self._is_fixed = is_fixed
        self._scale = Scale(least_top)
        self._plot: LinePlot | None = None
        self._drawn: tuple[History, Sequence[Line], float, Sequence[Mark]] | None = None
        self.setAccessibleName(title)
        lay_on_surface(self)
        self._heading = _heading(title, unit, self)
        self._time = QLabel("")
        self._time.setObjectName("cursor_time")
        set_role(self._time, "caption")
        self._waiting = QLabel(self.tr("No figures yet. Run the project to see them here."))
        self._waiting.setObjectName("placeholder")
        self._waiting.setWordWrap(True)
        self._waiting.setMinimumWidth(1)
        self._waiting.setAlignment(Qt.AlignmentFlag.AlignCenter)
        set_role(self._waiting, "muted")
        self._labels = EndLabels(theme, parent=self)
        self._labels.setAccessibleName(title)
        self._labels.hide()
        self._body = QHBoxLayout()
        self._body.setSpacing(0)
        self._body.addWidget(self._waiting, 1)
        self._body.addWidget(self._labels)
        top = QHBoxLayout()
        top.setContentsMargins(SPACE_S, SPACE_XS, SPACE_S, 0)
        top.addWidget(self._heading, 1)
        top.addWidget(self._time)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(0)
        layout.addLayout(top)
        layout.addLayout(self._body, 1)
        cursor.changed.connect(self._on_cursor_changed)
        theme.changed.connect(self._on_theme_changed)

    @property
    def is_built(self) -> bool:
        """Whether the plot itself exists yet."""
        return self._plot is not None

    @property
    def labels(self) -> tuple[EndLabel, ...]:
        """What stands at the ends of the lines."""
        return self._labels.labels

    @property
    def top(self) -> float:
        """Upper end of the value axis."""
        return self._scale.top

    def show_lines(
        self, history: History, lines: Sequence[Line], now_s: float, marks: Sequence[Mark] = ()
    ) -> None:
        """Draw the lines up to `now_s`, with event marks at the given times.

        Parameters
        ----------
        now_s : seconds on the history's clock, as are the times of the marks.
        """
        self._drawn = (history, tuple(lines), now_s, tuple(marks))
        if self._plot is None:
            return
        has_data = any(np.isfinite(history.values(line.key)).any() for line in lines)
        self._plot.widget.setVisible(has_data)
        self._labels.setVisible(has_data)
        self._waiting.setVisible(not has_data)
        if has_data:
            self._draw(self._plot)

    # Qt

    def showEvent(self, event: QShowEvent) -> None:
        """Load the plotting library as soon as the window has been painted."""
        super().showEvent(event)
        if self._plot is None:
            QTimer.singleShot(0, self, self.build)

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        """Take the cursor away when the mouse leaves the plot."""
        if event.type() is QEvent.Type.Leave:
            self._cursor.move(None)
        return super().eventFilter(watched, event)

    @Slot()
    def build(self) -> None:
        """Make the plot; called by itself after the first paint."""
        if self._plot is not None:
            return
        from ui.plots._pg import LinePlot  # noqa: PLC0415  (costs 0.3 s, so not before the window)

        self._plot = LinePlot(SPAN_S, Lettering.caption().font, self._cursor.move, self)
        self._plot.widget.setAccessibleName(self.accessibleName())
        self._plot.widget.installEventFilter(self)
        self._plot.widget.hide()
        self._body.insertWidget(0, self._plot.widget, 1)
        self._on_theme_changed()

    @Slot()
    def _on_cursor_changed(self) -> None:
        at_s = self._cursor.at_s
        self._time.setText("" if at_s is None else self._told_at(at_s))
        if self.isVisible():
            self._redraw()

    @Slot()
    def _on_theme_changed(self) -> None:
        tokens = self._theme.tokens
        if self._plot is not None:
            grid = mix(tokens.border, tokens.surface, 0.35)
            self._plot.set_colors(tokens.surface, grid, tokens.muted, tokens.warn)
            self._redraw()

    # drawing

    def _redraw(self) -> None:
        if self._drawn is not None:
            self.show_lines(*self._drawn)

    def _draw(self, plot: "LinePlot") -> None:
        if self._drawn is None:
            return
        history, lines, now_s, marks = self._drawn
        times = history.times() - now_s
        first = int(np.searchsorted(times, -SPAN_S - 1.0))
        shown = times[first:]
        highest = 0.0
        for line in reversed(lines):
            values = history.values(line.key)[first:]
            plot.set_line(line.key, self._color(line), shown, values)
            highest = max(highest, float(np.nanmax(values, initial=0.0)))
        plot.keep_lines([line.key for line in lines])
        if not self._is_fixed:
            self._scale.fit(highest, now_s)
        top = self._scale.top
        plot.set_top(top, value_ticks(top, plot.area().height()))
        in_view = [m.at_s - now_s for m in marks if -SPAN_S <= m.at_s - now_s <= 0]
        plot.set_marks(in_view, top)
        plot.set_cursor(self._cursor.at_s, top)
        self._place_labels(plot, history, lines, now_s)

    def _told_at(self, at_s: float) -> str:
        """Return the time under the mouse and the event nearby."""
        told = self.tr("at {0} s").format(f"{at_s:.1f}")
        _, _, now_s, marks = self._drawn or (None, (), 0.0, ())
        near = min(marks, key=lambda mark: abs(mark.at_s - now_s - at_s), default=None)
        if near is not None and abs(near.at_s - now_s - at_s) < NEAR_S:
            return f"{near.text}   {told}"
        return told

    def _place_labels(
        self, plot: "LinePlot", history: History, lines: Sequence[Line], now_s: float
    ) -> None:
        area = plot.area()
        labels = []
        for line in lines:
            if not line.label:
                continue
            at_s = self._cursor.at_s
            newest = history.latest(line.key)
            value = newest if at_s is None else history.at(line.key, now_s + at_s)
            if isfinite(newest):
                y = min(max(plot.y_of(newest), area.top()), area.bottom())
                text = self._form.format(value) if isfinite(value) else "-"
                labels.append(EndLabel(line.label, text, self._color(line), y))
        self._labels.set_labels(labels, area.top() + 4, area.bottom() - 4)

    def _color(self, line: Line) -> str:
        color = self._theme.series(line.color).name()
        return mix(color, self._theme.tokens.surface, line.faintness) if line.faintness else color


def _heading(title: str, unit: str, parent: QWidget) -> QWidget:
    heading = QWidget(parent)
    name = QLabel(title)
    name.setObjectName("chart_title")
    set_role(name, "heading")
    detail = QLabel(unit)
    detail.setObjectName("chart_unit")
    detail.setMinimumWidth(1)
    set_role(detail, "caption")
    layout = QHBoxLayout(heading)
    layout.setContentsMargins(0, 0, 0, 0)
    layout.setSpacing(SPACE_S)
    layout.addWidget(name)
    layout.addWidget(detail, 1)
    return heading
