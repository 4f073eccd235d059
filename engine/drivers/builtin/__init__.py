"""Drivers that come with the engine, one folder each; found by their manifests like any other."""

__all__ = ()
