"""Turns frames of a source into the input tensor of a program."""

from engine.pipeline.pre.geometry import Geometry
from engine.pipeline.pre.preprocessor import Preprocessor

__all__ = ("Geometry", "Preprocessor")
