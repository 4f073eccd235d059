"""Small signs for the phases of a stream: each has its own shape, so that color is never alone."""

from collections.abc import Callable

from PySide6.QtCore import QPointF, QRectF, Qt
from PySide6.QtGui import QColor, QPainter, QPen, QPolygonF

from engine.protocol import StreamPhase

__all__ = ("draw_phase",)


def draw_phase(painter: QPainter, phase: StreamPhase, area: QRectF, color: QColor) -> None:
    """Draw the sign of a phase into a square area.

    Running is a disk, starting a ring, restarting a ring with a gap, stopped a square, finished a
    check mark, failed a triangle.
    """
    painter.save()
    painter.setRenderHint(QPainter.RenderHint.Antialiasing)
    painter.setPen(QPen(color, 2.0, Qt.PenStyle.SolidLine, Qt.PenCapStyle.RoundCap))
    painter.setBrush(Qt.BrushStyle.NoBrush)
    _DRAW.get(phase, _ring)(painter, area, color)
    painter.restore()


def _disk(painter: QPainter, area: QRectF, color: QColor) -> None:
    painter.setPen(Qt.PenStyle.NoPen)
    painter.setBrush(color)
    painter.drawEllipse(area)


def _ring(painter: QPainter, area: QRectF, _color: QColor) -> None:
    painter.drawEllipse(area.adjusted(1, 1, -1, -1))


def _open_ring(painter: QPainter, area: QRectF, _color: QColor) -> None:
    painter.drawArc(area.adjusted(1, 1, -1, -1), 60 * 16, 280 * 16)


def _square(painter: QPainter, area: QRectF, color: QColor) -> None:
    painter.fillRect(area.adjusted(1, 1, -1, -1), color)


def _check(painter: QPainter, area: QRectF, _color: QColor) -> None:
    x, y, size = area.x(), area.y(), area.width()
    points = [
        QPointF(x + 0.1 * size, y + 0.55 * size),
        QPointF(x + 0.4 * size, y + 0.85 * size),
        QPointF(x + 0.9 * size, y + 0.2 * size),
    ]
    painter.drawPolyline(QPolygonF(points))


def _triangle(painter: QPainter, area: QRectF, color: QColor) -> None:
    painter.setPen(Qt.PenStyle.NoPen)
    painter.setBrush(color)
    points = [
        QPointF(area.center().x(), area.top()),
        QPointF(area.right(), area.bottom()),
        QPointF(area.left(), area.bottom()),
    ]
    painter.drawPolygon(QPolygonF(points))


_DRAW: dict[StreamPhase, Callable[[QPainter, QRectF, QColor], None]] = {
    StreamPhase.RUNNING: _disk,
    StreamPhase.STARTING: _ring,
    StreamPhase.RESTARTING: _open_ring,
    StreamPhase.STOPPING: _ring,
    StreamPhase.STOPPED: _square,
    StreamPhase.FINISHED: _check,
    StreamPhase.FAILED: _triangle,
}
