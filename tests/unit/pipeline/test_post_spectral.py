"""Scores per pixel of a line become a class line."""

import numpy as np
import pytest

from engine.config import PostSettings, Task
from engine.errors import InvalidArgumentError
from engine.pipeline.post import make_postprocessor
from engine.pipeline.pre import Geometry
from engine.protocol import ClassLine, ClassShare, TensorInfo

LABELS = ("not labeled", "corn", "woods")


def classify_line(scores: list[list[list[float]]], settings: PostSettings) -> ClassLine:
    values = np.array(scores, np.float32)
    outputs = (TensorInfo("scores", values.shape, "float32"),)
    postprocessor = make_postprocessor(Task.SPECTRAL, settings, outputs, LABELS)
    line = postprocessor([values], Geometry()).line
    assert line is not None
    return line


def test_every_pixel_gets_its_class_and_its_score_as_a_byte() -> None:
    line = classify_line([[[0.0, 1.0, 0.0], [0.0, 0.2, 0.8]]], PostSettings())

    assert list(line.classes) == [1, 2]
    assert list(line.scores) == [255, 204]


def test_a_weak_pixel_has_no_class_but_keeps_its_score() -> None:
    line = classify_line(
        [[[0.0, 0.4, 0.3], [0.0, 0.2, 0.8], [0.0, 0.1, 0.9], [0.0, 0.9, 0.1]]], PostSettings()
    )

    assert list(line.classes) == [255, 2, 2, 1]
    assert line.scores[0] == 102
    assert line.shares == (ClassShare(2, "woods", 0.5), ClassShare(1, "corn", 0.25))


def test_logits_become_probabilities() -> None:
    logits = np.log([[[0.1, 0.2, 0.7]]]).tolist()

    line = classify_line(logits, PostSettings(apply_softmax=True))

    assert list(line.scores) == [pytest.approx(0.7 * 255, abs=1)]


def test_of_several_lines_the_newest_counts() -> None:
    line = classify_line([[[0.0, 1.0, 0.0]], [[0.0, 0.0, 1.0]]], PostSettings())

    assert list(line.classes) == [2]


@pytest.mark.parametrize("shape", [(1, 145), (1, 145, 256)])
def test_a_shape_that_is_no_class_line_is_refused(shape: tuple[int, ...]) -> None:
    outputs = (TensorInfo("scores", shape, "float32"),)

    with pytest.raises(InvalidArgumentError, match="class lines"):
        make_postprocessor(Task.SPECTRAL, PostSettings(), outputs, LABELS)
