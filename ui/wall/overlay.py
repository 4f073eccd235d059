"""Draws results over a picture: boxes with chips, points, class bars, legends.

Sizes are pixels of the widget; geometry of the results is in fractions of the picture.
"""

from collections.abc import Sequence
from functools import lru_cache

from PySide6.QtCore import QPointF, QRect, QRectF, Qt
from PySide6.QtGui import QColor, QPainter, QPen

from ui.wall.class_colors import text_on
from ui.wall.content import BoxMark, LegendEntry, ScoreBar
from ui.wall.lettering import Lettering, percent

__all__ = ("MAX_CHIPS", "draw_boxes", "draw_legend", "draw_scores")

MAX_CHIPS = 24
"""Boxes beyond this number are drawn without a chip."""

_PAD = 4.0
_SCRIM = QColor(12, 15, 18, 190)
_ON_SCRIM = QColor(255, 255, 255)
_TRACK = QColor(255, 255, 255, 46)
_EDGE = QColor(0, 0, 0, 120)
_OUTLINE = "#14181C"
_SMALL_PX = 200


def draw_boxes(
    painter: QPainter, picture: QRectF, boxes: Sequence[BoxMark], letters: Lettering
) -> None:
    """Draw the boxes, their points, and chips that do not cover each other where avoidable."""
    areas = [_placed(box.area, picture) for box in boxes]
    painter.setBrush(Qt.BrushStyle.NoBrush)
    # Whole pixels and opaque pens: a translucent outline costs ten times as much.
    for box, area in zip(boxes, areas, strict=True):
        painter.setPen(_pen(_OUTLINE, 4))
        painter.drawRect(area)
        painter.setPen(_pen(box.color, 2))
        painter.drawRect(area)
    for box in boxes:
        if box.points:
            _draw_points(painter, picture, box)
    if picture.width() >= _SMALL_PX:
        _draw_chips(painter, picture, list(zip(boxes, areas, strict=True))[:MAX_CHIPS], letters)


def draw_scores(
    painter: QPainter, picture: QRectF, scores: Sequence[ScoreBar], letters: Lettering
) -> None:
    """Draw the strongest classes with bars on a dark patch in the lower left corner."""
    if not scores or picture.width() < 120:
        return
    rows = list(scores[: 3 if picture.height() >= 110 else 1])
    row_height = letters.height + 6
    width = min(240.0, picture.width() - 16)
    area = QRectF(0, 0, width, row_height * len(rows) + 6)
    area.moveBottomLeft(QPointF(picture.left() + 8, picture.bottom() - 8))
    painter.fillRect(area, _SCRIM)
    painter.setFont(letters.font)
    for index, row in enumerate(rows):
        line = QRectF(area.left() + 8, area.top() + 3 + index * row_height, width - 16, row_height)
        _draw_score(painter, line, row, letters)


def draw_legend(
    painter: QPainter, picture: QRectF, entries: Sequence[LegendEntry], letters: Lettering
) -> None:
    """Draw the largest classes with their shares on a dark patch in the lower left corner."""
    row_height = letters.height + 4
    fitting = min(int((picture.height() * 0.6) / row_height), 4)
    if not entries or picture.width() < 120 or fitting < 1:
        return
    rows = entries[:fitting]
    shares = [percent(row.share) for row in rows]
    room = min(int(picture.width() * 0.6), 220)
    names = [letters.elided(row.label, room) for row in rows]
    name_width = max(letters.width(name) for name in names)
    share_width = letters.width(percent(1.0))
    width = 8 + 10 + 6 + name_width + 12 + share_width + 8
    area = QRectF(0, 0, width, row_height * len(rows) + 8)
    area.moveBottomLeft(QPointF(picture.left() + 8, picture.bottom() - 8))
    painter.fillRect(area, _SCRIM)
    painter.setFont(letters.font)
    painter.setPen(_ON_SCRIM)
    for index, (row, name, share) in enumerate(zip(rows, names, shares, strict=True)):
        top = area.top() + 4 + index * row_height
        baseline = top + 2 + letters.ascent
        painter.fillRect(
            QRectF(area.left() + 8, top + (row_height - 10) / 2, 10, 10), _color(row.color)
        )
        painter.drawText(QPointF(area.left() + 24, baseline), name)
        painter.drawText(QPointF(area.right() - 8 - letters.width(share), baseline), share)


