from typing import Any

import numpy as np
import onnx
import onnxruntime
import pytest
from onnx import helper

from engine.dfp import Dfp, ModelSource, compile_models
from engine.dfp.autocrop import find_crop
from engine.dfp.cropping import crop_model
from engine.dfp.graph_cut import GraphView
from engine.errors import ProgramCompileError
from tests.support.genuine_files import port, v6_file
from tests.support.networks import classifier, detector, model_of, two_branches


def ran(graph: bytes, **feed: Any) -> dict[str, Any]:
    session = onnxruntime.InferenceSession(graph, providers=["CPUExecutionProvider"])
    names = [tensor.name for tensor in session.get_outputs()]
    given = {tensor.name: feed[tensor.name] for tensor in session.get_inputs()}
    return dict(zip(names, session.run(None, given), strict=True))


def refused(model: onnx.ModelProto, inputs: list[str], outputs: list[str]) -> str:
    with pytest.raises(ProgramCompileError) as caught:
        crop_model(GraphView(model, "m"), inputs, outputs)
    return str(caught.value)


def operators(graph: bytes) -> list[str]:
    return [node.op_type for node in onnx.load_model_from_string(graph).graph.node]


def picture() -> Any:
    return np.random.default_rng(5).integers(0, 256, (1, 8, 8, 3), dtype=np.uint8)


def test_the_parts_together_compute_what_the_whole_does() -> None:
    dfp = compile_models([detector()], autocrop=True)

    known: dict[str, Any] = {"picture": picture()}
    for part in ("pre", "main", "post"):
        known |= ran(dfp.graph(0, part), **known)
    whole = ran(detector().SerializeToString(), picture=known["picture"])
    for name, wanted in whole.items():
        np.testing.assert_allclose(known[name], wanted, rtol=1e-5, atol=1e-6)


def test_autocrop_leaves_the_head_and_the_decoding_to_the_host() -> None:
    dfp = compile_models([detector()], autocrop=True)

    assert operators(dfp.graph(0, "pre")) == ["Cast", "Div", "Transpose"]
    assert operators(dfp.graph()) == ["Conv", "Relu", "Conv", "Relu"]
    assert operators(dfp.graph(0, "post")) == ["Reshape", "Split", "Sigmoid", "TopK"]
    (model,) = dfp.models
    assert [(t.name, t.shape) for t in model.inputs] == [("planes", (1, 3, 8, 8))]
    assert [(t.name, t.shape) for t in model.outputs] == [("r2", (1, 5, 8, 8))]
    assert model.parity.against == "reference evaluator"
    assert {output.name: output.cosine for output in model.parity.outputs} == {
        "boxes": 1.0,
        "best": 1.0,
        "where": None,
    }


@pytest.mark.usefixtures("untried")
def test_autocrop_keeps_activations_behind_the_last_heavy_operator() -> None:
    dfp = compile_models([classifier()], autocrop=True)

    assert list(dfp.models[0].graphs) == ["main"]
    assert operators(dfp.graph())[-1] == "Softmax"


def test_autocrop_leaves_a_model_whole_that_has_nothing_for_a_device() -> None:
    model = model_of([helper.make_node("Relu", ["x"], ["y"])], {"x": (1, 2)}, {"y": (1, 2)})

    assert find_crop(GraphView(model, "m")) == ((), ())


@pytest.mark.usefixtures("untried")
def test_autocrop_never_makes_the_tail_need_what_the_device_does_not_give() -> None:
    nodes = [
        helper.make_node("Sub", ["x", "one"], ["scaled"]),
        helper.make_node("MatMul", ["scaled", "w"], ["h"]),
        helper.make_node("Concat", ["h", "scaled"], ["both"], axis=1),
        helper.make_node("Gather", ["both", "index"], ["y"], axis=1),
    ]
    model = model_of(
        nodes,
        {"x": (1, 4)},
        {"y": (1, 2)},
        {"one": np.float32(1), "w": np.eye(4, dtype=np.float32), "index": np.array([0, 5])},
    )

    dfp = compile_models([model], autocrop=True)

    assert operators(dfp.graph(0, "pre")) == ["Sub"]
    assert operators(dfp.graph()) == ["MatMul", "Concat"]
    assert operators(dfp.graph(0, "post")) == ["Gather"]


@pytest.mark.usefixtures("untried")
def test_autocrop_keeps_an_output_that_comes_out_of_the_head() -> None:
    nodes = [
        helper.make_node("Sub", ["x", "one"], ["scaled"]),
        helper.make_node("MatMul", ["scaled", "w"], ["y"]),
    ]
    model = model_of(
        nodes,
        {"x": (1, 4)},
        {"y": (1, 4), "scaled": (1, 4)},
        {"one": np.float32(1), "w": np.eye(4, dtype=np.float32)},
    )

    assert [t.name for t in compile_models([model], autocrop=True).models[0].outputs] == [
        "y",
        "scaled",
    ]


@pytest.mark.usefixtures("untried")
def test_a_model_is_cut_at_named_tensors_and_nodes() -> None:
    dfp = compile_models([ModelSource(detector(), inputs=["r1"], outputs=["last"])])

    assert operators(dfp.graph()) == ["Conv"]
    assert [t.name for t in (*dfp.models[0].inputs, *dfp.models[0].outputs)] == ["r1", "c2"]
    assert operators(dfp.graph(0, "post"))[0] == "Relu"


