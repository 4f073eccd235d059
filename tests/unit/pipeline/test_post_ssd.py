"""The outputs of a detector become boxes in the frame."""

import numpy as np
import pytest

from engine.config import PostSettings, Task
from engine.pipeline.post import Findings, make_postprocessor
from engine.pipeline.pre import Geometry
from engine.protocol import Box, TensorInfo

OUTPUTS = (
    TensorInfo("boxes", (1, 3, 4), "float32"),
    TensorInfo("classes", (1, 3), "float32"),
    TensorInfo("scores", (1, 3), "float32"),
    TensorInfo("count", (1,), "float32"),
)
LABELS = ("person", "bicycle")


def detect(
    *,
    boxes: list[list[float]],
    scores: list[float],
    count: int | None = None,
    settings: PostSettings | None = None,
    geometry: Geometry | None = None,
) -> Findings:
    postprocessor = make_postprocessor(Task.DETECT, settings or PostSettings(), OUTPUTS, LABELS)
    number = len(scores) if count is None else count
    return postprocessor(
        [
            np.array([boxes], np.float32),
            np.array([[index % 2 for index in range(len(scores))]], np.float32),
            np.array([scores], np.float32),
            np.array([number], np.float32),
        ],
        geometry or Geometry(),
    )


def test_top_left_bottom_right_become_x_y_width_height() -> None:
    found = detect(boxes=[[0.25, 0.125, 0.75, 0.5]], scores=[0.75])

    assert found == Findings(
        boxes=(Box(0, "person", 0.75, x=0.125, y=0.25, width=0.375, height=0.5),)
    )


def test_boxes_come_strongest_first_and_weak_ones_not_at_all() -> None:
    box = [0.0, 0.0, 1.0, 1.0]

    found = detect(boxes=[box, box, box], scores=[0.5, 0.25, 0.875])

    assert [one.score for one in found.boxes] == [0.875, 0.5]


def test_entries_behind_the_count_are_leftovers() -> None:
    box = [0.0, 0.0, 1.0, 1.0]

    found = detect(boxes=[box, box, box], scores=[0.9, 0.9, 0.9], count=2)

    assert len(found.boxes) == 2


def test_no_detection_at_all_is_no_box() -> None:
    assert detect(boxes=[[0.0, 0.0, 1.0, 1.0]], scores=[0.9], count=0) == Findings()


def test_at_most_max_results_boxes_come() -> None:
    box = [0.0, 0.0, 1.0, 1.0]

    found = detect(boxes=[box] * 3, scores=[0.9] * 3, settings=PostSettings(max_results=1))

    assert len(found.boxes) == 1


def test_boxes_are_mapped_to_the_frame_and_cut_at_its_edge() -> None:
    letterbox = Geometry(scale_y=2.0)

    found = detect(boxes=[[0.25, -0.5, 0.75, 0.5]], scores=[0.9], geometry=letterbox)

    (box,) = found.boxes
    assert (box.x, box.y, box.width, box.height) == (0.0, 0.5, 0.5, 0.5)


def test_a_box_outside_the_frame_is_left_out() -> None:
    letterbox = Geometry(scale_y=2.0)

    assert detect(boxes=[[0.6, 0.0, 0.9, 1.0]], scores=[0.9], geometry=letterbox).boxes == ()


def test_outputs_are_found_by_the_names_in_the_settings() -> None:
    outputs = tuple(reversed(OUTPUTS))
    roles = {name: name for name in ("boxes", "classes", "scores", "count")}
    postprocessor = make_postprocessor(Task.DETECT, PostSettings(outputs=roles), outputs, LABELS)

    found = postprocessor(
        [
            np.array([1], np.float32),
            np.array([[0.75]], np.float32),
            np.array([[1]], np.float32),
            np.array([[[0, 0, 1, 1]]], np.float32),
        ],
        Geometry(),
    )

    assert [(box.label, box.score) for box in found.boxes] == [("bicycle", 0.75)]


def test_scores_stay_what_they_were() -> None:
    found = detect(boxes=[[0.0, 0.0, 1.0, 1.0]], scores=[0.7])

    assert found.boxes[0].score == pytest.approx(0.7)
