"""One tile of the wall: picture, results drawn over it, and a strip of figures below."""

import logging
from collections.abc import Callable
from dataclasses import replace

from PySide6.QtCore import QRect, QRectF, QSize, Qt, Signal, Slot
from PySide6.QtGui import QColor, QMouseEvent, QPainter, QPainterPath, QPaintEvent, QPen
from PySide6.QtWidgets import QWidget

from engine.protocol import StreamFigures, StreamPhase, StreamState
from ui.shell.theme import Theme
from ui.shell.tokens import RADIUS_PX, mix
from ui.wall.class_colors import ClassColors
from ui.wall.content import Content, prepare
from ui.wall.lettering import Lettering
from ui.wall.notice import draw_badge, draw_notice
from ui.wall.overlay import draw_boxes, draw_legend, draw_scores
from ui.wall.previews import Preview
from ui.wall.strip import STRIP_PX, draw_strip
from ui.wall.tile_state import (
    PHASE_TONE,
    PHASE_WORD,
    DropWatch,
    Strip,
    notice,
    stall_limit_s,
    strip,
)
from ui.wall.waterfall import draw_side_legend, legend_width, split

__all__ = ("Tile",)

log = logging.getLogger(__name__)

_LEGEND_NS = 500_000_000
_DIM = 150
_DIM_FROZEN = 40
_DIM_BEHIND_TEXT = 215


