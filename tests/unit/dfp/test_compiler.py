from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pytest
from onnx import TensorProto, helper

from engine.config import PostSettings, PreSettings, Task
from engine.dfp import STAGES, Dfp, ModelSource, compile_models
from engine.errors import InvalidArgumentError, ProgramCompileError

Make = Callable[..., onnx.ModelProto]
CREATED = "2026-01-02T03:04:05+00:00"


def test_a_model_becomes_a_program_that_onnxruntime_runs(make_model: Make, tmp_path: Path) -> None:
    path = tmp_path / "adds_one.onnx"
    onnx.save(make_model(("N", 3, 4, 4), metadata={"labels": "cat\ncup"}), path)
    stages: list[tuple[str, float]] = []

    dfp = compile_models(
        [path],
        output=tmp_path / "out.dfp",
        task=Task.CLASSIFY,
        pre=PreSettings(channels="bgr"),
        post=PostSettings(threshold=0.1),
        progress=lambda stage, fraction: stages.append((stage, fraction)),
    )

    model = Dfp(tmp_path / "out.dfp").models[0]
    assert (dfp.manifest.name, model.name, model.task) == ("adds_one", "adds_one", Task.CLASSIFY)
    assert (model.pre.channels, model.post.threshold) == ("bgr", 0.1)
    assert model.labels == ("cat", "cup")
    assert [(t.name, t.shape, t.dtype, t.port) for t in (*model.inputs, *model.outputs)] == [
        ("image", (1, 3, 4, 4), "float32", 0),
        ("scores", (1, 3, 4, 4), "float32", 0),
    ]
    assert model.parity.max_difference == 0.0
    assert 1.0 < model.parity.max_magnitude <= 2.0
    assert [stage for stage, fraction in stages if fraction == 1.0] == [
        stage for stage in STAGES if stage not in ("crop", "quantize")
    ]
    image = np.ones((1, 3, 4, 4), np.float32)
    session = onnxruntime.InferenceSession(dfp.graph(), providers=["CPUExecutionProvider"])
    assert (session.run(None, {"image": image})[0] == 2.0).all()


def test_equal_models_give_equal_bytes(make_model: Make, tmp_path: Path) -> None:
    for name in ("a.dfp", "b.dfp"):
        compile_models([make_model()], output=tmp_path / name, name="n", created=CREATED)

    assert (tmp_path / "a.dfp").read_bytes() == (tmp_path / "b.dfp").read_bytes()


def test_several_models_keep_their_own_settings(make_model: Make) -> None:
    dfp = compile_models(
        [
            ModelSource(make_model(), name="first", task=Task.CLASSIFY, labels=("a",)),
            make_model((1, 2)).SerializeToString(),
        ],
        task=Task.SEGMENT,
    )

    assert [(m.name, m.task, m.labels) for m in dfp.models] == [
        ("first", Task.CLASSIFY, ("a",)),
        ("model 1", Task.SEGMENT, ()),
    ]
    assert [dfp.input_tensors[port].shape for port in (0, 1)] == [(1, 3, 4, 4), (1, 2)]
    assert onnx.load_model_from_string(dfp.graph(1)).graph.input[0].name == "image"


def test_a_model_newer_than_onnxruntime_is_brought_back(make_model: Make) -> None:
    model = make_model(opset=onnx.defs.onnx_opset_version(), ir_version=14)

    compiled = onnx.load_model_from_string(compile_models([model]).graph())

    assert compiled.ir_version == 13
    assert compiled.opset_import[0].version == 26
    assert model.ir_version == 14


def test_an_older_model_keeps_its_versions_and_weights(make_model: Make) -> None:
    model = make_model(opset=11, ir_version=6)

    compiled = onnx.load_model_from_string(compile_models([model]).graph())

    assert compiled == model


@pytest.mark.parametrize(
    ("dtype", "name"),
    [
        (TensorProto.UINT8, "uint8"),
        (TensorProto.INT64, "int64"),
        (TensorProto.DOUBLE, "float64"),
        (TensorProto.FLOAT16, "float16"),
    ],
)
def test_value_types_are_named_as_numpy_does(make_model: Make, dtype: int, name: str) -> None:
    dfp = compile_models([make_model((1, 4), dtype=dtype)])

    assert dfp.input_tensors[0].dtype == dfp.output_tensors[0].dtype == name
    assert dfp.models[0].parity.max_difference == 0.0


