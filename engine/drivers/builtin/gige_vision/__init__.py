"""GigE Vision cameras, through the library aravis."""

__all__ = ()
