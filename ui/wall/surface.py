"""Backgrounds of panels."""

from PySide6.QtCore import Qt
from PySide6.QtGui import QPalette
from PySide6.QtWidgets import QWidget

__all__ = ("lay_on_surface",)


def lay_on_surface(widget: QWidget) -> None:
    """Give a widget the background of panels instead of the window's; it follows the theme."""
    widget.setBackgroundRole(QPalette.ColorRole.Base)
    widget.setAutoFillBackground(True)
    widget.setAttribute(Qt.WidgetAttribute.WA_StyledBackground)
