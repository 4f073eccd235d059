"""USB cameras of the video class, through Video4Linux."""

__all__ = ()
