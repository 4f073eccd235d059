"""Plots of the last minute, processes, log and events, in tabs."""

from ui.plots.tabs import BottomTabs

__all__ = ("BottomTabs",)
