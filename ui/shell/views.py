"""The three views the window places, and where they come from."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol, cast

from PySide6.QtCore import SignalInstance
from PySide6.QtGui import QAction
from PySide6.QtWidgets import QWidget

from engine.protocol import LogEntry, Snapshot, Telemetry
from ui.bridge.protocols import PreviewSource
from ui.shell.theme import Theme

if TYPE_CHECKING:
    from ui.wall.previews import PreviewSource as WallPreviews

__all__ = ("InspectorView", "TabsView", "Views", "WallView", "standard_views")


class WallView(Protocol):
    """The wall of pictures; also a `QWidget`."""

    @property
    def selected(self) -> SignalInstance:
        """Emits the name of the stream that was chosen."""

    @property
    def open_requested(self) -> SignalInstance:
        """Asks for a project to open."""

    @property
    def previews_wanted(self) -> SignalInstance:
        """Emits a list of (stream, is watched, width, height)."""

    @property
    def overlay_action(self) -> QAction:
        """Shows or hides results over the pictures."""

    def set_snapshot(self, snapshot: Snapshot) -> None:
        """Take over the newest state."""

    def set_telemetry(self, telemetry: Telemetry) -> None:
        """Take over the newest figures."""

    def set_selected(self, name: str) -> None:
        """Mark the tile of a stream without emitting `selected`."""

    def set_frozen(self, is_frozen: bool) -> None:
        """Keep the pictures as they are, or go on."""

    def tick(self) -> None:
        """Show the newest pictures."""


class TabsView(Protocol):
    """Plots and log below the wall; also a `QWidget`."""

    def set_snapshot(self, snapshot: Snapshot) -> None:
        """Take over the newest state."""

    def add_telemetry(self, telemetry: Telemetry) -> None:
        """Append the newest figures."""

    def add_event(self, text: str, *, tone: str = "info", source: str = "engine") -> None:
        """Note something that happened, with the tone of a state ("error", "ok", "info")."""

    def add_log(self, entries: list[LogEntry]) -> None:
        """Append log entries."""

    def tick(self) -> None:
        """Draw what is new."""


class InspectorView(Protocol):
    """Everything about one stream; also a `QWidget`."""

    def show_stream(self, name: str) -> None:
        """Show the stream of that name."""

    def set_snapshot(self, snapshot: Snapshot) -> None:
        """Take over the newest state."""

    def set_telemetry(self, telemetry: Telemetry) -> None:
        """Take over the newest figures."""


@dataclass(frozen=True)
class Views:
    """How to make the views; the plots are made after the window was painted once."""

    make_wall: Callable[[Theme, PreviewSource], QWidget]
    make_tabs: Callable[[Theme], QWidget]
    make_inspector: Callable[[Theme], QWidget]


def standard_views() -> Views:
    """Return the views of the product; each is imported when it is made."""
    return Views(_make_wall, _make_tabs, _make_inspector)


def _make_wall(theme: Theme, previews: PreviewSource) -> QWidget:
    from ui.wall.wall import TileWall  # noqa: PLC0415 - start-up time: only what is shown

    return TileWall(theme, cast("WallPreviews", previews))


def _make_tabs(theme: Theme) -> QWidget:
    from ui.plots.tabs import BottomTabs  # noqa: PLC0415 - pyqtgraph takes half a second to import

    return BottomTabs(theme)


def _make_inspector(theme: Theme) -> QWidget:
    from ui.inspector.inspector import Inspector  # noqa: PLC0415 - start-up time

    return Inspector(theme)