@pytest.mark.usefixtures("untried")
def test_ports_are_in_the_order_that_was_asked_for() -> None:
    model = two_branches()
    del model.graph.output[1]
    dfp = compile_models([ModelSource(model, inputs=["b", "a"], outputs=["total"])])

    assert dfp.input_ports[0]["layer_name"] == "b"
    assert [value.name for value in onnx.load_model_from_string(dfp.graph()).graph.input] == [
        "b",
        "a",
    ]


def test_an_input_beside_a_cut_one_is_handed_through() -> None:
    model = two_branches()
    del model.graph.output[1]
    dfp = compile_models([ModelSource(model, inputs=["left", "b"])])

    a, b = np.ones((1, 4), np.float32), np.arange(4, dtype=np.float32)[None]
    session = onnxruntime.InferenceSession(dfp.graph(0, "pre"), providers=["CPUExecutionProvider"])
    given = [tensor.name for tensor in session.get_inputs()]
    made = dict(
        zip(
            [tensor.name for tensor in session.get_outputs()],
            session.run(None, dict(zip(given, (a, b), strict=True))),
            strict=True,
        )
    )
    assert list(made) == ["left", "b"]
    np.testing.assert_array_equal(made["b"], b)
    assert dfp.models[0].parity.outputs[0].cosine == 1.0


@pytest.mark.usefixtures("untried")
def test_outputs_that_do_not_depend_on_the_cut_are_left_out() -> None:
    dfp = compile_models([ModelSource(detector(), outputs=["boxes"])])

    assert [t.name for t in dfp.models[0].outputs] == ["boxes"]
    assert list(dfp.models[0].graphs) == ["main"]


@pytest.mark.parametrize(
    ("inputs", "outputs", "words"),
    [
        ([], ["scores!"], "no tensor 'scores!'; there are for example 'scores'"),
        (["scores"], ["conv"], "'conv' do not depend on 'scores'"),
        (["conv"], ["conv"], "cannot be its beginning and its end"),
        (["relu"], ["conv"], "'conv' do not depend on 'relu'"),
    ],
)
def test_a_cut_that_cannot_be_is_refused(inputs: list[str], outputs: list[str], words: str) -> None:
    assert words in refused(classifier(), inputs, outputs)


def test_a_tail_that_needs_more_than_the_cut_names_it() -> None:
    told = refused(two_branches(), [], ["left"])

    assert "the output 'total' needs 'b' besides 'left'" in told


def test_a_device_part_that_needs_another_input_names_it() -> None:
    assert "also needs the input 'b'" in refused(two_branches(), ["left"], ["total"])


@pytest.mark.usefixtures("untried")
def test_a_loop_takes_what_its_body_reads_from_outside() -> None:
    body = helper.make_graph(
        [
            helper.make_node("Identity", ["goes"], ["go_on"]),
            helper.make_node("Add", ["value", "outer"], ["next"]),
        ],
        "body",
        [
            helper.make_tensor_value_info("step", onnx.TensorProto.INT64, []),
            helper.make_tensor_value_info("goes", onnx.TensorProto.BOOL, []),
            helper.make_tensor_value_info("value", onnx.TensorProto.FLOAT, [1, 4]),
        ],
        [
            helper.make_tensor_value_info("go_on", onnx.TensorProto.BOOL, []),
            helper.make_tensor_value_info("next", onnx.TensorProto.FLOAT, [1, 4]),
        ],
    )
    nodes = [
        helper.make_node("MatMul", ["x", "w"], ["outer"]),
        helper.make_node("Loop", ["count", "go", "x"], ["y"], body=body),
    ]
    model = model_of(
        nodes,
        {"x": (1, 4)},
        {"y": (1, 4)},
        {"w": np.eye(4, dtype=np.float32), "count": np.array(3), "go": np.array(True)},
    )

    dfp = compile_models([ModelSource(model, outputs=["y"])])

    assert operators(dfp.graph()) == ["MatMul", "Loop"]
    assert "needs 'x' besides 'outer'" in refused(model, [], ["outer"])


@pytest.mark.usefixtures("untried")
def test_a_cropped_program_opens_again_with_its_parts() -> None:
    dfp = Dfp(compile_models([detector()], autocrop=True).data)

    assert dfp.models[0].graphs == {
        "main": "models/0/main.onnx",
        "pre": "models/0/pre.onnx",
        "post": "models/0/post.onnx",
    }


def test_a_model_with_the_ports_of_another_program_computes_what_its_original_does() -> None:
    template = v6_file(
        inport_info=[port(4, "x", (8, 8, 1, 3))], outport_info=[port(2, "last", (8, 8, 1, 5))]
    )
    model = onnx.load_model_from_string(compile_models([detector()], autocrop=True).graph())

    dfp = compile_models([ModelSource(model, name="net")], like=template)

    assert (list(dfp.input_ports), list(dfp.output_ports)) == ([4], [2])
    assert [output.cosine for output in dfp.models[0].parity.outputs] == [1.0]
