"""Contexts for pictures, lists of objects, and programs of several graphs."""

from pathlib import Path
from typing import Any

import cv2
import numpy as np
import onnxruntime
import pytest
from onnx import helper

from engine.config import PostSettings, PreSettings, Task
from engine.dfp import Dfp, NeuralCompiler, pack_dfp
from engine.handle import OBJECT_DTYPE, Handle, Model, ProcessingContext
from engine.handle.errors import (
    ArgumentError,
    HandleArgumentTypeError,
    OutputNotReadyError,
    SourceDataError,
)
from engine.pipeline.post import make_postprocessor
from engine.pipeline.pre import Preprocessor
from engine.protocol import FrameFormat, FrameKind
from resources import resource_path
from tests.support.networks import detector
from tests.support.tiny_programs import mean_color, write_program

Array = np.ndarray[Any, Any]


def photograph() -> Array:
    found = cv2.imread(str(resource_path("demo/media/faces/astronaut.png")))
    assert found is not None
    return np.ascontiguousarray(found[..., ::-1])


def program(name: str) -> Path:
    return Path(resource_path(f"demo/programs/{name}.dfp"))


def processed(context: ProcessingContext, picture: Array) -> ProcessingContext:
    context.setSourceData(picture)
    context.processNext()
    return context


def by_hand(name: str, picture: Array) -> tuple[list[Array], Any]:
    """Do with bare onnxruntime, and the stages that streams use, what a context does."""
    dfp = Dfp(program(name))
    entry = dfp.models[0]
    frame_format = FrameFormat(FrameKind.IMAGE, picture.shape, "uint8")
    prepare = Preprocessor(entry.pre, entry.inputs[0], frame_format)
    tensor = prepare.new_tensor()
    geometry = prepare(picture, tensor)
    session = onnxruntime.InferenceSession(dfp.graph(0), providers=["CPUExecutionProvider"])
    outputs = session.run([out.name for out in entry.outputs], {entry.inputs[0].name: tensor})
    find = make_postprocessor(entry.task, entry.post, entry.outputs, entry.labels)
    return outputs, find(outputs, geometry)


@pytest.mark.parametrize("name", ["ssd", "yunet"])
def test_detections_are_a_list_of_objects_in_pixels(handle: Handle, name: str) -> None:
    picture = photograph()
    context = processed(
        ProcessingContext.createImage(Model(handle, program(name)), picture.shape), picture
    )
    outputs, findings = by_hand(name, picture)

    place = context.numOutputSinks() - 1
    info = context.outputSinkMetaInfo(place)
    objects = context.outputSinkData(place)

    assert (info.name, info.storageType, place) == ("objects", "ObjectList", len(outputs))
    assert objects.dtype == OBJECT_DTYPE
    assert len(objects) == len(findings.boxes) > 0
    height, width, _ = picture.shape
    for found, box in zip(objects, findings.boxes, strict=True):
        assert found["uniqueClass"] == box.index
        assert found["score"] == pytest.approx(box.score)
        got = [found[key] for key in ("x", "y", "width", "height")]
        wanted = [box.x * width, box.y * height, box.width * width, box.height * height]
        assert got == pytest.approx(wanted)
        points = np.array(box.landmarks) * np.resize([width, height], len(box.landmarks))
        np.testing.assert_allclose(found["landmarks"][: len(points)], points)
        assert np.isnan(found["landmarks"][len(points) :]).all()
    for number, output in enumerate(outputs):
        np.testing.assert_array_equal(context.outputSinkData(number), output)


def test_the_face_of_the_photograph_is_found(handle: Handle) -> None:
    """The published truth beside the photograph says where the face is."""
    picture = photograph()
    context = ProcessingContext.createImage(Model(handle, program("yunet")), picture.shape)
    (face,) = processed(context, picture).outputSinkData(context.numOutputSinks() - 1)
    center = face["x"] + face["width"] / 2, face["y"] + face["height"] / 2
    assert center == pytest.approx((222, 120), abs=40)


def test_a_picture_without_objects_gives_an_empty_list(handle: Handle) -> None:
    gray = np.full((200, 300, 3), 128, np.uint8)
    context = ProcessingContext.createImage(Model(handle, program("yunet")), gray.shape)
    place = context.numOutputSinks() - 1
    assert processed(context, gray).outputSinkData(place).shape == (0,)
    with pytest.raises(ValueError, match="read-only"):
        context.outputSinkData(place)["x"] = 1


