"""Classes of a whole picture."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from engine.config import PostSettings
from engine.pipeline.post.findings import Findings, Labels, find_output
from engine.pipeline.post.scores import softmax
from engine.pipeline.pre import Geometry
from engine.protocol import ClassScore, TensorInfo

__all__ = ("ClassifyPostprocessor",)


class ClassifyPostprocessor:
    """The strongest classes whose score reaches the threshold, strongest first."""

    def __init__(
        self, settings: PostSettings, outputs: Sequence[TensorInfo], labels: Labels
    ) -> None:
        self._settings = settings
        self._labels = labels
        self._scores = find_output(outputs, settings, "scores", 0)

    def __call__(self, outputs: Sequence[npt.NDArray[Any]], geometry: Geometry) -> Findings:
        """Read the scores (any shape with one value per class); `geometry` does not matter."""
        del geometry
        scores = outputs[self._scores].reshape(-1)
        if self._settings.apply_softmax:
            scores = softmax(scores)
        candidates = np.flatnonzero(scores >= self._settings.threshold)
        order = candidates[np.argsort(-scores[candidates], kind="stable")]
        return Findings(
            classes=tuple(
                ClassScore(int(index), self._labels[int(index)], float(scores[index]))
                for index in order[: self._settings.max_results]
            )
        )
