"""The one clock that times are taken from."""

from time import monotonic_ns as now_ns

__all__ = ("now_ns",)
