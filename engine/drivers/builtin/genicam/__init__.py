"""Cameras behind a GenTL producer, through harvesters."""

__all__ = ()
