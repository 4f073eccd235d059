"""Draws the strip below a picture: sign of the phase, name, rates, age, drops."""

from PySide6.QtCore import QPointF, QRectF
from PySide6.QtGui import QColor, QPainter

from engine.protocol import StreamPhase
from ui.shell.tokens import Tokens
from ui.wall.glyphs import draw_phase
from ui.wall.lettering import Lettering
from ui.wall.tile_state import Strip

__all__ = ("STRIP_PX", "draw_strip")

STRIP_PX = 28
_PAD = 8.0
_GAP = 12.0
_NAME_SHARE = 0.4


def draw_strip(
    painter: QPainter,
    area: QRectF,
    strip: Strip,
    sign: tuple[StreamPhase, str],
    letters: tuple[Lettering, Lettering],
    tokens: Tokens,
) -> None:
    """Draw the strip; figures that do not fit are left out, drops first, then the age.

    Parameters
    ----------
    sign : phase and the name of the token in whose color its sign is drawn.
    letters : of the name and of the figures.
    """
    name_letters, figure_letters = letters
    middle = area.center().y()
    place = QRectF(area.left() + _PAD, middle - 5, 10, 10)
    draw_phase(painter, sign[0], place, QColor(getattr(tokens, sign[1])))
    left = place.right() + 8
    name_width = min(name_letters.width(strip.name), area.width() * _NAME_SHARE)
    figures = _fitting(strip, figure_letters, area.right() - _PAD - left - name_width)
    figures_width = _width(figures, figure_letters)
    room = area.right() - _PAD - figures_width - (_GAP if figures else 0) - left
    is_short = name_letters.width(strip.name) <= room
    name = strip.name if is_short else name_letters.elided(strip.name, int(room))
    painter.setFont(name_letters.font)
    painter.setPen(QColor(tokens.text))
    _draw_text(painter, left, middle, name, name_letters)
    painter.setFont(figure_letters.font)
    right = area.right() - _PAD
    for text in reversed(figures):
        right -= figure_letters.width(text)
        is_warning = strip.is_dropping and text == strip.drops
        painter.setPen(QColor(tokens.warn if is_warning else tokens.muted))
        _draw_text(painter, right, middle, text, figure_letters)
        right -= _GAP


def _fitting(strip: Strip, letters: Lettering, room: float) -> list[str]:
    """Return the figures to draw, from left to right."""
    choices = (
        (strip.rates, strip.age, strip.drops),
        (strip.rates, strip.age),
        (strip.rates,),
    )
    for choice in choices:
        figures = [text for text in choice if text]
        if _width(figures, letters) + _GAP <= room:
            return figures
    return []


def _width(figures: list[str], letters: Lettering) -> float:
    return sum(letters.width(text) for text in figures) + _GAP * max(0, len(figures) - 1)


def _draw_text(painter: QPainter, x: float, middle: float, text: str, letters: Lettering) -> None:
    painter.drawText(QPointF(x, round(middle - letters.height / 2 + letters.ascent)), text)
