"""The bundled programs find on the bundled media what is there, with onnxruntime alone."""

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import av
import cv2
import numpy as np
import numpy.typing as npt
import onnxruntime
import pytest

from engine.config import Project, load_project
from engine.dfp import Dfp
from engine.drivers.builtin.pan_zoom.driver import Driver as PanZoomDriver
from engine.drivers.builtin.pan_zoom.truth_file import TruthFile
from engine.pipeline.post import Findings, make_postprocessor
from engine.pipeline.pre import Preprocessor
from engine.protocol import Box, FrameFormat, FrameKind, Mask, TruthObject

DEMO = Path(__file__).resolve().parents[2] / "resources" / "demo"
STREET = DEMO / "media" / "street"
CHELSEA, COFFEE, ASTRONAUT = (STREET / f"{name}.png" for name in ("chelsea", "coffee", "astronaut"))
Frame = npt.NDArray[Any]


def open_program(name: str, frame_format: FrameFormat) -> Callable[[Frame], Findings]:
    """Everything from frame to findings in one function, without the engine's pipeline."""
    program = Dfp(DEMO / "programs" / f"{name}.dfp")
    model = program.models[0]
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    session = onnxruntime.InferenceSession(
        program.graph(0), options, providers=["CPUExecutionProvider"]
    )
    preprocess = Preprocessor(model.pre, model.inputs[0], frame_format)
    postprocess = make_postprocessor(model.task, model.post, model.outputs, model.labels)
    tensor = preprocess.new_tensor()
    names = [output.name for output in model.outputs]

    def find(frame: Frame) -> Findings:
        geometry = preprocess(frame, tensor)
        return postprocess(session.run(names, {model.inputs[0].name: tensor}), geometry)

    return find


def read_picture(path: Path) -> npt.NDArray[np.uint8]:
    return cv2.imread(str(path), cv2.IMREAD_COLOR_RGB)


def find_in_picture(program: str, path: Path) -> Findings:
    picture = read_picture(path)
    frame_format = FrameFormat(kind=FrameKind.IMAGE, shape=picture.shape, dtype="uint8")
    return open_program(program, frame_format)(picture)


def truth_of(path: Path, label: str) -> TruthObject:
    height, width = read_picture(path).shape[:2]
    known = TruthFile(path.parent / "truth.toml").objects_in(path.name, width, height)
    (found,) = [one for one in known if one.label == label]
    return found


def edges(box: Box | TruthObject) -> npt.NDArray[np.float64]:
    """Left, top, right, bottom inside the frame, in fractions."""
    return np.array([box.x, box.y, box.x + box.width, box.y + box.height]).clip(0, 1)


def overlap(first: Box | TruthObject, second: Box | TruthObject) -> float:
    """Intersection over union."""
    a, b = edges(first), edges(second)
    shared = np.prod(np.maximum(np.minimum(a[2:], b[2:]) - np.maximum(a[:2], b[:2]), 0))
    return float(shared / (np.prod(a[2:] - a[:2]) + np.prod(b[2:] - b[:2]) - shared))


@pytest.mark.parametrize(
    ("path", "label"), [(CHELSEA, "cat"), (COFFEE, "cup"), (ASTRONAUT, "person")]
)
def test_the_detector_finds_what_the_photograph_shows_where_it_is(path: Path, label: str) -> None:
    found = find_in_picture("ssd", path)

    truth = truth_of(path, label)
    assert max(overlap(box, truth) for box in found.boxes if box.label == label) > 0.7


def test_exactly_one_face_is_found_and_within_ten_pixels() -> None:
    found = find_in_picture("yunet", ASTRONAUT)

    (face,) = found.boxes
    assert face.label == "face"
    apart = np.abs(edges(face) - edges(truth_of(ASTRONAUT, "face"))) * 512
    assert apart.max() < 10


def test_the_landmarks_lie_in_the_face_eyes_above_the_mouth() -> None:
    (face,) = find_in_picture("yunet", ASTRONAUT).boxes

    points = np.array(face.landmarks).reshape(5, 2)
    left, top, right, bottom = edges(face)
    assert ((points > (left, top)) & (points < (right, bottom))).all()
    assert points[:2, 1].max() < points[2, 1] < points[3:, 1].min()
    assert points[0, 0] < points[1, 0]


def test_the_face_under_the_moving_camera_is_one_and_within_ten_pixels(project: Project) -> None:
    source = next(stream.source for stream in project.streams if stream.name == "faces")
    camera = PanZoomDriver()
    parameters = {**source, "seconds_per_picture": 8.0}
    for name in ("path", "truth"):
        parameters[name] = str(DEMO / str(source[name]))
    frame_format = camera.open(parameters)
    find = open_program("yunet", frame_format)
    frame = np.zeros(frame_format.shape, np.uint8)
    size = np.array([frame.shape[1], frame.shape[0]] * 2)

    for _ in range(60):
        truth = camera.read(frame)
        assert truth is not None
        (face,) = find(frame).boxes
        assert (np.abs(edges(face) - edges(truth.objects[0])) * size).max() < 10
        for _ in range(14):
            camera.skip()
    camera.close()


def test_the_classifier_sees_a_cockatoo_in_the_video() -> None:
    with av.open(str(DEMO / "media" / "cockatoo.mp4")) as container:
        stream = container.streams.video[0]
        shape = (stream.height, stream.width, 3)
        find = open_program(
            "squeezenet", FrameFormat(kind=FrameKind.IMAGE, shape=shape, dtype="uint8")
        )
        best = [
            find(frame.to_ndarray(format="rgb24")).classes[:1]
            for number, frame in enumerate(container.decode(stream))
            if number % 10 == 0
        ]

    assert ["sulphur-crested cockatoo"] in [[one.label for one in classes] for classes in best]