class Tile(QWidget):
    """Shows one stream. Painted by hand; nothing is computed while painting.

    Parameters
    ----------
    state : the stream to show.
    theme : colors; a change repaints.
    """

    pressed = Signal(str)
    """The stream's name: somebody clicked the tile."""
    enlarge_asked = Signal(str)
    """The stream's name: somebody wants to see only this tile, or all again."""

    def __init__(self, state: StreamState, theme: Theme, *, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName(f"tile_{state.name}")
        self.setAttribute(Qt.WidgetAttribute.WA_OpaquePaintEvent)
        self._theme = theme
        self._state = state
        self._strip = Strip(state.name)
        self._drops = DropWatch()
        self._legend_px = 0.0
        self._colors = ClassColors()
        self._content = Content()
        self._summary = ""
        self._badge = ""
        self._is_selected = False
        self._has_overlays = True
        self._is_frozen = False
        self._last_new_ns = 0
        self._legend_at_ns = 0
        self._is_broken = False
        self._caption = Lettering.caption()
        self._body = Lettering.body()
        self._strong = Lettering.body(is_strong=True)
        self._title = Lettering.title()
        theme.changed.connect(self._on_theme_changed)
        self._describe()

    # what is shown

    @property
    def name(self) -> str:
        """The stream's name."""
        return self._state.name

    @property
    def badge(self) -> str:
        """What the dimmed picture says about its age; empty while it is fresh."""
        return self._badge

    def set_state(self, state: StreamState, now_ns: int) -> None:
        """Show the stream's phase; entering RUNNING begins to wait for pictures anew."""
        if state == self._state:
            return
        if state.phase is StreamPhase.RUNNING and self._state.phase is not StreamPhase.RUNNING:
            self._last_new_ns = now_ns
        self._state = state
        self.setToolTip(state.message)
        self._describe()
        self.update()

    def set_colors(self, colors: ClassColors) -> None:
        """Use these class colors from the next picture on."""
        self._colors = colors
        self._legend_px = legend_width(colors.labels, self._caption)

    def set_figures(self, figures: StreamFigures | None, now_ns: int) -> None:
        """Show the newest figures in the strip."""
        is_dropping = self._drops.update(figures, now_ns)
        changed = strip(self._state, figures, is_dropping=is_dropping)
        self._summary = figures.summary if figures is not None else ""
        if changed != self._strip:
            self._strip = changed
            self.update(self._strip_area())
        self._describe()

    def show_preview(self, preview: Preview, now_ns: int) -> None:
        """Show a new picture with its results."""
        self._last_new_ns = now_ns
        was_dimmed = bool(self._badge)
        self._badge = ""
        content = prepare(preview, self._colors)
        if content.is_waterfall and content.legend and self._content.legend:
            if now_ns - self._legend_at_ns < _LEGEND_NS:
                content = replace(content, legend=self._content.legend)
            else:
                self._legend_at_ns = now_ns
        self._content = content
        self.update(self.rect() if was_dimmed else self._picture_area())

    def set_selected(self, is_selected: bool) -> None:
        """Draw the accent border or take it away."""
        if is_selected != self._is_selected:
            self._is_selected = is_selected
            self._describe()
            self.update()

    def set_overlays(self, are_visible: bool) -> None:
        """Draw results over the picture or only the picture."""
        if are_visible != self._has_overlays:
            self._has_overlays = are_visible
            self.update()

    def set_frozen(self, since: str, now_ns: int) -> None:
        """Dim the picture and say since when it stands still; empty shows live pictures again."""
        self._is_frozen = bool(since)
        self._last_new_ns = now_ns
        self._set_badge(f"frozen since {since}" if since else "")

    def check_freshness(self, now_ns: int) -> None:
        """Dim a running stream from which nothing new has come for a while, and say for how long.

        Called with every tick; repaints only when the words change.
        """
        if self._is_frozen:
            return
        if self._state.phase is not StreamPhase.RUNNING or self._content.picture is None:
            self._set_badge("")
            return
        silent_s = (now_ns - self._last_new_ns) / 1e9
        is_stalled = silent_s > stall_limit_s(self._state)
        self._set_badge(f"nothing new for {int(silent_s)} s" if is_stalled else "")

    def picture_size_px(self) -> QSize:
        """Return the size of the picture's place in device pixels."""
        area = self._picture_area()
        ratio = self.devicePixelRatioF()
        return QSize(
            max(1, round(area.width() * ratio)),
            max(1, round(area.height() * ratio)),
        )

    def picture_rect(self) -> QRectF:
        """Return where the picture itself is drawn: fitted into its place, proportions kept."""
        area = QRectF(self._picture_area())
        picture = self._content.picture
        if self._content.is_waterfall:
            return split(area, self._legend_px)[0]
        if picture is None:
            return area
        scale = min(area.width() / picture.width(), area.height() / picture.height())
        size = QSize(
            max(1, round(picture.width() * scale)), max(1, round(picture.height() * scale))
        )
        left = area.left() + (area.width() - size.width()) // 2
        top = area.top() + (area.height() - size.height()) // 2
        return QRectF(left, top, size.width(), size.height())

    # Qt

    def paintEvent(self, event: QPaintEvent) -> None:
        """Draw what changed; a fault in drawing is logged once and never repeats per frame."""
        with QPainter(self) as painter:
            if self._is_broken:
                painter.fillRect(self.rect(), self._theme.color("surface"))
                return
            try:
                self._paint(painter, event.rect())
            except Exception:
                self._is_broken = True
                log.exception("the tile of stream %r cannot be drawn and stays empty", self.name)

    def mousePressEvent(self, event: QMouseEvent) -> None:
        """Select this tile."""
        if event.button() is Qt.MouseButton.LeftButton:
            self.pressed.emit(self.name)

    def mouseDoubleClickEvent(self, event: QMouseEvent) -> None:
        """Enlarge this tile, or show all again."""
        if event.button() is Qt.MouseButton.LeftButton:
            self.enlarge_asked.emit(self.name)

    @Slot()
    def _on_theme_changed(self) -> None:
        self.update()

    # painting

    def _paint(self, painter: QPainter, dirty: QRect) -> None:
        tokens = self._theme.tokens
        strip_area = self._strip_area()
        if dirty.intersects(self._picture_area()):
            self._paint_picture(painter)
        if dirty.intersects(strip_area):
            painter.fillRect(strip_area, QColor(tokens.surface))
            is_stalled = bool(self._badge) and not self._is_frozen
            draw_strip(
                painter,
                QRectF(strip_area),
                self._strip,
                (self._state.phase, "warn" if is_stalled else PHASE_TONE[self._state.phase]),
                (self._strong, self._caption),
                tokens,
            )
        self._paint_frame(painter)

    def _paint_picture(self, painter: QPainter) -> None:
        tokens = self._theme.tokens
        area = self._picture_area()
        content = self._content
        painter.fillRect(area, QColor(mix(tokens.raised, tokens.window, 0.5)))
        headline, sentence = notice(self._state, has_picture=content.picture is not None)
        if content.picture is not None:
            self._paint_content(painter, area, has_overlays=not headline)
        if headline:
            if content.picture is not None:
                self._dim(painter, area, _DIM_BEHIND_TEXT)
            draw_notice(
                painter,
                QRectF(area),
                (self._state.phase, headline, sentence),
                (self._title, self._body),
                tokens,
            )
        elif self._badge:
            self._dim(painter, area, _DIM_FROZEN if self._is_frozen else _DIM)
            place = QRectF(area)
            if self._is_frozen:
                place.setHeight(min(place.height(), 2 * self._body.height + 24))
            draw_badge(painter, place, self._badge, self._body, tokens)

    def _paint_content(self, painter: QPainter, area: QRect, *, has_overlays: bool) -> None:
        content, picture = self._content, self.picture_rect()
        if content.picture is None:
            return
        hint = QPainter.RenderHint.SmoothPixmapTransform
        painter.setRenderHint(hint, self._is_frozen and not content.is_waterfall)
        painter.drawImage(picture, content.picture)
        legend = split(QRectF(area), self._legend_px)[1] if content.is_waterfall else None
        if self._has_overlays and has_overlays:
            if content.tint is not None:
                painter.drawImage(picture, content.tint)
            if content.boxes:
                draw_boxes(painter, picture, content.boxes, self._caption)
            if content.scores:
                draw_scores(painter, picture, content.scores, self._caption)
            if content.legend and legend is None:
                draw_legend(painter, picture, content.legend, self._caption)
        painter.setRenderHint(hint, False)
        if legend is not None:
            draw_side_legend(painter, legend, content.legend, self._caption, self._theme.tokens)

    def _paint_frame(self, painter: QPainter) -> None:
        tokens = self._theme.tokens
        frame = QRectF(self.rect())
        rounded = QPainterPath()
        rounded.addRoundedRect(frame.adjusted(0.5, 0.5, -0.5, -0.5), RADIUS_PX, RADIUS_PX)
        outside = QPainterPath()
        outside.addRect(frame)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        painter.fillPath(outside.subtracted(rounded), QColor(tokens.window))
        painter.setBrush(Qt.BrushStyle.NoBrush)
        width = 2 if self._is_selected else 1
        painter.setPen(QPen(QColor(tokens.accent if self._is_selected else tokens.border), width))
        inset = width / 2
        painter.drawRoundedRect(frame.adjusted(inset, inset, -inset, -inset), RADIUS_PX, RADIUS_PX)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing, False)

    def _dim(self, painter: QPainter, area: QRect, opacity: int) -> None:
        veil = QColor(self._theme.tokens.surface)
        veil.setAlpha(opacity)
        painter.fillRect(area, veil)

    # helpers

    def _picture_area(self) -> QRect:
        return self.rect().adjusted(1, 1, -1, -STRIP_PX)

    def _strip_area(self) -> QRect:
        return QRect(1, self.height() - STRIP_PX, max(0, self.width() - 2), STRIP_PX - 1)

    def _set_badge(self, text: str) -> None:
        if text != self._badge:
            self._badge = text
            self._describe()
            self.update()

    def _describe(self) -> None:
        """Tell assistive technology what the picture shows, only when it changed."""
        parts = [self.name, PHASE_WORD[self._state.phase], self._badge]
        parts.append("selected" if self._is_selected else "")
        _if_changed(", ".join(filter(None, parts)), self.accessibleName, self.setAccessibleName)
        told = self._state.message or self._summary or self._content.told
        figures = ", ".join(filter(None, (self._strip.rates, self._strip.age, self._strip.drops)))
        text = "; ".join(filter(None, (told, figures)))
        _if_changed(text, self.accessibleDescription, self.setAccessibleDescription)


def _if_changed(text: str, get: Callable[[], str], put: Callable[[str], None]) -> None:
    if get() != text:
        put(text)
