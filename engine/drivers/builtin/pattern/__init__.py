"""A test pattern whose truth is known."""

__all__ = ()
