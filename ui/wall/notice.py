"""Draws calm text in a tile: what state the stream is in, or since when its picture stands."""

from PySide6.QtCore import QPointF, QRectF, Qt
from PySide6.QtGui import QColor, QPainter

from engine.protocol import StreamPhase
from ui.shell.tokens import RADIUS_PX, Tokens
from ui.wall.glyphs import draw_phase
from ui.wall.lettering import Lettering
from ui.wall.tile_state import PHASE_TONE

__all__ = ("draw_badge", "draw_notice")

_SIGN_PX = 14.0
_MAX_TEXT_PX = 420.0


def draw_notice(
    painter: QPainter,
    area: QRectF,
    told: tuple[StreamPhase, str, str],
    letters: tuple[Lettering, Lettering],
    tokens: Tokens,
) -> None:
    """Draw sign and headline with a wrapped sentence below, in the middle of the area.

    Parameters
    ----------
    told : phase, headline, sentence.
    letters : of headline and sentence.
    """
    phase, headline, sentence = told
    head, body = letters
    color = QColor(getattr(tokens, PHASE_TONE[phase]))
    width = min(area.width() - 24, _MAX_TEXT_PX)
    if width < 40:
        return
    room = QRectF(0, 0, width, max(0.0, area.height() - head.height - 24))
    flags = Qt.AlignmentFlag.AlignHCenter | Qt.TextFlag.TextWordWrap
    needed = body.metrics.boundingRect(room, int(flags), sentence)
    has_sentence = bool(sentence) and needed.height() <= room.height() + 1
    height = head.height + (8 + needed.height() if has_sentence else 0)
    top = area.top() + (area.height() - height) / 2
    head_width = head.width(headline)
    left = area.center().x() - (head_width + _SIGN_PX + 8) / 2
    sign = QRectF(left, top + (head.height - _SIGN_PX) / 2, _SIGN_PX, _SIGN_PX)
    draw_phase(painter, phase, sign, color)
    painter.setFont(head.font)
    painter.setPen(QColor(tokens.text))
    painter.drawText(QPointF(left + _SIGN_PX + 8, top + head.ascent), headline)
    if has_sentence:
        painter.setFont(body.font)
        painter.setPen(QColor(tokens.error if phase is StreamPhase.FAILED else tokens.muted))
        place = QRectF(area.center().x() - width / 2, top + head.height + 8, width, room.height())
        painter.drawText(place, int(flags), sentence)


def draw_badge(
    painter: QPainter, area: QRectF, text: str, letters: Lettering, tokens: Tokens
) -> None:
    """Draw a short sentence on a plate in the middle of the area."""
    plate = QRectF(0, 0, min(letters.width(text) + 24, area.width()), letters.height + 12)
    plate.moveCenter(area.center())
    painter.setRenderHint(QPainter.RenderHint.Antialiasing)
    painter.setPen(QColor(tokens.border))
    painter.setBrush(QColor(tokens.raised))
    painter.drawRoundedRect(plate, RADIUS_PX, RADIUS_PX)
    painter.setRenderHint(QPainter.RenderHint.Antialiasing, False)
    painter.setFont(letters.font)
    painter.setPen(QColor(tokens.text))
    painter.drawText(plate, int(Qt.AlignmentFlag.AlignCenter), text)