def test_the_list_is_as_long_as_there_are_objects_each_time(handle: Handle) -> None:
    picture = photograph()
    context = ProcessingContext.createImage(Model(handle, program("yunet")), picture.shape)
    place = context.numOutputSinks() - 1
    counts = [
        len(processed(context, one).outputSinkData(place))
        for one in (picture, np.zeros_like(picture), picture)
    ]
    assert counts == [1, 0, 1]


def test_a_model_without_boxes_has_no_list(handle: Handle) -> None:
    picture = photograph()
    context = processed(
        ProcessingContext.createImage(Model(handle, program("squeezenet")), picture.shape), picture
    )
    outputs, _ = by_hand("squeezenet", picture)
    assert context.numOutputSinks() == 1
    np.testing.assert_array_equal(context.outputSinkData(0), outputs[0])


def test_only_a_reference_to_the_picture_is_kept(handle: Handle, tmp_path: Path) -> None:
    path = write_program(tmp_path / "mean.dfp", mean_color())
    picture = np.zeros((6, 5, 3), np.uint8)
    context = ProcessingContext.createImage(Model(handle, path), picture.shape)
    context.setSourceData(picture)
    picture[:] = (10, 20, 30)
    context.processNext()
    assert context.outputSinkData(0).tolist() == [[10, 20, 30]]


def test_a_picture_that_does_not_fit_is_refused_and_the_context_stays_usable(
    handle: Handle, tmp_path: Path
) -> None:
    path = write_program(tmp_path / "mean.dfp", mean_color())
    context = ProcessingContext.createImage(Model(handle, path), (6, 5, 3))
    with pytest.raises(RuntimeError, match="nothing to process"):
        context.processNext()
    with pytest.raises(SourceDataError, match="pictures of shape"):
        context.setSourceData(np.zeros((5, 6, 3), np.uint8))
    with pytest.raises(SourceDataError, match="uint8"):
        context.setSourceData(np.zeros((6, 5, 3), np.float32))
    with pytest.raises(HandleArgumentTypeError, match="NumPy array"):
        context.setSourceData("picture")
    with pytest.raises(OutputNotReadyError):
        context.outputSinkData(0)
    picture = np.full((6, 10, 3), 7, np.uint8)[:, ::2]  # not contiguous
    assert processed(context, picture).outputSinkData(0).tolist() == [[7, 7, 7]]


@pytest.mark.parametrize("shape", [(6, 5), (6, 5, 1), (0, 5, 3), "big", (6.0, 5, 3)])
def test_a_pictures_shape_is_checked(handle: Handle, tmp_path: Path, shape: Any) -> None:
    path = write_program(tmp_path / "mean.dfp", mean_color())
    with pytest.raises(ArgumentError, match=r"shape|whole number"):
        ProcessingContext.createImage(Model(handle, path), shape)


def test_a_model_for_spectra_takes_no_pictures(handle: Handle) -> None:
    with pytest.raises(ArgumentError, match="lines of spectra, not pictures"):
        ProcessingContext.createImage(Model(handle, program("spectral")), (10, 10, 3))


def test_a_model_with_two_inputs_takes_no_pictures(handle: Handle, programs: Any) -> None:
    with pytest.raises(ArgumentError, match="2 inputs"):
        ProcessingContext.createImage(Model(handle, programs.sum_and_difference()), (10, 10, 3))


def test_outputs_that_are_no_boxes_are_a_clear_error(handle: Handle, tmp_path: Path) -> None:
    dfp = Dfp(write_program(tmp_path / "mean.dfp", mean_color()))
    entry = dfp.models[0]
    wrong = type(entry)(
        name="wrong",
        main=entry.main,
        inputs=entry.inputs,
        outputs=entry.outputs,
        task=Task.DETECT,
        pre=PreSettings(),
        post=PostSettings(),
    )
    data = pack_dfp(name="wrong", models=[wrong], graphs={entry.main: dfp.graph(0)})
    with pytest.raises(RuntimeError, match="output"):
        ProcessingContext.createImage(Model(handle, data), (6, 5, 3))


# -- programs of several graphs


