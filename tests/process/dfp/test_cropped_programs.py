"""Cropped programs on the accelerator classes: the host's parts come out of the program."""

from typing import Any

import numpy as np
import onnx
import onnxruntime
import pytest
from onnx import helper

from engine.accelerator import SyncAccl
from engine.dfp import NeuralCompiler
from tests.support.networks import detector, model_of


@pytest.fixture
def picture() -> Any:
    return np.random.default_rng(8).integers(0, 256, (1, 8, 8, 3), dtype=np.uint8)


@pytest.fixture
def wanted(picture: Any) -> list[Any]:
    session = onnxruntime.InferenceSession(
        detector().SerializeToString(), providers=["CPUExecutionProvider"]
    )
    outputs: list[Any] = session.run(None, {"picture": picture})
    return outputs


@pytest.mark.parametrize("are_files", [True, False])
def test_a_cropped_program_with_its_parts_gives_what_the_model_gives(
    tmp_path: Any, picture: Any, wanted: list[Any], are_files: bool
) -> None:
    dfp = NeuralCompiler(
        models=detector(), autocrop=True, dfp_fname=tmp_path / "net.dfp", min_cosine=0.999
    ).run()

    with SyncAccl(dfp, local_mode=True) as accl:
        pre = str(tmp_path / "net_pre.onnx") if are_files else dfp.graph(0, "pre")
        post = str(tmp_path / "net_post.onnx") if are_files else dfp.graph(0, "post")
        accl.set_preprocessing_model(pre)
        accl.set_postprocessing_model(post)
        found = accl.run(picture)

    assert len(found) == len(wanted)
    for left, right in zip(found, wanted, strict=True):
        np.testing.assert_allclose(left, right, rtol=1e-5, atol=1e-6)


def test_quantized_models_are_cut_before_their_first_scale() -> None:
    nodes = [
        helper.make_node("Transpose", ["picture"], ["planes"], perm=[0, 3, 1, 2]),
        helper.make_node("DequantizeLinear", ["planes", "scale", "zero"], ["real"]),
        helper.make_node("Conv", ["real", "w"], ["y"]),
    ]
    model = model_of(
        nodes,
        {"picture": (1, 4, 4, 3)},
        {"y": (1, 2, 4, 4)},
        {"scale": np.float32(0.1), "zero": np.uint8(0), "w": np.ones((2, 3, 1, 1), np.float32)},
        dtypes={"picture": onnx.TensorProto.UINT8},
    )

    dfp = NeuralCompiler(models=model, autocrop=True).run()

    assert dfp.input_ports[0]["data_type"] == "uint8"
    main = onnx.load_model_from_string(dfp.graph())
    assert [node.op_type for node in main.graph.node] == ["DequantizeLinear", "Conv"]
