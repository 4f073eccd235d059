"""Objects found by a detector that suppresses doubles itself."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from engine.config import PostSettings
from engine.pipeline.post.boxes import to_boxes
from engine.pipeline.post.findings import Findings, Labels, find_output
from engine.pipeline.pre import Geometry
from engine.protocol import TensorInfo

__all__ = ("SsdPostprocessor",)

_ROLES = ("boxes", "classes", "scores", "count")


class SsdPostprocessor:
    """Reads boxes (n, 4) as top, left, bottom, right in 0..1, class numbers, scores and a count.

    The roles of the outputs are "boxes", "classes", "scores" and "count"; without names in the
    settings they are taken in this order.
    """

    def __init__(
        self, settings: PostSettings, outputs: Sequence[TensorInfo], labels: Labels
    ) -> None:
        self._settings = settings
        self._labels = labels
        places = [find_output(outputs, settings, role, at) for at, role in enumerate(_ROLES)]
        self._boxes, self._classes, self._scores, self._count = places

    def __call__(self, outputs: Sequence[npt.NDArray[Any]], geometry: Geometry) -> Findings:
        """Return the boxes whose score reaches the threshold, strongest first."""
        count = int(outputs[self._count].reshape(-1)[0])
        scores = outputs[self._scores].reshape(-1)[:count]
        candidates = np.flatnonzero(scores >= self._settings.threshold)
        if not candidates.size:
            return Findings()
        order = candidates[np.argsort(-scores[candidates], kind="stable")]
        order = order[: self._settings.max_results]
        boxes = outputs[self._boxes].reshape(-1, 4)[order]
        classes = outputs[self._classes].reshape(-1)[order]
        corners = boxes[:, [1, 0, 3, 2]]
        return Findings(boxes=to_boxes(classes, scores[order], corners, geometry, self._labels))
