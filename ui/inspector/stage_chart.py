"""Horizontal bars: how long a result spends in each stage."""

from collections.abc import Sequence

from PySide6.QtCore import QPointF, QRectF, QSize, Slot
from PySide6.QtGui import QColor, QPainter, QPaintEvent
from PySide6.QtWidgets import QSizePolicy, QWidget

from ui.inspector.figures import StageBar
from ui.shell.theme import Theme
from ui.shell.tokens import mix
from ui.wall.lettering import Lettering

__all__ = ("StageChart",)

_ROW_PX = 20
_BAR_PX = 8.0
_GAP_PX = 8.0


class StageChart(QWidget):
    """Draws one row per stage and a last row with the sum; the longest stage stands out."""

    def __init__(self, theme: Theme, *, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("stage_chart")
        self.setAccessibleName(self.tr("Mean time per stage"))
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        self._theme = theme
        self._letters = Lettering.body()
        self._strong = Lettering.body(is_strong=True)
        self._bars: tuple[StageBar, ...] = ()
        theme.changed.connect(self._on_theme_changed)

    @property
    def bars(self) -> tuple[StageBar, ...]:
        """The stages shown."""
        return self._bars

    def set_bars(self, bars: Sequence[StageBar]) -> None:
        """Show these stages."""
        new = tuple(bars)
        if new == self._bars:
            return
        is_taller = len(new) != len(self._bars)
        self._bars = new
        told = ", ".join(f"{bar.stage} {bar.mean_ms:.1f} ms" for bar in new)
        self.setAccessibleDescription(told)
        if is_taller:
            self.updateGeometry()
        self.update()

    def sizeHint(self) -> QSize:
        """Return room for all rows."""
        return QSize(220, _ROW_PX * (max(7, len(self._bars)) + 1) + 4)

    def paintEvent(self, _event: QPaintEvent) -> None:
        """Draw names, bars and times."""
        tokens = self._theme.tokens
        letters = self._letters
        name_px = max((letters.width(bar.stage) for bar in self._bars), default=0.0)
        value_px = max(letters.width("888.8"), letters.width("mean age"))
        left = name_px + _GAP_PX
        room = max(0.0, self.width() - left - value_px)
        longest = max((bar.share for bar in self._bars), default=0.0)
        with QPainter(self) as painter:
            for index, bar in enumerate(self._bars):
                middle = (index + 0.5) * _ROW_PX
                is_longest = bar.share == longest > 0
                track = QRectF(left, middle - _BAR_PX / 2, room, _BAR_PX)
                painter.fillRect(track, QColor(tokens.raised))
                track.setWidth(room * bar.share)
                quiet = mix(tokens.accent, tokens.surface, 0.45)
                painter.fillRect(track, QColor(tokens.accent if is_longest else quiet))
                self._write(painter, 0, middle, bar.stage, tokens.muted, letters)
                value = f"{bar.mean_ms:.1f}"
                x = self.width() - letters.width(value)
                self._write(painter, x, middle, value, tokens.text, letters)
            self._draw_sum(painter)

    def _draw_sum(self, painter: QPainter) -> None:
        tokens = self._theme.tokens
        top = len(self._bars) * _ROW_PX + 2
        painter.fillRect(QRectF(0, top, self.width(), 1), QColor(tokens.border))
        value = f"{sum(bar.mean_ms for bar in self._bars):.1f}"
        middle = top + _ROW_PX / 2
        self._write(painter, 0, middle, self.tr("mean age"), tokens.muted, self._letters)
        x = self.width() - self._strong.width(value)
        self._write(painter, x, middle, value, tokens.text, self._strong)

    def _write(
        self, painter: QPainter, x: float, middle: float, text: str, color: str, letters: Lettering
    ) -> None:
        painter.setFont(letters.font)
        painter.setPen(QColor(color))
        painter.drawText(QPointF(x, round(middle - letters.height / 2 + letters.ascent)), text)

    @Slot()
    def _on_theme_changed(self) -> None:
        self.update()
