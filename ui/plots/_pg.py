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

__all__ = ("LinePlot",)

_AXIS_PX = 48
_GRID_ALPHA = 120


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
        self._plot.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        item = self._plot.getPlotItem()
        item.setMenuEnabled(False)
        item.hideButtons()
        item.setMouseEnabled(x=False, y=False)
        item.disableAutoRange()
        item.setContentsMargins(0, 6, 0, 0)
        item.setXRange(-span_s, 0.0, padding=0)
        item.setYRange(0.0, 1.0, padding=0)
        self._item = item
        self._axes = (item.getAxis("left"), item.getAxis("bottom"))
        for axis in self._axes:
            axis.setStyle(tickFont=font, tickLength=0, tickTextOffset=6, autoExpandTextSpace=False)
            axis.setGrid(_GRID_ALPHA)
            axis.enableAutoSIPrefix(enable=False)
        self._axes[0].setWidth(_AXIS_PX)
        self._axes[1].setTicks([_time_ticks(span_s)])
        self._marks = pg.PlotCurveItem(connect="pairs", antialias=False)
        self._cursor = pg.PlotCurveItem(antialias=False)
        for extra in (self._marks, self._cursor):
            item.addItem(extra, ignoreBounds=True)
        self._plot.scene().sigMouseMoved.connect(self._on_mouse_moved)

    @property
    def widget(self) -> QWidget:
        """The widget to put into a layout."""
        return self._plot

    def set_colors(self, background: str, grid: str, text: str, mark: str) -> None:
        """Use these colors ("#RRGGBB") for everything but the lines."""
        self._plot.setBackground(QColor(background))
        for axis in self._axes:
            axis.setPen(QPen(QColor(grid)))
            axis.setTickPen(QPen(QColor(grid)))
            axis.setTextPen(QPen(QColor(text)))
        self._marks.setPen(_dashed(mark))
        self._cursor.setPen(QPen(QColor(text)))

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
            curve.setPen(QPen(QColor(color)))
            self._lines[key] = curve, color
        curve.setData(x, y, connect="finite")

    def keep_lines(self, keys: Collection[Hashable]) -> None:
        """Remove all lines but these."""
        for key in set(self._lines) - set(keys):
            self._item.removeItem(self._lines.pop(key)[0])

    def set_top(self, top: float) -> None:
        """Set the upper end of the value axis."""
        self._item.setYRange(0.0, top, padding=0)

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


def _time_ticks(span_s: float) -> list[tuple[float, str]]:
    step = span_s / 6
    ticks = [(-index * step, f"-{index * step:g} s") for index in range(5, 0, -1)]
    return [(-span_s, f"-{span_s:g} s"), *ticks, (0.0, "now")]


def _dashed(color: str) -> QPen:
    pen = QPen(QColor(color))
    pen.setStyle(Qt.PenStyle.DotLine)
    return pen
