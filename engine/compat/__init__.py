"""The vendors' module names, served by the engine, so that their scripts run unchanged."""

from engine.compat.finder import install, is_installed, remove

__all__ = ("install", "is_installed", "remove")
