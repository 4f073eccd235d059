"""MemryX MX3 cards, through their vendor's own runtime. Not yet run on a card."""

from engine.plugins.mx3.plugin import Mx3Plugin
from engine.plugins.mx3.session import Mx3Session

__all__ = ("Mx3Plugin", "Mx3Session")
