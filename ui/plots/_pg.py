"""The only place that knows pyqtgraph. Imported when the first plot is shown, never before.

Lines have width 1 and no antialiasing: everything else is many times slower on noisy data.
"""

from collections.abc import Callable, Collection, Hashable, Sequence

import numpy as np
import pyqtgraph as pg
from numpy.typing import NDArray
from PySide6.QtCore import QPointF, QRectF, Qt
from PySide6.QtGui import QColor, QFont, QPen
from PySide6.QtWidgets import QWidget

__all__ = ("LinePlot", "time_ticks")

_AXIS_PX = 48


class LinePlot:
    """Lines over a fixed span of time that ends now, with a value axis that begins at 0.

    Parameters
    ----------
    span_s : seconds from the left edge to the right one, which is now.
    font : of the axes.
    on_hover : called with the time under the mouse in seconds (negative).
    """

    def __init__(
        self, span_s: float, font: QFont, on_hover: Callable[[float], None], parent: QWidget
    ) -> None:
        self._span_s = span_s
        self._on_hover = on_hover
        self._lines: dict[Hashable, tuple[pg.PlotCurveItem, str]] = {}
        self._plot = pg.PlotWidget(parent=parent, background=None, antialias=False)
        self._plot.setFrameShape(pg.QtWidgets.QFrame.Shape.NoFrame)
        self._plot.setMinimumSize(120, 60)
        self._plot.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        item = self._plot.getPlotItem()
        item.setMenuEnabled(False)
        item.hideButtons()
        item.setMouseEnabled(x=False, y=False)
        item.disableAutoRange()
        item.setContentsMargins(0, 8, 0, 0)
        item.setXRange(-span_s, 0.0, padding=0)
        item.setYRange(0.0, 1.0, padding=0)
        self._item = item
        self._axes = (item.getAxis("left"), item.getAxis("bottom"))
        for axis in self._axes:
            axis.setStyle(
                tickFont=font,
                tickLength=0,
                tickTextOffset=6,
                autoExpandTextSpace=False,
                hideOverlappingLabels=False,
            )
            axis.enableAutoSIPrefix(enable=False)
        self._axes[0].setWidth(_AXIS_PX)
        self._ticks: tuple[list[float], list[float]] = ([], [])
        self._grid = pg.PlotCurveItem(connect="pairs", antialias=False)
        self._marks = pg.PlotCurveItem(connect="pairs", antialias=False)
        self._cursor = pg.PlotCurveItem(antialias=False)
        for extra in (self._grid, self._marks, self._cursor):
            item.addItem(extra, ignoreBounds=True)
        self._plot.scene().sigMouseMoved.connect(self._on_mouse_moved)

    @property
    def widget(self) -> QWidget:
        """The widget to put into a layout."""
        widget: QWidget = self._plot
        return widget

    def set_colors(self, background: str, grid: str, text: str, mark: str) -> None:
        """Use these colors ("#RRGGBB") for everything but the lines."""
        self._plot.setBackground(QColor(background))
        for axis in self._axes:
            axis.setPen(_pen(grid))
            axis.setTickPen(_pen(grid))
            axis.setTextPen(_pen(text))
        self._grid.setPen(_pen(grid))
        self._marks.setPen(_pen(mark, Qt.PenStyle.DotLine))
        self._cursor.setPen(_pen(text))

    def set_line(
        self, key: Hashable, color: str, x: NDArray[np.float64], y: NDArray[np.float64]
    ) -> None:
        """Show a line; NaN leaves a gap.

        Parameters
        ----------
        x : ndarray, shape (n,), float64, seconds before now as negative numbers.
        y : ndarray, shape (n,), float64.
        """
        curve, known_color = self._lines.get(key, (None, ""))
        if curve is None:
            curve = pg.PlotCurveItem(antialias=False)
            self._item.addItem(curve, ignoreBounds=True)
        if color != known_color:
            curve.setPen(_pen(color))
            self._lines[key] = curve, color
        curve.setData(x, y, connect="finite")

    def keep_lines(self, keys: Collection[Hashable]) -> None:
        """Remove all lines but these."""
        for key in set(self._lines) - set(keys):
            self._item.removeItem(self._lines.pop(key)[0])

    def set_top(self, top: float, ticks: Sequence[float]) -> None:
        """Set the upper end of the value axis and the values with a grid line."""
        times = time_ticks(self._span_s, self.area().width())
        if (times, list(ticks)) == self._ticks:
            return
        self._ticks = times, list(ticks)
        self._item.setYRange(0.0, top, padding=0)
        self._axes[0].setTicks([[(value, f"{value:g}") for value in ticks]])
        # A tick exactly on the edge is left out when rounding puts it outside.
        self._axes[1].setTicks([[(at_s * 0.9995, f"{at_s:g} s") for at_s in times]])
        inner = times[1:]
        x = [*np.repeat(inner, 2), *((-self._span_s, 0.0) * len(ticks))]
        y = [*((0.0, top) * len(inner)), *np.repeat(ticks, 2)]
        self._grid.setData(np.asarray(x, float), np.asarray(y, float))

    def set_marks(self, times: Sequence[float], top: float) -> None:
        """Draw a vertical line at each of these times (seconds before now, negative)."""
        x = np.repeat(np.asarray(times, float), 2)
        self._marks.setData(x, np.tile((0.0, top), len(times)))

    def set_cursor(self, at_s: float | None, top: float) -> None:
        """Draw the cursor's vertical line, or none."""
        self._cursor.setData([] if at_s is None else [at_s, at_s], [] if at_s is None else [0, top])

    def y_of(self, value: float) -> float:
        """Return where a value lies, in pixels from the widget's upper edge."""
        point = self._item.vb.mapViewToScene(QPointF(0.0, value))
        return float(self._plot.mapFromScene(point).y())

    def area(self) -> QRectF:
        """Return where the lines are drawn, in the widget's pixels."""
        return QRectF(self._item.vb.sceneBoundingRect())

    def _on_mouse_moved(self, position: QPointF) -> None:
        at_s = float(self._item.vb.mapSceneToView(position).x())
        self._on_hover(min(max(at_s, -self._span_s), 0.0))


def time_ticks(span_s: float, width: float) -> list[float]:
    """Return the times that fit under an axis, the oldest first; "now" is not among them."""
    parts = 6 if width >= 440 else 3 if width >= 220 else 2
    return [-span_s * part / parts for part in range(parts, 0, -1)]


def _pen(color: str, style: Qt.PenStyle = Qt.PenStyle.SolidLine) -> QPen:
    """Return a pen that is one pixel wide whatever the scale of the axes."""
    pen = QPen(QColor(color), 1.0, style)
    pen.setCosmetic(True)
    return pen
