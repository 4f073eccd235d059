"""Stands in for Keras: one application, and the export to ONNX that Keras 3 has."""

from tensorflow.keras import applications

__all__ = ("applications",)
