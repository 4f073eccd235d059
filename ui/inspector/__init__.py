"""The inspector of one stream."""

from ui.inspector.inspector import Inspector

__all__ = ("Inspector",)
