"""Shows the images of a folder, one after the other."""

__all__ = ()
