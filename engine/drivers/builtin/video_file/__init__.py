"""Plays a video file."""

__all__ = ()
