"""The tile wall: every stream's picture with its results."""

from ui.wall.class_colors import ClassColors, text_on
from ui.wall.previews import Preview, PreviewSource
from ui.wall.wall import TileWall

__all__ = ("ClassColors", "Preview", "PreviewSource", "TileWall", "text_on")
