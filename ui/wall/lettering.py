"""Fonts of painted widgets with their measures, so that painting never measures a text twice."""

from functools import lru_cache

from PySide6.QtCore import Qt
from PySide6.QtGui import QFont, QFontMetricsF

from ui.shell.theme import app_font
from ui.shell.tokens import BODY_PT, CAPTION_PT, TITLE_PT

__all__ = ("Lettering", "percent")


class Lettering:
    """One font: height, baseline, and the widths of texts.

    Parameters
    ----------
    points : size in points.
    is_strong : semibold.
    """

    def __init__(self, points: float, *, is_strong: bool = False) -> None:
        self.font: QFont = app_font(points, is_strong=is_strong)
        self.metrics = QFontMetricsF(self.font)
        self.height = self.metrics.height()
        self.ascent = self.metrics.ascent()
        self.width = lru_cache(maxsize=2048)(self._measure)
        self.elided = lru_cache(maxsize=512)(self._elide)

    def _measure(self, text: str) -> float:
        return self.metrics.horizontalAdvance(text)

    def _elide(self, text: str, width: int) -> str:
        return self.metrics.elidedText(text, Qt.TextElideMode.ElideRight, width)

    @classmethod
    def caption(cls) -> "Lettering":
        """Return the smallest size: labels on pictures, legends, axes."""
        return cls(CAPTION_PT)

    @classmethod
    def body(cls, *, is_strong: bool = False) -> "Lettering":
        """Return the size of running text."""
        return cls(BODY_PT, is_strong=is_strong)

    @classmethod
    def title(cls) -> "Lettering":
        """Return the size of headlines."""
        return cls(TITLE_PT, is_strong=True)


def percent(share: float) -> str:
    """Return a share (0..1) in whole percent."""
    return f"{share * 100:.0f}\u202f%"
