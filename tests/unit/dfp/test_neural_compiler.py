import json
import logging
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import helper

from engine.dfp import Dfp, NeuralCompiler
from engine.dfp.neural_options import names_per_model, shapes_per_model
from engine.errors import InvalidArgumentError, ProgramCompileError
from tests.support.networks import classifier, detector, model_of

pytestmark = pytest.mark.usefixtures("untried")


def relu(shape: tuple[Any, ...] = ("N", 3, "H", "W")) -> onnx.ModelProto:
    return model_of([helper.make_node("Relu", ["x"], ["y"])], {"x": shape}, {"y": shape})


def refused(**config: Any) -> str:
    with pytest.raises(InvalidArgumentError) as caught:
        NeuralCompiler(**config).run()
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_a_model_becomes_a_program_in_memory(tmp_path: Path) -> None:
    path = tmp_path / "net.onnx"
    onnx.save(classifier(), path)

    dfp = NeuralCompiler(models=str(path)).run()

    assert (dfp.path, dfp.model_names) == (None, ("net",))
    assert dfp.input_shapes == [[8, 8, 1, 3]]
    assert list(tmp_path.iterdir()) == [path]


def test_several_models_become_one_program() -> None:
    dfp = NeuralCompiler(models=[classifier(), detector()]).run()

    assert {n: p["layer_name"] for n, p in dfp.input_ports.items()} == {0: "image", 1: "picture"}
    assert list(dfp.output_ports) == [0, 1, 2, 3]


def test_the_program_and_its_cut_off_parts_are_written(tmp_path: Path) -> None:
    dfp = NeuralCompiler(
        models=detector(), dfp_fname=str(tmp_path / "yolo"), autocrop=True, verbose=1
    ).run()

    assert dfp.path == tmp_path / "yolo.dfp"
    names = {path.name for path in tmp_path.iterdir()}
    assert names == {"yolo.dfp", "yolo_pre.onnx", "yolo_crop.onnx", "yolo_post.onnx"}
    assert (tmp_path / "yolo_crop.onnx").read_bytes() == dfp.graph()
    post = onnx.load(tmp_path / "yolo_post.onnx")
    assert [value.name for value in post.graph.input] == dfp.output_names


def test_parts_of_several_models_are_numbered(tmp_path: Path) -> None:
    NeuralCompiler(
        models=[classifier(), detector()], dfp_fname=tmp_path / "two.dfp", outputs="|r2"
    ).run()

    assert (tmp_path / "model_1_two_post.onnx").exists()
    assert not (tmp_path / "model_0_two_post.onnx").exists()


def test_arguments_can_be_given_one_by_one() -> None:
    compiler = NeuralCompiler()
    compiler.set_config(models=relu(), num_chips="2")
    compiler.set_config(input_shapes="1,3,4,5")

    assert compiler.run().input_tensors[0].shape == (1, 3, 4, 5)
    compiler.reset_config()
    with pytest.raises(InvalidArgumentError, match="no model to compile"):
        compiler.run()


@pytest.mark.parametrize("entry", [{"input": "planes", "output": "r2"}, [{"inputs": ["planes"]}]])
def test_a_file_names_where_the_devices_part_begins(tmp_path: Path, entry: Any) -> None:
    file = tmp_path / "cut.json"
    file.write_text(json.dumps(entry))

    dfp = NeuralCompiler(models=detector(), model_in_out=file).run()

    assert dfp.input_ports[0]["layer_name"] == "planes"
    assert "pre" in dfp.models[0].graphs


@pytest.mark.parametrize(
    ("content", "words"),
    [("{", "is not JSON"), ("[1]", "for each of 1 models"), ("[{}, {}]", "for each of 1 models")],
)
def test_a_file_that_names_nothing_is_refused(tmp_path: Path, content: str, words: str) -> None:
    file = tmp_path / "cut.json"
    file.write_text(content)

    assert words in refused(models=classifier(), model_in_out=file)
    assert "cannot be read" in refused(models=classifier(), model_in_out=tmp_path / "no.json")


def test_arguments_about_chips_are_accepted_and_said_to_mean_nothing(
    caplog: pytest.LogCaptureFixture,
) -> None:
    with caplog.at_level(logging.INFO, "engine.dfp"):
        NeuralCompiler(
            models=relu((1, 2)), num_chips=2, chip_gen="3.1", effort="hard", num_processes="max"
        ).run()

    (told,) = [record.getMessage() for record in caplog.records]
    assert "num_chips, chip_gen, effort, num_processes" in told