def test_the_classifier_tells_cat_and_coffee_apart() -> None:
    assert find_in_picture("squeezenet", CHELSEA).classes[0].label == "Egyptian cat"
    assert find_in_picture("squeezenet", COFFEE).classes[0].label == "espresso"


@pytest.mark.parametrize(("path", "label"), [(CHELSEA, "cat"), (ASTRONAUT, "person")])
def test_the_mask_covers_most_of_what_is_there_and_little_else(path: Path, label: str) -> None:
    mask = find_in_picture("deeplab", path).mask

    assert mask is not None
    assert next(share.share for share in mask.shares if share.label == label) > 0.25
    assert _share_inside(mask, label, truth_of(path, label)) > 0.9


def _share_inside(mask: Mask, label: str, box: TruthObject) -> float:
    """Which part of the label's pixels lies inside the box."""
    index = next(share.index for share in mask.shares if share.label == label)
    classes = np.frombuffer(mask.classes, np.uint8).reshape(mask.height, mask.width)
    rows, columns = np.nonzero(classes == index)
    left, top, right, bottom = edges(box) * ([mask.width, mask.height] * 2)
    is_inside = (columns >= left) & (columns <= right) & (rows >= top) & (rows <= bottom)
    return float(is_inside.mean())


@pytest.mark.slow
def test_the_spectral_model_is_as_accurate_as_its_card_says(
    held_out: npt.NDArray[np.bool_],
) -> None:
    cube = np.load(DEMO / "media" / "Indian_pines_corrected.npy")
    truth = np.load(DEMO / "media" / "Indian_pines_gt.npy")
    program = Dfp(DEMO / "programs" / "spectral.dfp")
    session = onnxruntime.InferenceSession(program.graph(0), providers=["CPUExecutionProvider"])
    scores = np.concatenate(
        [session.run(["scores"], {"line": line[None].astype(np.float32)})[0] for line in cube]
    )

    tested = held_out & (truth > 0)
    accuracy = (scores.argmax(axis=-1) == truth)[tested].mean() * 100

    said = re.search(
        r"^\| guarded blocks \| \d+ \| (\d+) \| ([\d.]+)%", _card(), flags=re.MULTILINE
    )
    assert said is not None
    assert tested.sum() == int(said[1])
    assert accuracy == pytest.approx(float(said[2]), abs=1.0)


def test_a_class_line_names_the_crops_and_leaves_out_what_it_is_not_sure_of() -> None:
    cube = np.load(DEMO / "media" / "Indian_pines_corrected.npy")
    truth = np.load(DEMO / "media" / "Indian_pines_gt.npy")
    frame_format = FrameFormat(kind=FrameKind.LINE, shape=cube.shape[1:], dtype="uint16")
    find = open_program("spectral", frame_format)

    lines = [find(line).line for line in cube]

    classes = np.array([list(line.classes) for line in lines if line is not None])
    is_named = (classes != 255) & (truth > 0)
    assert set(np.unique(classes)) <= {*range(1, 17), 255}
    assert 0.5 < is_named[truth > 0].mean() < 1
    assert (classes == truth)[is_named].mean() > 0.8  # training pixels are among them


@pytest.mark.slow
def test_no_test_pixel_is_near_a_training_pixel(held_out: npt.NDArray[np.bool_]) -> None:
    import spectral_scene

    truth = np.load(DEMO / "media" / "Indian_pines_gt.npy")
    for split in (spectral_scene.block_split(truth), spectral_scene.half_split(truth.shape)):
        near = cv2.dilate(split.test.astype(np.uint8), np.ones((9, 9), np.uint8))
        assert split.test.any()
        assert not (near.astype(bool) & split.train).any()
    assert (held_out == spectral_scene.block_split(truth).test).all()


def test_the_card_says_how_bad_it_is_on_an_unseen_half() -> None:
    said = re.search(r"^\| half of the scene \| \d+ \| \d+ \| ([\d.]+)%", _card(), re.MULTILINE)

    assert said is not None
    assert float(said[1]) < 50


def test_every_file_that_the_project_names_is_there(project: Project) -> None:
    paths = [program.path for program in project.programs]
    for stream in project.streams:
        paths += [
            str(stream.source[name])
            for name in ("path", "truth", "ground_truth")
            if name in stream.source
        ]

    assert [path for path in paths if not (DEMO / path).exists()] == []
    assert {stream.name for stream in project.streams} == {"street", "parrot", "faces", "line"}


def test_every_bundled_file_is_attributed() -> None:
    attribution = (DEMO / "ATTRIBUTION.md").read_text(encoding="utf-8")
    files = [
        path.relative_to(DEMO).as_posix()
        for folder in ("media", "programs")
        for path in (DEMO / folder).rglob("*")
        if path.is_file() and path.suffix in {".png", ".jpg", ".mp4", ".npy", ".dfp"}
    ]

    assert len(files) >= 12
    assert [name for name in files if name not in attribution] == []


@pytest.fixture(scope="module")
def project() -> Project:
    return load_project(DEMO / "demo.toml")


@pytest.fixture
def held_out(monkeypatch: pytest.MonkeyPatch) -> npt.NDArray[np.bool_]:
    """The pixels that the bundled spectral model was not trained on."""
    monkeypatch.syspath_prepend(str(DEMO))
    import spectral_scene

    truth = np.load(DEMO / "media" / "Indian_pines_gt.npy")
    return spectral_scene.block_split(truth).test


def _card() -> str:
    return (DEMO / "programs" / "spectral_card.md").read_text(encoding="utf-8")
