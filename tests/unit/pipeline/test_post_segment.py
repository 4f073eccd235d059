"""Scores per pixel become a mask over the whole frame."""

from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from engine.config import PostSettings, Task
from engine.errors import InvalidArgumentError
from engine.pipeline.post import Findings, make_postprocessor
from engine.pipeline.post.scores import strongest
from engine.pipeline.pre import Geometry
from engine.protocol import ClassShare, Mask, TensorInfo

LABELS = ("background", "cat", "dog")
ALL = PostSettings(threshold=0.0)


def scores_of(classes: list[list[int]], value: float = 1.0) -> npt.NDArray[np.float32]:
    """Scores (height, width, 3) whose strongest class is the given one."""
    return (np.array(classes)[:, :, None] == np.arange(3)).astype(np.float32) * np.float32(value)


def segment(
    scores: npt.NDArray[Any],
    settings: PostSettings = ALL,
    geometry: Geometry | None = None,
    labels: tuple[str, ...] = LABELS,
) -> Mask:
    outputs = (TensorInfo("scores", (1, *scores.shape), "float32"),)
    postprocessor = make_postprocessor(Task.SEGMENT, settings, outputs, labels)
    found = postprocessor([scores[None]], geometry or Geometry())
    assert found.mask is not None
    assert found == Findings(mask=found.mask)
    return found.mask


def rows(mask: Mask) -> list[list[int]]:
    return np.frombuffer(mask.classes, np.uint8).reshape(mask.height, mask.width).tolist()


def test_every_pixel_gets_its_strongest_class() -> None:
    mask = segment(scores_of([[0, 1, 2], [2, 2, 1]]))

    assert (mask.width, mask.height) == (3, 2)
    assert rows(mask) == [[0, 1, 2], [2, 2, 1]]


def test_shares_come_largest_first_and_leave_out_what_is_not_there() -> None:
    mask = segment(scores_of([[0, 2], [2, 2]]))

    assert mask.shares == (ClassShare(2, "dog", 0.75), ClassShare(0, "background", 0.25))


def test_scores_may_come_class_by_class() -> None:
    scores = scores_of([[0, 1, 2, 0], [2, 2, 1, 0]])

    mask = segment(np.ascontiguousarray(scores.transpose(2, 0, 1)))

    assert rows(mask) == [[0, 1, 2, 0], [2, 2, 1, 0]]


def test_without_labels_the_shorter_axis_holds_the_classes() -> None:
    scores = np.ascontiguousarray(scores_of([[0, 1, 2, 0], [2, 2, 1, 0]]).transpose(2, 0, 1))

    assert rows(segment(scores, labels=())) == [[0, 1, 2, 0], [2, 2, 1, 0]]


def test_pixels_below_the_threshold_have_no_class() -> None:
    scores = scores_of([[0, 1], [2, 2]])
    scores[0, 0] *= 0.4

    mask = segment(scores, PostSettings(threshold=0.5))

    assert rows(mask) == [[255, 1], [2, 2]]
    assert [share.share for share in mask.shares] == [0.5, 0.25]


def test_the_threshold_counts_in_probabilities_where_scores_are_logits() -> None:
    scores = np.zeros((1, 2, 3), np.float32)
    scores[0, 0] = np.log([0.2, 0.2, 0.6])
    scores[0, 1] = np.log([0.3, 0.4, 0.3])

    mask = segment(scores, PostSettings(threshold=0.5, apply_softmax=True))

    assert rows(mask) == [[2, 255]]


def test_the_fill_of_a_letterbox_is_cut_off() -> None:
    classes = [[1, 1, 2, 2], [1, 1, 2, 2], [0, 0, 0, 0], [0, 0, 0, 0]]

    mask = segment(scores_of(classes), geometry=Geometry(scale_y=2.0))

    assert rows(mask) == [[1, 1, 2, 2], [1, 1, 2, 2]]
    assert [share.share for share in mask.shares] == [0.5, 0.5]


def test_fill_before_the_picture_is_cut_off_as_well() -> None:
    classes = [[0, 0], [1, 2], [2, 2], [0, 0]]

    mask = segment(scores_of(classes), geometry=Geometry(scale_y=2.0, offset_y=-0.5))

    assert rows(mask) == [[1, 2], [2, 2]]


def test_what_a_crop_left_out_has_no_class() -> None:
    crop = Geometry(scale_x=0.5, offset_x=0.25)

    mask = segment(scores_of([[1, 2], [1, 2]]), geometry=crop)

    assert rows(mask) == [[255, 1, 2, 255], [255, 1, 2, 255]]


@pytest.mark.parametrize("size", [(0.3, 0.35), (0.51, 0.245), (0.999, 0.0)])
def test_a_cropped_mask_always_fits_into_the_frame(size: tuple[float, float]) -> None:
    scale, offset = size
    scores = np.random.default_rng(1).random((7, 9, 3), dtype=np.float32)

    mask = segment(scores, geometry=Geometry(scale_x=scale, offset_x=offset))

    assert len(mask.classes) == mask.width * mask.height
    assert mask.width == pytest.approx(9 / scale, abs=1)
    assert mask.height == 7


def test_the_strongest_class_is_that_of_argmax_and_the_first_of_equals() -> None:
    planes = np.random.default_rng(2).integers(0, 4, (30, 500)).astype(np.float32)

    classes, best = strongest(planes)

    np.testing.assert_array_equal(classes, planes.argmax(axis=0))
    np.testing.assert_array_equal(best, planes.max(axis=0))


@pytest.mark.parametrize("shape", [(1, 4, 4), (2, 3, 4, 4), (1, 256, 300, 300)])
def test_a_shape_that_is_no_mask_is_refused(shape: tuple[int, ...]) -> None:
    with pytest.raises(InvalidArgumentError, match="mask"):
        make_postprocessor(Task.SEGMENT, ALL, (TensorInfo("scores", shape, "float32"),), ())
