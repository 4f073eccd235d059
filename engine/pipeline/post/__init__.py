"""Turns the output tensors of a program into results."""

from engine.pipeline.post.classify import ClassifyPostprocessor
from engine.pipeline.post.factory import make_postprocessor
from engine.pipeline.post.findings import Findings, Postprocessor
from engine.pipeline.post.segment import SegmentPostprocessor
from engine.pipeline.post.spectral import SpectralPostprocessor
from engine.pipeline.post.ssd import SsdPostprocessor
from engine.pipeline.post.yunet import YunetPostprocessor

__all__ = (
    "ClassifyPostprocessor",
    "Findings",
    "Postprocessor",
    "SegmentPostprocessor",
    "SpectralPostprocessor",
    "SsdPostprocessor",
    "YunetPostprocessor",
    "make_postprocessor",
)
