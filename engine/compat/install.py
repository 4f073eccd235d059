"""Import this at the top of a script to have the published modules served by the engine.

import engine.compat.install
"""

from engine.compat.finder import install

__all__ = ()

install()
