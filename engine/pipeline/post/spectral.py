"""A class for every pixel of a line."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from engine.config import PostSettings
from engine.errors import InvalidArgumentError
from engine.pipeline.post.findings import NO_CLASS, Findings, Labels, find_output, shares_of
from engine.pipeline.post.scores import softmax
from engine.pipeline.pre import Geometry
from engine.protocol import ClassLine, TensorInfo

__all__ = ("SpectralPostprocessor",)


class SpectralPostprocessor:
    """The strongest class of each pixel and its score, as bytes.

    Scores have shape (lines, pixels, classes); of several lines the last one, the newest, counts.
    A pixel whose strongest score is below the threshold gets the class byte 255, its score stays.
    """

    def __init__(
        self, settings: PostSettings, outputs: Sequence[TensorInfo], labels: Labels
    ) -> None:
        self._settings = settings
        self._labels = labels
        self._scores = find_output(outputs, settings, "scores", 0)
        output = outputs[self._scores]
        if len(output.shape) != 3 or output.shape[2] > NO_CLASS:
            raise InvalidArgumentError(
                f"output {output.name!r} has shape {output.shape}; class lines need scores of "
                f"shape (lines, pixels, classes) with at most {NO_CLASS} classes"
            )

    def __call__(self, outputs: Sequence[npt.NDArray[Any]], geometry: Geometry) -> Findings:
        """Return the class line; `geometry` does not matter, a line is never cut or scaled."""
        del geometry
        scores = outputs[self._scores][-1]
        if self._settings.apply_softmax:
            scores = softmax(scores)
        classes = scores.argmax(axis=-1).astype(np.uint8)
        best = np.take_along_axis(scores, classes[:, None].astype(np.intp), axis=-1)[:, 0]
        classes[best < self._settings.threshold] = NO_CLASS
        strength = np.rint(best * 255).clip(0, 255).astype(np.uint8)
        return Findings(
            line=ClassLine(
                classes=classes.tobytes(),
                scores=strength.tobytes(),
                shares=shares_of(classes, self._labels, self._settings.max_results),
            )
        )
