"""Draws the outline icons in any color, sharp at any scale of the screen."""

import logging
from functools import cache

from PySide6.QtCore import QByteArray, QPointF, QRect, QRectF, QSize, Qt
from PySide6.QtGui import QIcon, QIconEngine, QPainter, QPixmap
from PySide6.QtSvg import QSvgRenderer

from resources import resource_path
from ui.shell.tokens import ICON_PX

__all__ = ("draw_icon", "icon", "icon_pixmap")

log = logging.getLogger(__name__)

_FILLED = ("play", "square")
_EMPTY = b'<svg xmlns="http://www.w3.org/2000/svg" width="24" height="24"/>'


def icon(name: str, color: str, *, disabled: str = "", checked: str = "") -> QIcon:
    """Return the icon `name` in a color ("#RRGGBB").

    Parameters
    ----------
    disabled, checked : colors for these states; empty takes `color`.
    """
    return QIcon(_SvgIconEngine(name, color, disabled or color, checked or color))


def icon_pixmap(name: str, color: str, size_px: int = ICON_PX, ratio: float = 1.0) -> QPixmap:
    """Return the icon as a picture of `size_px` logical pixels at a device pixel ratio."""
    pixmap = QPixmap(QSize(round(size_px * ratio), round(size_px * ratio)))
    pixmap.fill(Qt.GlobalColor.transparent)
    pixmap.setDevicePixelRatio(ratio)
    painter = QPainter(pixmap)
    draw_icon(painter, QRectF(0, 0, size_px, size_px), name, color)
    painter.end()
    return pixmap


def draw_icon(painter: QPainter, place: QRectF, name: str, color: str) -> None:
    """Draw the icon into the largest square in the middle of `place`."""
    side = min(place.width(), place.height())
    square = QRectF(0, 0, side, side)
    square.moveCenter(QPointF(place.center()))
    QSvgRenderer(QByteArray(_source(name).replace(b"currentColor", color.encode()))).render(
        painter, square
    )


@cache
def _source(name: str) -> bytes:
    try:
        source = resource_path(f"icons/{name}.svg").read_bytes()
    except OSError as error:
        log.warning("the icon %s cannot be drawn: %s", name, error)
        return _EMPTY
    if name in _FILLED:
        source = source.replace(b'fill="none"', b'fill="currentColor"')
    return source


class _SvgIconEngine(QIconEngine):
    """Paints one SVG at whatever size is asked for."""

    def __init__(self, name: str, color: str, disabled: str, checked: str) -> None:
        super().__init__()
        self._name = name
        self._color = color
        self._disabled = disabled
        self._checked = checked

    def clone(self) -> QIconEngine:
        return _SvgIconEngine(self._name, self._color, self._disabled, self._checked)

    def paint(self, painter: QPainter, rect: QRect, mode: QIcon.Mode, state: QIcon.State) -> None:
        color = self._color
        if mode is QIcon.Mode.Disabled:
            color = self._disabled
        elif state is QIcon.State.On:
            color = self._checked
        draw_icon(painter, QRectF(rect), self._name, color)

    def pixmap(self, size: QSize, mode: QIcon.Mode, state: QIcon.State) -> QPixmap:
        pixmap = QPixmap(size)
        pixmap.fill(Qt.GlobalColor.transparent)
        painter = QPainter(pixmap)
        self.paint(painter, QRect(0, 0, size.width(), size.height()), mode, state)
        painter.end()
        return pixmap
