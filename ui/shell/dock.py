"""Docks with a calm title bar; closing one hides it."""

from PySide6.QtCore import Qt
from PySide6.QtWidgets import QDockWidget, QFrame, QMainWindow, QWidget

from ui.shell.buttons import IconButton
from ui.shell.layouts import label, row
from ui.shell.theme import Theme, set_role
from ui.shell.tokens import SPACE_M, SPACE_XS

__all__ = ("Dock",)

_TITLE_PX = 40


class Dock(QDockWidget):
    """A dock with title, its content's own buttons, and close."""

    def __init__(
        self, theme: Theme, name: str, title: str, *, parent: QMainWindow, is_titled: bool = True
    ) -> None:
        super().__init__(title, parent)
        self.setObjectName(name)
        self.setFeatures(
            QDockWidget.DockWidgetFeature.DockWidgetClosable
            | QDockWidget.DockWidgetFeature.DockWidgetMovable
            | QDockWidget.DockWidgetFeature.DockWidgetFloatable
        )
        self._title = label(title, role="title")
        self._close = IconButton(theme, "x", self.tr("Hide %s") % title.lower())
        self._close.setObjectName(f"{name}_close")
        self._close.clicked.connect(self.close)
        self._line = row(self._title, 1, self._close, spacing=SPACE_XS)
        self._line.setContentsMargins(SPACE_M, 0, SPACE_XS, 0)
        self._actions: list[QWidget] = []
        bar = QFrame()
        set_role(bar, "dock_title")
        bar.setFixedHeight(_TITLE_PX)
        bar.setLayout(self._line)
        self.setTitleBarWidget(bar if is_titled else QFrame())
        self.setAllowedAreas(Qt.DockWidgetArea.AllDockWidgetAreas)

    def place(self, widget: QWidget) -> None:
        """Show a widget on the dock's surface."""
        widget.setAttribute(Qt.WidgetAttribute.WA_StyledBackground)
        self.setWidget(widget)

    def set_title(self, title: str, actions: list[QWidget]) -> None:
        """Show another title, with these widgets before the close button."""
        self.setWindowTitle(title)
        self._title.setText(title)
        self._close.setToolTip(self.tr("Hide %s") % title.lower())
        self._close.setAccessibleName(self.tr("Hide %s") % title.lower())
        for old in self._actions:
            self._line.removeWidget(old)
            old.hide()
        self._actions = actions
        for position, widget in enumerate(actions):
            self._line.insertWidget(2 + position, widget)
            widget.show()
