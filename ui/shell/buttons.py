"""Buttons and icon labels whose icons follow the theme, and the on/off switch."""

from PySide6.QtCore import QPointF, QRectF, QSize, Qt, Slot
from PySide6.QtGui import QColor, QPainter, QPaintEvent, QPen
from PySide6.QtWidgets import (
    QAbstractButton,
    QLabel,
    QPushButton,
    QSizePolicy,
    QToolButton,
    QWidget,
)

from ui.shell.icons import icon, icon_pixmap
from ui.shell.theme import Theme, set_role
from ui.shell.tokens import ICON_PX, mix

__all__ = ("IconButton", "IconLabel", "TextButton", "ToggleSwitch")


class IconButton(QToolButton):
    """A tool button with an icon; without text the tooltip is also its accessible name."""

    def __init__(
        self,
        theme: Theme,
        icon_name: str,
        tooltip: str,
        *,
        text: str = "",
        role: str = "flat",
        parent: QWidget | None = None,
    ) -> None:
        super().__init__(parent)
        self._theme = theme
        self._icon_name = icon_name
        self._color = ""
        self.setToolTip(tooltip)
        self.setAccessibleName(text or tooltip)
        self.setIconSize(QSize(ICON_PX, ICON_PX))
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        if text:
            self.setText(text)
            self.setToolButtonStyle(Qt.ToolButtonStyle.ToolButtonTextBesideIcon)
        set_role(self, role)
        self._draw()
        theme.changed.connect(self._draw)

    def set_icon(self, icon_name: str, *, color: str = "") -> None:
        """Show another icon; `color` is the name of a token, empty for the text's."""
        if (icon_name, color) == (self._icon_name, self._color):
            return
        self._icon_name = icon_name
        self._color = color
        self._draw()

    def set_words(self, text: str, tooltip: str) -> None:
        """Change text and tooltip together."""
        self.setText(text)
        self.setToolTip(tooltip)
        self.setAccessibleName(text or tooltip)

    @Slot()
    def _draw(self) -> None:
        tokens = self._theme.tokens
        color = getattr(tokens, self._color) if self._color else tokens.text
        if self.property("role") == "primary":
            color = tokens.window
        if self.property("role") == "rail":
            self.setIcon(icon(self._icon_name, tokens.muted, checked=tokens.accent))
            return
        self.setIcon(icon(self._icon_name, color, disabled=tokens.muted))


class TextButton(QPushButton):
    """A push button with words and, if wanted, an icon."""

    def __init__(
        self,
        theme: Theme,
        text: str,
        *,
        icon_name: str = "",
        role: str = "",
        tooltip: str = "",
        parent: QWidget | None = None,
    ) -> None:
        super().__init__(text, parent)
        self._theme = theme
        self._icon_name = icon_name
        self.setToolTip(tooltip)
        self.setAutoDefault(False)
        self.setSizePolicy(QSizePolicy.Policy.Fixed, QSizePolicy.Policy.Fixed)
        if role:
            set_role(self, role)
        if icon_name:
            self.setIconSize(QSize(20, 16))
            self._draw()
            theme.changed.connect(self._draw)

    @Slot()
    def _draw(self) -> None:
        tokens = self._theme.tokens
        role = self.property("role")
        color = {"primary": tokens.window, "danger": tokens.error}.get(role, tokens.text)
        self.setIcon(icon(self._icon_name, color, disabled=tokens.muted))


class IconLabel(QLabel):
    """An icon that says how things stand, in the color of its tone."""

    def __init__(
        self, theme: Theme, icon_name: str = "", tone: str = "text", *, size_px: int = 16
    ) -> None:
        super().__init__()
        self._theme = theme
        self._icon_name = icon_name
        self._tone = tone
        self._size_px = size_px
        self.setFixedSize(size_px, size_px)
        self._draw()
        theme.changed.connect(self._draw)

    def set_icon(self, icon_name: str, tone: str) -> None:
        """Show another icon; `tone` is the name of a token."""
        if (icon_name, tone) == (self._icon_name, self._tone):
            return
        self._icon_name, self._tone = icon_name, tone
        self._draw()

    @Slot()
    def _draw(self) -> None:
        if not self._icon_name:
            self.clear()
            return
        color = getattr(self._theme.tokens, self._tone)
        self.setPixmap(icon_pixmap(self._icon_name, color, self._size_px, self.devicePixelRatioF()))


class ToggleSwitch(QAbstractButton):
    """A switch; the knob's side says on or off as much as its color does."""

    _WIDTH = 32
    _HEIGHT = 18

    def __init__(
        self, theme: Theme, accessible_name: str, *, parent: QWidget | None = None
    ) -> None:
        super().__init__(parent)
        self._theme = theme
        self.setCheckable(True)
        self.setAccessibleName(accessible_name)
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.setCursor(Qt.CursorShape.PointingHandCursor)
        self.setSizePolicy(QSizePolicy.Policy.Fixed, QSizePolicy.Policy.Fixed)
        theme.changed.connect(self.update)

    def sizeHint(self) -> QSize:
        """Return the switch's one size."""
        return QSize(self._WIDTH + 4, self._HEIGHT + 4)

    def set_on(self, is_on: bool) -> None:
        """Show a state without telling anybody."""
        before = self.blockSignals(True)
        self.setChecked(is_on)
        self.blockSignals(before)
        self.update()

    def paintEvent(self, event: QPaintEvent) -> None:
        """Draw track, knob and, with the focus, a ring."""
        del event
        tokens = self._theme.tokens
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        track = QRectF(2, 2, self._WIDTH, self._HEIGHT)
        is_on = self.isChecked()
        fill = tokens.accent if is_on else tokens.raised
        edge = tokens.accent if is_on else tokens.muted
        if not self.isEnabled():
            fill, edge = mix(fill, tokens.surface, 0.5), tokens.border
        painter.setPen(QPen(QColor(edge), 1))
        painter.setBrush(QColor(fill))
        radius = self._HEIGHT / 2
        painter.drawRoundedRect(track.adjusted(0.5, 0.5, -0.5, -0.5), radius, radius)
        knob = QPointF(
            track.right() - radius if is_on else track.left() + radius, track.center().y()
        )
        painter.setPen(Qt.PenStyle.NoPen)
        painter.setBrush(QColor(tokens.window if is_on else tokens.muted))
        painter.drawEllipse(knob, radius - 4, radius - 4)
        if self.hasFocus():
            painter.setPen(QPen(QColor(tokens.text), 1))
            painter.setBrush(Qt.BrushStyle.NoBrush)
            ring = QRectF(self.rect()).adjusted(0.5, 0.5, -0.5, -0.5)
            painter.drawRoundedRect(ring, radius + 2, radius + 2)
        painter.end()
