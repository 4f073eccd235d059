from typing import Any

import numpy as np
import onnx
import onnxruntime
import pytest
from onnx import helper

from engine.dfp import Dfp, compile_models
from engine.errors import InvalidArgumentError, ProgramCompileError
from tests.support.genuine_files import port, raw, two_model_file, v5_file, v5_port, v6_file
from tests.support.networks import classifier, detector, model_of, two_branches

pytestmark = pytest.mark.usefixtures("untried")


def like(model: onnx.ModelProto, **ports: Any) -> Dfp:
    return compile_models([model], like=v6_file(**ports))


def refused(model: onnx.ModelProto, **ports: Any) -> str:
    with pytest.raises(ProgramCompileError) as caught:
        like(model, **ports)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def names(graph: bytes) -> tuple[list[str], list[str]]:
    session = onnxruntime.InferenceSession(graph, providers=["CPUExecutionProvider"])
    return (
        [tensor.name for tensor in session.get_inputs()],
        [tensor.name for tensor in session.get_outputs()],
    )


def test_a_model_gets_the_ports_of_the_program_it_was_made_for() -> None:
    dfp = like(
        two_branches(),
        inport_info=[port(5, "b", (1, 1, 1, 4), **raw(1, 4)), port(2, "a", (1, 1, 1, 4))],
        outport_info=[port(7, "late", (1, 1, 1, 4)), port(1, "total", (1, 1, 1, 4), **raw(1, 4))],
    )

    assert {n: p["layer_name"] for n, p in dfp.input_ports.items()} == {2: "a", 5: "b"}
    assert {n: p["layer_name"] for n, p in dfp.output_ports.items()} == {1: "total", 7: "late"}
    assert names(dfp.graph()) == (["a", "b"], ["total", "late"])


def test_ports_with_other_names_are_found_by_their_shape() -> None:
    dfp = like(
        classifier(),
        inport_info=[port(0, "input_1", (8, 8, 1, 3))],
        outport_info=[port(0, "scores/Softmax", (1, 1, 1, 5), **raw("N", 5))],
    )

    assert names(dfp.graph()) == (["input_1"], ["scores/Softmax"])
    assert dfp.input_tensors[0].shape == (1, 3, 8, 8)


def test_a_program_that_was_cropped_crops_the_model_alike() -> None:
    dfp = like(
        detector(),
        inport_info=[port(0, "planes", (8, 8, 1, 3))],
        outport_info=[port(0, "last", (8, 8, 1, 5))],
    )

    assert names(dfp.graph()) == (["planes"], ["last"])
    assert names(dfp.graph(0, "post"))[0] == ["last"]


def test_a_name_that_the_model_uses_elsewhere_is_freed() -> None:
    dfp = like(
        classifier(),
        inport_info=[port(0, "fc", (8, 8, 1, 3))],
        outport_info=[port(0, "scores", (1, 1, 1, 5))],
    )

    image = np.random.default_rng(1).random((1, 3, 8, 8)).astype(np.float32)
    session = onnxruntime.InferenceSession(dfp.graph(), providers=["CPUExecutionProvider"])
    plain = onnxruntime.InferenceSession(
        classifier().SerializeToString(), providers=["CPUExecutionProvider"]
    )
    np.testing.assert_allclose(
        session.run(None, {"fc": image})[0], plain.run(None, {"image": image})[0], rtol=1e-5
    )


def test_several_models_keep_the_numbers_of_their_ports() -> None:
    node = helper.make_node("Concat", ["flat", "pair"], ["late"], axis=1)
    first = model_of(
        [node, helper.make_node("Relu", ["flat"], ["other"])],
        {"flat": ("N", 5)},
        {"late": ("N", 7), "other": ("N", 5)},
        {"pair": np.zeros((1, 2), np.float32)},
    )
    second = model_of(
        [helper.make_node("Relu", ["x"], ["y"])], {"x": (1, 3, 4, 4)}, {"y": (1, 3, 4, 4)}
    )

    dfp = compile_models([first, second], like=two_model_file())

    assert {n: p["layer_name"] for n, p in dfp.input_ports.items()} == {0: "wide", 2: "flat"}
    assert [p["model_index"] for p in dfp.output_ports.values()] == [0, 1, 0]
    assert dfp.output_names == ["late", "early", "other"]


def test_a_version_5_program_serves_as_well() -> None:
    data = v5_file(
        inputs=[v5_port(0, "image", (8, 8, 1, 3), 4, is_input=True)],
        outputs=[v5_port(3, "scores", (1, 1, 1, 5), 4, is_input=False)],
    )

    assert list(compile_models([classifier()], like=data).output_ports) == [3]


IMAGE = [port(0, "image", (8, 8, 1, 3))]


@pytest.mark.parametrize(
    ("inputs", "outputs", "words"),
    [
        (
            [port(0, "image", (9, 8, 1, 3), **raw(1, 3, 9, 8))],
            [port(0, "scores", (1, 1, 1, 5))],
            "input port 0 ('image') has the shape (1, 3, 9, 8), but 'image' has (1, 3, 8, 8)",
        ),
        (
            IMAGE,
            [port(4, "probs", (1, 1, 1, 6))],
            "no output could be port 4 ('probs', (1, 1, 1, 6)); there are 'scores' (1, 5)",
        ),
        (
            IMAGE,
            [port(0, "scores", (1, 1, 1, 5)), port(1, "more", (1, 1, 1, 5))],
            "there are none left",
        ),
    ],
)
def test_a_model_with_other_ports_is_refused(
    inputs: list[Any], outputs: list[Any], words: str
) -> None:
    assert words in refused(classifier(), inport_info=inputs, outport_info=outputs)


def test_two_ports_that_could_be_either_input_are_refused() -> None:
    told = refused(
        two_branches(),
        inport_info=[port(0, "x", (1, 1, 1, 4)), port(1, "y", (1, 1, 1, 4))],
        outport_info=[port(0, "total", (1, 1, 1, 4))],
    )

    assert "more than one input could be port 0" in told


def test_as_many_models_as_the_program_has_are_needed() -> None:
    with pytest.raises(InvalidArgumentError, match=r"made from 2 models \(a.onnx, b.onnx\)"):
        compile_models([classifier()], like=two_model_file())


def test_a_program_of_our_own_is_no_template(packed: bytes) -> None:
    with pytest.raises(InvalidArgumentError, match="is not a DFP of MemryX"):
        compile_models([classifier()], like=packed)
