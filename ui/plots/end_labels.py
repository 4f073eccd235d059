"""Names and newest values beside the ends of the lines of a plot, in place of a legend."""

from collections.abc import Sequence
from dataclasses import dataclass
from math import isfinite

from PySide6.QtCore import QPointF, QSize
from PySide6.QtGui import QColor, QPainter, QPaintEvent
from PySide6.QtWidgets import QSizePolicy, QWidget

from ui.plots.scale import spread
from ui.shell.theme import Theme
from ui.wall.lettering import Lettering

__all__ = ("EndLabel", "EndLabels")

_LEADER_PX = 14.0
_NAME_PX = 96
_GAP_PX = 10
_AXIS_PX = 10
_PAD = 8.0


@dataclass(frozen=True)
class EndLabel:
    """A line's name, its value as text, its color, and where it ends (pixels from above)."""

    name: str
    value: str
    color: str
    y: float


class EndLabels(QWidget):
    """Paints the labels so that none covers another; thin leaders point to the lines' ends."""

    def __init__(self, theme: Theme, *, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("end_labels")
        self.setSizePolicy(QSizePolicy.Policy.Fixed, QSizePolicy.Policy.Expanding)
        self._theme = theme
        self._letters = Lettering.caption()
        self._labels: list[EndLabel] = []
        self._hidden = 0
        self._limits = (0.0, 0.0)
        self._value_px = 0.0

    @property
    def labels(self) -> tuple[EndLabel, ...]:
        """The labels shown, from above."""
        return tuple(self._labels)

    def set_labels(self, labels: Sequence[EndLabel], top: float, bottom: float) -> None:
        """Show these labels between two heights; where they do not fit, the highest lines win."""
        usable = sorted((label for label in labels if isfinite(label.y)), key=lambda label: label.y)
        capacity = max(1, int((bottom - top) / self._letters.height) + 1)
        if len(usable) > capacity:
            usable = usable[: capacity - 1]
        self._hidden = len(labels) - len(usable)
        self._limits = (top, bottom)
        self._labels = usable
        self._widen()
        told = ", ".join(f"{label.name} {label.value}" for label in usable)
        if told != self.accessibleDescription():
            self.setAccessibleDescription(told)
        self.update()

    def sizeHint(self) -> QSize:
        """Return the width that the texts need; it grows at once and shrinks with other names."""
        names = [self._letters.width(label.name) for label in self._labels]
        name = min(max(names, default=0.0), _NAME_PX)
        return QSize(int(_LEADER_PX + name + _GAP_PX + self._value_px + _PAD) + 1, 40)

    def paintEvent(self, _event: QPaintEvent) -> None:
        """Draw leaders, names and values."""
        tokens = self._theme.tokens
        letters = self._letters
        low, high = self._limits
        count = len(self._labels) + (1 if self._hidden else 0)
        wanted = [label.y for label in self._labels] + ([high] if self._hidden else [])
        middles = spread(wanted, letters.height, low, high)
        with QPainter(self) as painter:
            painter.fillRect(self.rect(), QColor(tokens.surface))
            painter.setFont(letters.font)
            painter.setPen(QColor(tokens.muted))
            painter.drawText(QPointF(1, round(high + _AXIS_PX + letters.ascent)), "now")
            for label, middle in zip(self._labels, middles, strict=False):
                self._draw(painter, label, middle)
            if self._hidden and count:
                painter.setPen(QColor(tokens.muted))
                painter.drawText(
                    self._baseline(_LEADER_PX, middles[-1]), f"and {self._hidden} more"
                )

    def _widen(self) -> None:
        widest = max((self._letters.width(label.value) for label in self._labels), default=0.0)
        self._value_px = max(self._value_px, widest)
        if self.sizeHint().width() != self.width():
            self.updateGeometry()

    def _draw(self, painter: QPainter, label: EndLabel, middle: float) -> None:
        color = QColor(label.color)
        painter.setPen(color)
        painter.drawLine(QPointF(0, round(label.y)), QPointF(3, round(label.y)))
        painter.drawLine(QPointF(3, round(label.y)), QPointF(_LEADER_PX - 4, round(middle)))
        value_left = self.width() - _PAD - self._letters.width(label.value)
        name = self._letters.elided(
            label.name, int(self.width() - _PAD - self._value_px - _LEADER_PX - 4)
        )
        painter.drawText(self._baseline(_LEADER_PX, middle), name)
        painter.setPen(QColor(self._theme.tokens.text))
        painter.drawText(self._baseline(value_left, middle), label.value)

    def _baseline(self, x: float, middle: float) -> QPointF:
        return QPointF(x, round(middle - self._letters.height / 2 + self._letters.ascent))
