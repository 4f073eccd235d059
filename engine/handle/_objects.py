"""Objects that a model finds in a picture, as a list with one record per object."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from engine.config import Task
from engine.handle._plan import Plan
from engine.handle.errors import runtime_errors
from engine.pipeline.post import make_postprocessor
from engine.pipeline.pre import Geometry
from engine.protocol import Box

__all__ = ("OBJECT_DTYPE", "ObjectFinder", "finds_objects")

Array = np.ndarray[Any, Any]

_LANDMARKS = 10  # five points of a face

OBJECT_DTYPE = np.dtype(
    [
        ("x", np.float64),
        ("y", np.float64),
        ("width", np.float64),
        ("height", np.float64),
        ("uniqueClass", np.int32),
        ("score", np.float32),
        ("landmarks", np.float64, (_LANDMARKS,)),
    ]
)
"""One object: the box and the points (x, y by turns, NaN without) in pixels of the picture."""


def finds_objects(plan: Plan) -> bool:
    """Tell whether a model's results are boxes."""
    return plan.entry.task in (Task.DETECT, Task.FACES)


class ObjectFinder:
    """Reads the boxes out of a model's outputs.

    Parameters
    ----------
    input_size, picture_size : (width, height) of what the model gets and of the picture, pixels.

    Raises
    ------
    ArgumentError
        When the outputs are not those that the program's task needs.
    """

    def __init__(
        self, plan: Plan, input_size: tuple[int, int], picture_size: tuple[int, int]
    ) -> None:
        entry = plan.entry
        self._size = picture_size
        with runtime_errors():
            self._find = make_postprocessor(
                entry.task, entry.post, plan.outputs, entry.labels, input_size=input_size
            )

    def __call__(self, outputs: Sequence[Array], geometry: Geometry) -> Array:
        """Return the objects, strongest first, shape (n,), dtype `OBJECT_DTYPE`."""
        boxes = self._find(outputs, geometry).boxes
        return np.array([self._record(box) for box in boxes], OBJECT_DTYPE)

    def _record(self, box: Box) -> tuple[Any, ...]:
        width, height = self._size
        points = np.full(_LANDMARKS, np.nan)
        given = np.asarray(box.landmarks[:_LANDMARKS])
        points[: given.size] = given * np.resize(self._size, given.size)
        return (
            box.x * width,
            box.y * height,
            box.width * width,
            box.height * height,
            box.index,
            box.score,
            points,
        )
