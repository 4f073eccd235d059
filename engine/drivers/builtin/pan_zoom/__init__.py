"""A camera that pans and zooms over photographs."""

__all__ = ()
