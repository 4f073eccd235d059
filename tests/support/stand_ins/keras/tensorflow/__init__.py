"""Stands in for TensorFlow."""

from tensorflow import keras

__all__ = ("keras",)