@pytest.fixture(scope="module")
def cropped() -> bytes:
    """A network whose head and tail the compiler has left to the host."""
    dfp = NeuralCompiler(models=detector(), autocrop=True).run()
    assert dfp.models[0].pre_graph
    assert dfp.models[0].post_graph
    return dfp.data


def test_graphs_before_and_behind_the_devices_are_executed(handle: Handle, cropped: bytes) -> None:
    model = detector()
    frame = np.random.default_rng(1).integers(0, 256, (1, 8, 8, 3), dtype=np.uint8)
    context = processed(ProcessingContext(Model(handle, cropped)), frame)
    session = onnxruntime.InferenceSession(
        model.SerializeToString(), providers=["CPUExecutionProvider"]
    )
    names = [context.outputSinkMetaInfo(n).name for n in range(context.numOutputSinks())]
    assert sorted(names) == sorted(output.name for output in model.graph.output)
    for number, wanted in enumerate(session.run(names, {"picture": frame})):
        np.testing.assert_allclose(context.outputSinkData(number), wanted, rtol=1e-5)


def test_a_cropped_program_takes_pictures_too(handle: Handle, cropped: bytes) -> None:
    dfp = Dfp(cropped)
    entry = dfp.models[0]
    graphs = {member: dfp.graph(0, part) for part, member in entry.graphs.items()}
    named = type(entry)(
        name="pictures",
        main=entry.main,
        inputs=entry.inputs,
        outputs=entry.outputs,
        pre_graph=entry.pre_graph,
        post_graph=entry.post_graph,
        pre=PreSettings(layout="nhwc"),
    )
    data = pack_dfp(name="pictures", models=[named], graphs=graphs)
    picture = np.random.default_rng(1).integers(0, 256, (8, 8, 3), dtype=np.uint8)
    one = processed(ProcessingContext.createImage(Model(handle, data), (8, 8, 3)), picture)
    other = processed(ProcessingContext(Model(handle, cropped)), picture[np.newaxis])
    for number in range(other.numOutputSinks()):
        np.testing.assert_array_equal(one.outputSinkData(number), other.outputSinkData(number))


def test_a_chain_frees_all_its_parts_with_the_handle(license_data: bytes, cropped: bytes) -> None:
    with Handle(license_data) as handle:
        context = processed(
            ProcessingContext(Model(handle, cropped)), np.zeros((1, 8, 8, 3), np.uint8)
        )
    with pytest.raises(RuntimeError, match="no longer valid"):
        context.processNext()


def test_a_part_that_does_not_load_is_named(handle: Handle, programs: Any) -> None:
    dfp = Dfp(programs.double((1, 4)))
    entry = dfp.models[0]
    broken = type(entry)(
        name="broken",
        main=entry.main,
        inputs=entry.inputs,
        outputs=entry.outputs,
        post_graph="post.onnx",
    )
    data = pack_dfp(
        name="broken", models=[broken], graphs={entry.main: dfp.graph(0), "post.onnx": b"no graph"}
    )
    with pytest.raises(RuntimeError, match="cannot load"):
        ProcessingContext(Model(handle, data))


def test_a_state_may_go_through_a_chain(handle: Handle, programs: Any) -> None:
    """The graph behind the device's makes the state that the device's gets."""

    def value(name: str) -> Any:
        return helper.make_tensor_value_info(name, 1, (1, 4))

    main = Dfp(
        programs.pack(
            [helper.make_node("Add", ["x", "before"], ["total"])],
            [value("x"), value("before")],
            [value("total")],
            metadata={"states": "before=after"},
        )
    )
    post = Dfp(
        programs.pack(
            [
                helper.make_node("Identity", ["total"], ["after"]),
                helper.make_node("Neg", ["total"], ["y"]),
            ],
            [value("total")],
            [value("after"), value("y")],
        )
    )
    entry = main.models[0]
    joined = type(entry)(
        name="joined",
        main=entry.main,
        inputs=entry.inputs,
        outputs=entry.outputs,
        post_graph="post.onnx",
    )
    graphs = {entry.main: main.graph(0), "post.onnx": post.graph(0)}
    data = pack_dfp(name="joined", models=[joined], graphs=graphs)
    context = ProcessingContext(Model(handle, data))
    ones = np.ones((1, 4), np.float32)
    results = [processed(context, ones).outputSinkData(0)[0, 0] for _ in range(3)]
    assert results == [-1, -2, -3]
