"""The grids of a face detector become faces in the frame."""

import math
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from engine.config import PostSettings, Task
from engine.errors import InvalidArgumentError
from engine.pipeline.post import Postprocessor, make_postprocessor
from engine.pipeline.post.boxes import suppress
from engine.pipeline.pre import Geometry
from engine.protocol import TensorInfo

STRIDES = (8, 16, 32)
KINDS = {"cls": 1, "obj": 1, "bbox": 4, "kps": 10}
Outputs = dict[str, npt.NDArray[Any]]


def empty_outputs(width: int, height: int) -> Outputs:
    return {
        f"{kind}_{stride}": np.zeros((1, width * height // stride**2, columns), np.float32)
        for kind, columns in KINDS.items()
        for stride in STRIDES
    }


def put_face(
    outputs: Outputs,
    *,
    width: int,
    stride: int,
    center: tuple[float, float],
    size: tuple[float, float],
    score: float,
) -> None:
    """Write a face into the cell its center falls in, as the network would; in pixels."""
    column, row = int(center[0] // stride), int(center[1] // stride)
    at = row * (width // stride) + column
    cell = np.array([column, row])
    outputs[f"cls_{stride}"][0, at] = score
    outputs[f"obj_{stride}"][0, at] = score
    outputs[f"bbox_{stride}"][0, at, :2] = np.array(center) / stride - cell
    outputs[f"bbox_{stride}"][0, at, 2:] = np.log(np.array(size) / stride)
    outputs[f"kps_{stride}"][0, at] = np.tile(np.array(center) / stride - cell, 5)


def infos(outputs: Outputs) -> tuple[TensorInfo, ...]:
    return tuple(TensorInfo(name, value.shape, "float32") for name, value in outputs.items())


def postprocessor_for(
    outputs: Outputs, settings: PostSettings | None = None, **more: Any
) -> Postprocessor:
    settings = settings or PostSettings(threshold=0.6)
    return make_postprocessor(Task.FACES, settings, infos(outputs), ("face",), **more)


@pytest.mark.parametrize("stride", STRIDES)
def test_a_face_is_decoded_from_the_cell_of_its_center(stride: int) -> None:
    outputs = empty_outputs(320, 320)
    put_face(outputs, width=320, stride=stride, center=(100, 60), size=(40, 50), score=0.9)

    found = postprocessor_for(outputs)(list(outputs.values()), Geometry())

    (face,) = found.boxes
    assert face.label == "face"
    assert face.score == pytest.approx(0.9)
    assert (face.x * 320, face.y * 320) == pytest.approx((80, 35), abs=1e-3)
    assert (face.width * 320, face.height * 320) == pytest.approx((40, 50), abs=1e-3)
    assert np.array(face.landmarks) * 320 == pytest.approx(np.tile([100, 60], 5), abs=1e-3)


def test_the_score_is_the_geometric_mean_of_class_and_object() -> None:
    outputs = empty_outputs(320, 320)
    put_face(outputs, width=320, stride=8, center=(100, 60), size=(40, 50), score=1.0)
    outputs["obj_8"] *= 0.49

    found = postprocessor_for(outputs)(list(outputs.values()), Geometry())

    assert found.boxes[0].score == pytest.approx(math.sqrt(0.49))


def test_doubles_of_a_face_are_removed_across_strides() -> None:
    outputs = empty_outputs(320, 320)
    put_face(outputs, width=320, stride=8, center=(100, 60), size=(40, 50), score=0.8)
    put_face(outputs, width=320, stride=16, center=(101, 61), size=(40, 50), score=0.9)
    put_face(outputs, width=320, stride=32, center=(250, 200), size=(40, 50), score=0.7)

    found = postprocessor_for(outputs)(list(outputs.values()), Geometry())

    assert [face.score for face in found.boxes] == pytest.approx([0.9, 0.7])


def test_a_weak_face_is_not_found() -> None:
    outputs = empty_outputs(320, 320)
    put_face(outputs, width=320, stride=8, center=(100, 60), size=(40, 50), score=0.5)

    assert postprocessor_for(outputs)(list(outputs.values()), Geometry()).boxes == ()


def test_faces_and_landmarks_are_mapped_to_the_frame() -> None:
    outputs = empty_outputs(320, 320)
    put_face(outputs, width=320, stride=8, center=(160, 80), size=(32, 32), score=0.9)
    letterbox = Geometry(scale_y=2.0)

    (face,) = postprocessor_for(outputs)(list(outputs.values()), letterbox).boxes

    assert (face.y, face.height) == pytest.approx((0.4, 0.2), abs=1e-5)
    assert face.landmarks[:2] == pytest.approx((0.5, 0.5), abs=1e-5)


def test_an_input_that_is_not_square_needs_its_size() -> None:
    outputs = empty_outputs(320, 192)
    put_face(outputs, width=320, stride=8, center=(300, 100), size=(32, 32), score=0.9)

    with pytest.raises(InvalidArgumentError, match="square"):
        postprocessor_for(outputs)
    found = postprocessor_for(outputs, input_size=(320, 192))(list(outputs.values()), Geometry())

    assert found.boxes[0].x == pytest.approx(284 / 320, abs=1e-5)


def test_a_wrong_size_is_refused() -> None:
    with pytest.raises(InvalidArgumentError, match="anchors"):
        postprocessor_for(empty_outputs(320, 192), input_size=(192, 192))


def test_outputs_of_free_shape_are_refused() -> None:
    outputs = (TensorInfo("cls_8", (1, 0, 1), "float32"),)
    roles = {f"{kind}_8": "cls_8" for kind in KINDS}

    with pytest.raises(InvalidArgumentError, match="fixed input size"):
        make_postprocessor(Task.FACES, PostSettings(outputs=roles), outputs, ())


def test_outputs_may_have_other_names() -> None:
    outputs = empty_outputs(64, 64)
    put_face(outputs, width=64, stride=8, center=(20, 20), size=(16, 16), score=0.9)
    renamed = {f"net/{name}": value for name, value in outputs.items()}
    settings = PostSettings(threshold=0.6, outputs={name: f"net/{name}" for name in outputs})

    found = postprocessor_for(renamed, settings)(list(renamed.values()), Geometry())

    assert len(found.boxes) == 1


def test_boxes_that_only_touch_or_overlap_little_all_stay() -> None:
    corners = np.array([[0, 0, 10, 10], [10, 0, 20, 10], [8, 0, 18, 10]], np.float32)
    scores = np.array([0.9, 0.8, 0.7], np.float32)

    assert suppress(corners, scores, 0.9, limit=10).tolist() == [0, 1, 2]
    assert suppress(corners, scores, 0.2, limit=10).tolist() == [0, 1]


def test_a_box_that_was_removed_removes_no_other() -> None:
    corners = np.array([[0, 0, 10, 10], [4, 0, 14, 10], [8, 0, 18, 10]], np.float32)
    scores = np.array([0.9, 0.8, 0.7], np.float32)

    assert suppress(corners, scores, 0.3, limit=10).tolist() == [0, 2]
