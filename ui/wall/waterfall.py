"""Draws a line camera: the last lines as a picture, newest at the bottom, with the classes."""

from collections.abc import Sequence

from PySide6.QtCore import QPointF, QRectF
from PySide6.QtGui import QColor, QPainter

from ui.shell.tokens import Tokens
from ui.wall.content import LegendEntry
from ui.wall.lettering import Lettering, percent

__all__ = ("draw_side_legend", "legend_width", "split")

_MIN_WIDTH_PX = 320
_LEAST_PX = 150.0
_CHIP_PX = 16.0
_PAD = 12.0


def legend_width(labels: Sequence[str], letters: Lettering) -> float:
    """Return the width in pixels that a legend needs for the longest of these labels."""
    longest = max((letters.width(label) for label in labels), default=0.0)
    return longest + _CHIP_PX + letters.width(percent(1.0)) + 8 + 2 * _PAD + 1


def split(area: QRectF, wanted_px: float = 0.0) -> tuple[QRectF, QRectF | None]:
    """Return the places of waterfall and legend in a tile; a narrow tile has no legend column.

    Parameters
    ----------
    wanted_px : width the legend needs; it gets at most half of the area.
    """
    if area.width() < _MIN_WIDTH_PX:
        return area, None
    column = float(round(min(max(wanted_px, _LEAST_PX), area.width() * 0.48)))
    picture = QRectF(area)
    picture.setRight(area.right() - column)
    legend = QRectF(picture.right(), area.top(), column, area.height())
    return picture, legend


def draw_side_legend(
    painter: QPainter,
    area: QRectF,
    entries: Sequence[LegendEntry],
    letters: Lettering,
    tokens: Tokens,
) -> None:
    """Draw all classes of the newest line that fit, largest share first, with a bar each."""
    row_height = letters.height + 10
    top = area.top() + _PAD
    painter.setFont(letters.font)
    painter.setPen(QColor(tokens.muted))
    note = "share of the lines shown"
    if letters.width(note) <= area.width() - 2 * _PAD:
        painter.drawText(QPointF(area.left() + _PAD, area.bottom() - _PAD), note)
    room = area.height() - 2 * _PAD - letters.height
    count = max(0, min(len(entries), int(room / row_height)))
    if not entries:
        painter.drawText(QPointF(area.left() + _PAD, top + letters.ascent), "no class")
    for entry in entries[:count]:
        _draw_row(
            painter,
            QRectF(area.left() + _PAD, top, area.width() - 2 * _PAD, row_height),
            entry,
            letters,
            tokens,
        )
        top += row_height


def _draw_row(
    painter: QPainter, row: QRectF, entry: LegendEntry, letters: Lettering, tokens: Tokens
) -> None:
    share = percent(entry.share)
    baseline = row.top() + letters.ascent
    name_left = row.left() + _CHIP_PX
    room = int(row.width() - _CHIP_PX - letters.width(percent(1.0)) - 8)
    painter.fillRect(
        QRectF(row.left(), row.top() + (letters.height - 10) / 2, 10, 10), QColor(entry.color)
    )
    painter.setPen(QColor(tokens.text))
    is_short = letters.width(entry.label) <= room
    name = entry.label if is_short else letters.elided(entry.label, room)
    painter.drawText(QPointF(name_left, baseline), name)
    painter.drawText(QPointF(row.right() - letters.width(share), baseline), share)
    bar = QRectF(name_left, row.top() + letters.height + 2, row.width() - _CHIP_PX, 2)
    painter.fillRect(bar, QColor(tokens.border))
    bar.setWidth(bar.width() * entry.share)
    painter.fillRect(bar, QColor(entry.color))
