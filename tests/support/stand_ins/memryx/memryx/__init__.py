"""Stands in for the vendor's runtime package."""

from memryx.runtime.accl import SyncAccl

__version__ = "2.1.0"

__all__ = ("SyncAccl",)
