"""Devices and drivers: what frames come from and what programs run on."""

from typing import cast

from PySide6.QtCore import Slot
from PySide6.QtWidgets import QFrame, QWidget

from engine.protocol import DriverState, Snapshot
from ui.panels.list_row import ListRow
from ui.panels.panel import Panel, RowList, facts_grid, section
from ui.shell.buttons import IconButton, TextButton
from ui.shell.file_chooser import FileChooser
from ui.shell.layouts import clear, column, label, row
from ui.shell.theme import Theme
from ui.shell.tokens import SPACE_S, SPACE_XL
from ui.viewmodels.drivers import DriversViewModel, parameter_text

__all__ = ("DriversPanel",)


class DriversPanel(Panel):
    """Lets the user look at drivers and say in which folders to find more."""

    def __init__(
        self,
        theme: Theme,
        view_model: DriversViewModel,
        chooser: FileChooser,
        *,
        parent: QWidget | None = None,
    ) -> None:
        super().__init__(theme, parent=parent)
        self._view_model = view_model
        self._chooser = chooser
        self._devices = RowList(self._make_device)
        self._no_device = label(
            self.tr("No device; a plugin that is available brings one."), role="muted", wrap=True
        )
        self._drivers = RowList(self._make_driver)
        self._no_driver = label(
            self.tr("No driver was found; add the folder that contains one."),
            role="muted",
            wrap=True,
        )
        self._folders = RowList(self._make_folder)
        self._no_folder = label(
            self.tr("Only the drivers that ship with Penstock are used."), role="muted", wrap=True
        )
        self._add = TextButton(theme, self.tr("Add folder"), icon_name="plus")
        self._add.setObjectName("add_folder")
        self._add.clicked.connect(self._on_add)
        for widget in (
            section(self.tr("Devices")),
            self._no_device,
            self._devices,
            section(self.tr("Drivers")),
            self._no_driver,
            self._drivers,
            section(self.tr("Driver folders"), self._add),
            self._no_folder,
            self._folders,
        ):
            self.body.addWidget(widget)
        self.body.addStretch(1)
        view_model.changed = self._refresh
        self._refresh()

    def set_snapshot(self, snapshot: Snapshot) -> None:
        """Take over the newest state."""
        self._view_model.set_snapshot(snapshot)

    def _make_device(self, name: str) -> QWidget:
        return ListRow(self.theme, name, is_choosable=False)

    def _make_driver(self, name: str) -> QWidget:
        made = DriverRow(self.theme, name)
        made.head.chosen.connect(self._on_chosen)
        return made

    def _make_folder(self, path: str) -> QWidget:
        return FolderRow(self.theme, self._view_model, path)

    def _refresh(self) -> None:
        model = self._view_model
        self._devices.sync(device.name for device in model.devices)
        for device in model.devices:
            shown = cast("ListRow", self._devices.row(device.name))
            shown.show_state("cpu", "text", device.name, "", self.tr("by %s") % device.plugins)
        self._no_device.setVisible(not model.devices)
        self._drivers.sync(driver.name for driver in model.drivers)
        for driver in model.drivers:
            widget = cast("DriverRow", self._drivers.row(driver.name))
            users = ", ".join(model.users_of(driver.name))
            widget.show_driver(driver, users, is_open=driver.name == model.opened)
        self._no_driver.setVisible(not model.drivers)
        self._folders.sync(model.folders)
        self._no_folder.setVisible(not model.folders)
        self.say(model.message)

    @Slot(str)
    def _on_chosen(self, name: str) -> None:
        self._view_model.toggle(name)

    @Slot()
    def _on_add(self) -> None:
        folder = self._chooser.open_folder(self, self.tr("Folder with drivers"), "")
        if folder:
            self._view_model.add_folder(folder)


class DriverRow(QFrame):
    """A driver; when opened, with its description and parameters."""

    def __init__(self, theme: Theme, name: str) -> None:
        super().__init__()
        self.head = ListRow(theme, name)
        self._details = QWidget()
        self._layout = column()
        self._layout.setContentsMargins(SPACE_XL + SPACE_S, 0, SPACE_S, SPACE_S)
        self._details.setLayout(self._layout)
        self._shown: object = None
        self.setLayout(column(self.head, self._details, spacing=0))

    def show_driver(self, driver: DriverState, users: str, *, is_open: bool) -> None:
        """Show the newest state of the driver."""
        tone = "error" if driver.problem else "text"
        icon_name = "circle-x" if driver.problem else "camera"
        second = driver.problem or driver.name
        word = self.tr("not usable") if driver.problem else ""
        self.head.show_state(icon_name, tone, driver.label or driver.name, word, second)
        self.head.set_selected(is_open)
        self._details.setVisible(is_open)
        if is_open and self._shown != (driver, users):
            self._shown = (driver, users)
            self._show_details(driver, users)

    def _show_details(self, driver: DriverState, users: str) -> None:
        clear(self._layout)
        self._layout.addWidget(label(driver.description, wrap=True))
        facts = [(p.label, parameter_text(p)) for p in driver.parameters]
        facts += [("Used by", users or "no stream"), ("Folder", driver.folder or "built in")]
        self._layout.addWidget(facts_grid(facts))


class FolderRow(QFrame):
    """A folder drivers are looked for in, with the button that takes it out."""

    def __init__(self, theme: Theme, view_model: DriversViewModel, path: str) -> None:
        super().__init__()
        self._view_model = view_model
        self._path = path
        text = label(path.replace("/", "/\u200b"), wrap=True)
        text.setToolTip(path)
        remove = IconButton(theme, "trash-2", self.tr("Stop looking in %s") % path)
        remove.setObjectName("remove_folder")
        remove.clicked.connect(self._on_remove)
        line = row(text, remove)
        line.setStretch(0, 1)
        self.setLayout(line)

    @Slot()
    def _on_remove(self) -> None:
        self._view_model.remove_folder(self._path)
