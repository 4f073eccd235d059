"""Plays a spectral cube line by line, like a line camera."""

__all__ = ()
