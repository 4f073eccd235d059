"""Remembers where everything was, and which theme."""

from PySide6.QtCore import QByteArray, QSettings
from PySide6.QtWidgets import QMainWindow

from ui.shell.theme import ThemeMode

__all__ = ("LAYOUT_VERSION", "LayoutStore")

LAYOUT_VERSION = 1


class LayoutStore:
    """Window geometry, docks, open panel and theme in a `QSettings`; damaged values are ignored."""

    def __init__(self, settings: QSettings) -> None:
        self._settings = settings

    @property
    def theme_mode(self) -> ThemeMode:
        """The theme chosen last."""
        value = str(self._settings.value("theme", ThemeMode.SYSTEM.value))
        return ThemeMode(value) if value in list(ThemeMode) else ThemeMode.SYSTEM

    @theme_mode.setter
    def theme_mode(self, mode: ThemeMode) -> None:
        self._settings.setValue("theme", mode.value)

    @property
    def panel(self) -> str:
        """Key of the panel that was open; "streams" the first time."""
        return str(self._settings.value("panel", "streams"))

    def restore(self, window: QMainWindow) -> bool:
        """Put the window back; False when there is nothing usable to go by."""
        geometry, state = self._bytes("geometry"), self._bytes("state")
        if geometry is not None:
            window.restoreGeometry(geometry)
        return state is not None and window.restoreState(state, LAYOUT_VERSION)

    def save(self, window: QMainWindow, panel: str) -> None:
        """Remember how the window looks now."""
        self._settings.setValue("geometry", window.saveGeometry())
        self._settings.setValue("state", window.saveState(LAYOUT_VERSION))
        self._settings.setValue("panel", panel)
        self._settings.sync()

    def _bytes(self, key: str) -> QByteArray | None:
        value = self._settings.value(key)
        return value if isinstance(value, QByteArray) and not value.isEmpty() else None
