"""The wall: one tile per stream, as large as the window allows."""

import time
from collections.abc import Callable
from datetime import datetime
from typing import TYPE_CHECKING

from PySide6.QtCore import QRect, QSize, Qt, QTimer, Signal, Slot
from PySide6.QtGui import (
    QAction,
    QColor,
    QHideEvent,
    QKeyEvent,
    QPainter,
    QPaintEvent,
    QResizeEvent,
    QShowEvent,
)
from PySide6.QtWidgets import QWidget

from engine.protocol import Snapshot, StreamState, Telemetry
from ui.shell.theme import Theme
from ui.wall.class_colors import ClassColors
from ui.wall.empty import EmptyWall
from ui.wall.grid import best_columns, grid
from ui.wall.previews import PreviewSource
from ui.wall.strip import STRIP_PX

if TYPE_CHECKING:
    from ui.wall.tile import Tile

__all__ = ("MAX_TILES", "TileWall")

MAX_TILES = 36

_MARGIN_PX = 8
_GAP_PX = 8
_SETTLE_MS = 120


class TileWall(QWidget):
    """Shows the streams side by side; double click or Enter enlarges one, Escape shows all.

    The owner calls `tick` thirty times a second; the wall starts no clock of its own for pictures.
    Arrow keys move the selection, O shows or hides the results.

    Parameters
    ----------
    theme : colors and fonts.
    previews : where the newest picture of a stream comes from; asked only for visible tiles.
    clock : monotonic time in nanoseconds, for tests.
    """

    selected = Signal(str)
    """A stream's name: the user chose its tile."""
    open_requested = Signal()
    """The user wants to open a project, because there is no stream."""
    previews_wanted = Signal(list)
    """List of (name, is_watched, width, height) in device pixels; emitted when it changed."""

    def __init__(
        self,
        theme: Theme,
        previews: PreviewSource,
        *,
        parent: QWidget | None = None,
        clock: Callable[[], int] = time.monotonic_ns,
    ) -> None:
        super().__init__(parent)
        self.setObjectName("tile_wall")
        self.setAccessibleName(self.tr("Streams"))
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.setMinimumSize(240, 160)
        self._theme = theme
        self._previews = previews
        self._clock = clock
        self._tiles: dict[str, Tile] = {}
        self._colors: dict[str, tuple[tuple[str, ...], ClassColors]] = {}
        self._chosen = ""
        self._enlarged = ""
        self._frozen_since = ""
        self._announced: list[tuple[str, bool, int, int]] = []
        self._empty = EmptyWall(parent=self)
        self._empty.open_requested.connect(self.open_requested)
        self._settle = QTimer(self)
        self._settle.setSingleShot(True)
        self._settle.setInterval(_SETTLE_MS)
        self._settle.timeout.connect(self._announce)
        self.overlay_action = self._make_overlay_action()
        theme.changed.connect(self._on_theme_changed)

    # what is shown

    def set_snapshot(self, snapshot: Snapshot) -> None:
        """Show the streams of this state; tiles of streams that stay keep their pictures."""
        streams = snapshot.streams[:MAX_TILES]
        names = [stream.name for stream in streams]
        if names != list(self._tiles):
            self._keep_only(streams)
        now_ns = self._clock()
        for stream in streams:
            self._tiles[stream.name].set_state(stream, now_ns)
        self._refresh_colors(snapshot)
        self._settle.start()

    def set_telemetry(self, telemetry: Telemetry) -> None:
        """Show the newest figures in the strips."""
        figures = {stream.name: stream for stream in telemetry.streams}
        now_ns = self._clock()
        for name, tile in self._tiles.items():
            tile.set_figures(figures.get(name), now_ns)

    @Slot()
    def tick(self) -> None:
        """Fetch new pictures of the visible tiles and repaint those that have one."""
        if not self.isVisible():
            return
        now_ns = self._clock()
        for name, tile in self._tiles.items():
            if tile.isHidden():
                continue
            preview = None if self._frozen_since else self._previews.read(name)
            if preview is not None:
                tile.show_preview(preview, now_ns)
            else:
                tile.check_freshness(now_ns)

    @Slot(bool)
    def set_frozen(self, is_frozen: bool) -> None:
        """Hold the pictures still and say since when, or let them run again."""
        if is_frozen == bool(self._frozen_since):
            return
        self._frozen_since = f"{datetime.now().astimezone():%H:%M:%S}" if is_frozen else ""
        for tile in self._tiles.values():
            tile.set_frozen(self._frozen_since, self._clock())

    @Slot(str)
    def set_selected(self, name: str) -> None:
        """Mark the tile of a stream without telling anybody; an unknown name marks none."""
        self._chosen = name
        for tile in self._tiles.values():
            tile.set_selected(tile.name == name)

    @property
    def enlarged(self) -> str:
        """Name of the stream that is shown alone; empty while all are shown."""
        return self._enlarged

    @Slot(str)
    def enlarge(self, name: str) -> None:
        """Show only this stream; an empty or unknown name shows all."""
        self._enlarged = name if name in self._tiles else ""
        self._arrange()

    @Slot(bool)
    def set_overlays(self, are_visible: bool) -> None:
        """Draw results over the pictures, or only the pictures."""
        for tile in self._tiles.values():
            tile.set_overlays(are_visible)

    # Qt

    def resizeEvent(self, event: QResizeEvent) -> None:
        """Arrange the tiles anew."""
        super().resizeEvent(event)
        self._arrange()

    def showEvent(self, event: QShowEvent) -> None:
        """Ask for pictures again."""
        super().showEvent(event)
        self._settle.start()

    def hideEvent(self, event: QHideEvent) -> None:
        """Say that nobody looks."""
        super().hideEvent(event)
        self._settle.start()

    def paintEvent(self, _event: QPaintEvent) -> None:
        """Fill the gaps."""
        with QPainter(self) as painter:
            painter.fillRect(self.rect(), QColor(self._theme.tokens.window))

    def keyPressEvent(self, event: QKeyEvent) -> None:
        """Move the selection, enlarge, or show all."""
        key = event.key()
        if key == Qt.Key.Key_Escape and self._enlarged:
            self.enlarge("")
        elif key in (Qt.Key.Key_Return, Qt.Key.Key_Enter) and self._chosen:
            self._on_enlarge_asked(self._chosen)
        elif key in _MOVES and self._tiles:
            self._move_selection(Qt.Key(key))
        else:
            super().keyPressEvent(event)

    # slots

    @Slot(str)
    def _on_pressed(self, name: str) -> None:
        self.setFocus(Qt.FocusReason.MouseFocusReason)
        self._choose(name)

    @Slot(str)
    def _on_enlarge_asked(self, name: str) -> None:
        self.enlarge("" if self._enlarged else name)

    @Slot()
    def _on_theme_changed(self) -> None:
        self.update()

    @Slot()
    def _announce(self) -> None:
        """Tell which pictures are needed and how large, when that changed."""
        wanted = []
        for name, tile in self._tiles.items():
            size = tile.picture_size_px()
            is_watched = self.isVisible() and not tile.isHidden()
            wanted.append((name, is_watched, size.width(), size.height()))
        if wanted != self._announced:
            self._announced = wanted
            self.previews_wanted.emit(list(wanted))

    # helpers

    def _make_overlay_action(self) -> QAction:
        action = QAction(self.tr("Results over pictures"), self)
        action.setObjectName("show_overlays")
        action.setCheckable(True)
        action.setChecked(True)
        action.setShortcut("O")
        action.setShortcutContext(Qt.ShortcutContext.WidgetWithChildrenShortcut)
        action.toggled.connect(self.set_overlays)
        self.addAction(action)
        return action

    def _keep_only(self, streams: tuple[StreamState, ...]) -> None:
        """Make tiles of new streams, remove those of streams that are gone, keep the order."""
        before = self._tiles
        self._tiles = {
            name: before.pop(name) if name in before else self._make_tile(stream)
            for name, stream in ((stream.name, stream) for stream in streams)
        }
        for tile in before.values():
            tile.hide()
            tile.deleteLater()
        if self._enlarged not in self._tiles:
            self._enlarged = ""
        self._arrange()

    def _make_tile(self, stream: StreamState) -> "Tile":
        from ui.wall.tile import Tile  # noqa: PLC0415 - start-up time: brings NumPy along

        tile = Tile(stream, self._theme, parent=self)
        tile.pressed.connect(self._on_pressed)
        tile.enlarge_asked.connect(self._on_enlarge_asked)
        tile.set_selected(stream.name == self._chosen)
        tile.set_overlays(self.overlay_action.isChecked())
        tile.set_frozen(self._frozen_since, self._clock())
        return tile

    def _refresh_colors(self, snapshot: Snapshot) -> None:
        """Give every stream the colors of its program's classes; equal labels share them."""
        labels = {program.name: program.labels for program in snapshot.programs}
        used = {stream.name: stream.program for stream in snapshot.project.streams}
        for name, tile in self._tiles.items():
            wanted = labels.get(used.get(name, ""), ())
            known = self._colors.get(name)
            if known is None or known[0] != wanted:
                self._colors[name] = known = (wanted, ClassColors(wanted))
            tile.set_colors(known[1])
        for gone in set(self._colors) - set(self._tiles):
            del self._colors[gone]

    def _arrange(self) -> None:
        shown = [self._enlarged] if self._enlarged else list(self._tiles)
        self._empty.setVisible(not self._tiles)
        self._empty.setGeometry(self.rect())
        inner = self._inner()
        cells = grid(len(shown), inner.width(), inner.height(), gap=_GAP_PX, strip=STRIP_PX)
        for name, tile in self._tiles.items():
            tile.setVisible(name in shown)
        for name, cell in zip(shown, cells, strict=True):
            self._tiles[name].setGeometry(
                inner.x() + cell.x, inner.y() + cell.y, cell.width, cell.height
            )
        self._settle.start()

    def _inner(self) -> QRect:
        return self.rect().adjusted(_MARGIN_PX, _MARGIN_PX, -_MARGIN_PX, -_MARGIN_PX)

    def _choose(self, name: str) -> None:
        if name != self._chosen:
            self.set_selected(name)
            self.selected.emit(name)

    def _move_selection(self, key: Qt.Key) -> None:
        names = list(self._tiles)
        inner = self._inner()
        columns = best_columns(
            len(names), inner.width(), inner.height(), gap=_GAP_PX, strip=STRIP_PX
        )
        if self._chosen not in self._tiles:
            self._choose(names[0])
            return
        step = {
            Qt.Key.Key_Left: -1,
            Qt.Key.Key_Right: 1,
            Qt.Key.Key_Up: -columns,
            Qt.Key.Key_Down: columns,
        }[key]
        if self._enlarged:
            step = 1 if step > 0 else -1
        target = names.index(self._chosen) + step
        if 0 <= target < len(names):
            self._choose(names[target])
            if self._enlarged:
                self.enlarge(names[target])

    def sizeHint(self) -> QSize:
        """Return a comfortable size."""
        return QSize(960, 600)


_MOVES = frozenset({Qt.Key.Key_Left, Qt.Key.Key_Right, Qt.Key.Key_Up, Qt.Key.Key_Down})