def _draw_score(painter: QPainter, line: QRectF, row: ScoreBar, letters: Lettering) -> None:
    share = percent(row.score)
    share_width = letters.width(percent(1.0))
    baseline = line.top() + 1 + letters.ascent
    painter.setPen(_ON_SCRIM)
    room = int(line.width() - share_width - 8)
    painter.drawText(QPointF(line.left(), baseline), letters.elided(row.label, room))
    painter.drawText(QPointF(line.right() - letters.width(share), baseline), share)
    bar = QRectF(line.left(), line.top() + letters.height + 2, line.width(), 2)
    painter.fillRect(bar, _TRACK)
    bar.setWidth(bar.width() * row.score)
    painter.fillRect(bar, _color(row.color))


def _draw_points(painter: QPainter, picture: QRectF, box: BoxMark) -> None:
    size = 5.0 if picture.width() >= _SMALL_PX else 3.0
    for point in box.points:
        x = picture.left() + point.x() * picture.width()
        y = picture.top() + point.y() * picture.height()
        spot = QRectF(x - size / 2, y - size / 2, size, size)
        painter.fillRect(spot.adjusted(-1, -1, 1, 1), _EDGE)
        painter.fillRect(spot, _color(box.color))


def _draw_chips(
    painter: QPainter,
    picture: QRectF,
    marks: Sequence[tuple[BoxMark, QRect]],
    letters: Lettering,
) -> None:
    painter.setFont(letters.font)
    taken: list[QRectF] = []
    for box, area in marks:
        if not box.text:
            continue
        text = letters.elided(box.text, int(picture.width() - 2 * _PAD))
        chip = _chip_place(area, letters.width(text) + 2 * _PAD, letters.height, picture, taken)
        taken.append(chip)
        painter.fillRect(chip, _color(box.color))
        painter.setPen(_ink(box.color))
        painter.drawText(QPointF(chip.left() + _PAD, chip.top() + letters.ascent), text)


def _chip_place(
    area: QRect, width: float, height: float, picture: QRectF, taken: Sequence[QRectF]
) -> QRectF:
    """Return where a box's chip stands: above the box, inside its top, or inside its bottom."""
    left = min(max(area.left() - 1, picture.left()), picture.right() - width)
    bottom = area.top() + area.height()
    tops = (area.top() - 1 - height, area.top() + 1, bottom - height - 1, bottom + 1)
    inside = [
        QRectF(left, top, width, height)
        for top in tops
        if picture.top() <= top and top + height <= picture.bottom()
    ]
    if not inside:
        return QRectF(left, picture.top(), width, height)
    free = [place for place in inside if not any(place.intersects(other) for other in taken)]
    return (free or inside)[0]


def _placed(area: QRectF, picture: QRectF) -> QRect:
    """Return a box in whole pixels, moved so that its line lies inside the picture."""
    left = picture.left() + area.left() * picture.width()
    top = picture.top() + area.top() * picture.height()
    right = left + area.width() * picture.width()
    bottom = top + area.height() * picture.height()
    x = max(round(left), round(picture.left()) + 2)
    y = max(round(top), round(picture.top()) + 2)
    width = min(round(right), round(picture.right()) - 2) - x
    height = min(round(bottom), round(picture.bottom()) - 2) - y
    return QRect(x, y, max(1, width), max(1, height))


@lru_cache(maxsize=256)
def _color(name: str) -> QColor:
    return QColor(name)


@lru_cache(maxsize=256)
def _ink(name: str) -> QColor:
    return QColor(text_on(name))


@lru_cache(maxsize=256)
def _pen(name: str, width: int) -> QPen:
    pen = QPen(QColor(name), width)
    pen.setJoinStyle(Qt.PenJoinStyle.MiterJoin)
    return pen
