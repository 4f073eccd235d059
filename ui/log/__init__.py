"""The log of the engine and the window."""

from ui.log.view import LogView

__all__ = ("LogView",)