def test_an_axis_that_depends_on_the_data_stays_free(make_model: Make) -> None:
    graph = helper.make_graph(
        [helper.make_node("NonZero", ["image"], ["places"])],
        "finds",
        [helper.make_tensor_value_info("image", TensorProto.FLOAT, [1, 4])],
        [helper.make_tensor_value_info("places", TensorProto.INT64, [2, "found"])],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)

    assert compile_models([model]).output_tensors[0].shape == (2, 0)


def test_weights_in_a_file_beside_the_model_are_taken_in(make_model: Make, tmp_path: Path) -> None:
    model = weighted(make_model)
    onnx.save(model, tmp_path / "m.onnx", save_as_external_data=True, size_threshold=0)

    dfp = compile_models([tmp_path / "m.onnx"])

    assert len(dfp.graph()) > 4096


def test_weights_beside_bytes_cannot_be_found(make_model: Make, tmp_path: Path) -> None:
    onnx.save(
        weighted(make_model), tmp_path / "m.onnx", save_as_external_data=True, size_threshold=0
    )

    with pytest.raises(ProgramCompileError, match="give the path of the model"):
        compile_models([(tmp_path / "m.onnx").read_bytes()])


def test_a_reference_that_is_too_slow_is_written_down(make_model: Make) -> None:
    dfp = compile_models([slow_model()], compare_limit_s=0.05)

    assert str(dfp.models[0].parity).startswith("not checked: the reference evaluator took more")


def test_no_model_is_refused() -> None:
    with pytest.raises(InvalidArgumentError, match="no model to compile"):
        compile_models([])


def test_a_name_that_cannot_be_shown_is_refused(make_model: Make) -> None:
    with pytest.raises(InvalidArgumentError, match="printable"):
        compile_models([make_model()], name="two\nlines")
    with pytest.raises(InvalidArgumentError, match="printable"):
        compile_models([ModelSource(make_model(), name="\x1b[31m")])


def test_a_file_name_that_cannot_be_shown_gives_a_name_that_can(
    make_model: Make, tmp_path: Path
) -> None:
    path = tmp_path / "a\nb.onnx"
    onnx.save(make_model((1, 2)), path)

    assert compile_models([path]).models[0].name == "a_b"


def weighted(make_model: Make) -> onnx.ModelProto:
    model = make_model((1, 1024))
    model.graph.initializer[0].CopyFrom(
        helper.make_tensor(
            "one", TensorProto.FLOAT, (1024,), np.ones(1024, "<f4").tobytes(), raw=True
        )
    )
    return model


def slow_model() -> onnx.ModelProto:
    """Return a loop that onnxruntime runs at once and the reference evaluator in minutes."""
    body = helper.make_graph(
        [
            helper.make_node("Identity", ["goes"], ["go_on"]),
            helper.make_node("Add", ["value", "value"], ["twice"]),
            helper.make_node("Sigmoid", ["twice"], ["next"]),
        ],
        "body",
        [
            helper.make_tensor_value_info("step", TensorProto.INT64, []),
            helper.make_tensor_value_info("goes", TensorProto.BOOL, []),
            helper.make_tensor_value_info("value", TensorProto.FLOAT, [1, 4]),
        ],
        [
            helper.make_tensor_value_info("go_on", TensorProto.BOOL, []),
            helper.make_tensor_value_info("next", TensorProto.FLOAT, [1, 4]),
        ],
    )
    graph = helper.make_graph(
        [helper.make_node("Loop", ["count", "go", "image"], ["scores"], body=body)],
        "slow",
        [helper.make_tensor_value_info("image", TensorProto.FLOAT, [1, 4])],
        [helper.make_tensor_value_info("scores", TensorProto.FLOAT, [1, 4])],
        [
            helper.make_tensor("count", TensorProto.INT64, [], [200_000]),
            helper.make_tensor("go", TensorProto.BOOL, [], [True]),
        ],
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)
