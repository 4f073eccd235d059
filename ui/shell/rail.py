"""The narrow strip at the left: one item per set-up panel."""

from dataclasses import dataclass

from PySide6.QtCore import QSize, Qt, Signal, Slot
from PySide6.QtWidgets import QSizePolicy, QToolBar, QWidget

from ui.shell.buttons import IconButton
from ui.shell.theme import Theme
from ui.shell.tokens import ICON_PX

__all__ = ("RAIL_ITEMS", "Rail", "RailItem")

_WIDTH_PX = 76


@dataclass(frozen=True)
class RailItem:
    """An item of the rail; `key` is empty for the one that closes the panel."""

    key: str
    icon: str
    word: str
    title: str


RAIL_ITEMS = (
    RailItem("", "layout-grid", "Live", "Live pictures only"),
    RailItem("streams", "video", "Streams", "Streams"),
    RailItem("programs", "package", "Programs", "Programs"),
    RailItem("drivers", "camera", "Drivers", "Devices and drivers"),
    RailItem("plugins", "plug", "Plugins", "Plugins"),
    RailItem("threads", "cpu", "Threads", "Threads"),
    RailItem("outputs", "file-output", "Outputs", "Outputs"),
    RailItem("license", "key-round", "License", "Keys and license"),
)


class Rail(QToolBar):
    """Emits `chosen` with the key of the clicked item."""

    chosen = Signal(str)

    def __init__(self, theme: Theme, *, parent: QWidget | None = None) -> None:
        super().__init__(self.tr("Panels"), parent)
        self.setObjectName("rail")
        self.setMovable(False)
        self.setFloatable(False)
        self.setOrientation(Qt.Orientation.Vertical)
        self.setContextMenuPolicy(Qt.ContextMenuPolicy.PreventContextMenu)
        self._buttons: dict[str, IconButton] = {}
        for number, item in enumerate(RAIL_ITEMS, start=1):
            button = IconButton(
                theme, item.icon, f"{item.title} ({number})", text=item.word, role="rail"
            )
            button.setObjectName(f"rail_{item.key or 'live'}")
            button.setCheckable(True)
            button.setToolButtonStyle(Qt.ToolButtonStyle.ToolButtonTextUnderIcon)
            button.setIconSize(QSize(ICON_PX, ICON_PX))
            button.setFixedWidth(_WIDTH_PX)
            button.setSizePolicy(QSizePolicy.Policy.Fixed, QSizePolicy.Policy.Fixed)
            button.setAccessibleName(item.title)
            button.setProperty("panel_key", item.key)
            button.clicked.connect(self._on_clicked)
            self._buttons[item.key] = button
            self.addWidget(button)
        self.mark("")

    def mark(self, key: str) -> None:
        """Show which panel is open."""
        for other, button in self._buttons.items():
            button.setChecked(other == key)

    @Slot()
    def _on_clicked(self) -> None:
        key = self.sender().property("panel_key")
        self.chosen.emit(key)