def test_stages_are_told_when_asked_for() -> None:
    stages: list[str] = []

    NeuralCompiler(models=relu((1, 2)), progress=lambda stage, _done: stages.append(stage)).run()

    assert list(dict.fromkeys(stages)) == ["read", "shapes", "check", "trial", "write"]


@pytest.mark.parametrize(
    ("config", "words"),
    [
        ({"model": 1}, "no argument 'model'"),
        ({"effort": "maximal"}, "effort is one of lazy, normal, hard"),
        ({"chip_gen": "mx9"}, "chip_gen is one of"),
        ({"num_chips": 0}, "num_chips is a whole number from 1 to 64"),
        ({"num_chips": "many"}, "num_chips is a whole number"),
        ({"verbose": 5}, "verbose is a whole number from 0 to 4"),
        ({"min_cosine": 2}, "min_cosine is -1 to 1"),
        ({"quantize": "int4"}, "quantize is one of None, False, int8"),
        ({"models": []}, "no model to compile"),
        ({"models": None}, "no model to compile"),
        ({"models": [1, 2], "inputs": "a"}, "for 1 models, but there are 2"),
        ({"models": [1, 2], "calibration": np.zeros(2)}, "calibration is a list of 2"),
        ({"models": [1], "input_shapes": "a,b"}, "'a,b' is not a shape"),
    ],
)
def test_a_wrong_argument_is_named(config: dict[str, Any], words: str) -> None:
    assert words in refused(**config)


@pytest.mark.parametrize(
    ("given", "count", "names"),
    [
        (None, 2, [(), ()]),
        ("a, b", 1, [("a", "b")]),
        ("a,b|c", 2, [("a", "b"), ("c",)]),
        (["a", "b"], 1, [("a", "b")]),
        ([["a"], "b,c"], 2, [("a",), ("b", "c")]),
        ([None, "b"], 2, [(), ("b",)]),
    ],
)
def test_names_are_given_in_many_ways(given: Any, count: int, names: Any) -> None:
    assert names_per_model("inputs", given, count) == names


@pytest.mark.parametrize(
    ("given", "count", "shapes"),
    [
        ("auto", 2, [(), ()]),
        ("1,3,4,4", 1, [((1, 3, 4, 4),)]),
        ("4,4,3|auto", 2, [((4, 4, 3),), ()]),
        ([4, 4, 3], 1, [((4, 4, 3),)]),
        ([(1, 2), (3, 4)], 1, [((1, 2), (3, 4))]),
        ([(1, 2), {"x": [3]}], 2, [((1, 2),), {"x": (3,)}]),
        ({"x": "1,2"}, 1, [{"x": (1, 2)}]),
    ],
)
def test_shapes_are_given_in_many_ways(given: Any, count: int, shapes: Any) -> None:
    assert shapes_per_model(given, count) == shapes


def test_a_shape_without_the_batch_gets_one() -> None:
    assert NeuralCompiler(models=relu(), input_shapes=[3, 4, 5]).run().input_tensors[0].shape == (
        1,
        3,
        4,
        5,
    )


def test_more_shapes_than_inputs_are_refused() -> None:
    with pytest.raises(ProgramCompileError, match="has 1 inputs, but 2 shapes were given"):
        NeuralCompiler(models=relu(), input_shapes=[(1, 3, 4, 4), (1, 2)]).run()


def test_a_program_it_makes_has_the_published_properties() -> None:
    dfp = Dfp(NeuralCompiler(models=[detector(), classifier()], dfp_fname=None).run().data)

    assert (dfp.version, dfp.sub_version, dfp.num_chips, dfp.chip_gen) == ("6", 1, 1, "Cascade+")
    assert (dfp.num_inports, dfp.num_outports) == (2, 4)
    assert dfp.input_shapes == [[8, 8, 1, 3], [8, 8, 1, 3]]
    assert dfp.output_shapes[0] == [64, 1, 1, 4]
    assert dfp.output_names == ["boxes", "best", "where", "scores"]
    first = dfp.input_ports[0]
    assert (first["layer_name"], first["data_type"], first["raw_shape"]) == (
        "picture",
        "uint8",
        [1, 8, 8, 3],
    )
    assert (first["active"], first["model_index"], first["packing_format"]) == (True, 0, "uint8")
    assert dfp.input_ports[1]["data_type"] == "float"
    assert dfp.output_ports[3]["hpoc_enabled"] is False
    assert dfp._dfp_bytes.read() == dfp.data
    assert dfp._metadata["name"] == dfp.manifest.name
