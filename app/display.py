"""Whether there is a screen to open a window on."""

import os
import sys

__all__ = ("has_display",)


def has_display() -> bool:
    """Tell whether a window could be seen here."""
    if sys.platform in ("win32", "darwin"):
        return True
    return bool(os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY"))
