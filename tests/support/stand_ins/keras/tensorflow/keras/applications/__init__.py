"""A classifier with the shapes of MobileNet that takes no time."""

from pathlib import Path

import numpy as np
from onnx import TensorProto, helper, numpy_helper

from tensorflow.keras.applications import mobilenet

__all__ = ("MobileNet", "mobilenet")


class MobileNet:
    """Pictures (1, 224, 224, 3) in, 1000 probabilities out."""

    def export(self, path: str, format: str = "tf_saved_model", **_: object) -> None:  # noqa: A002
        if format != "onnx":
            raise ValueError(f"this stand-in has no format {format!r}")
        weights = np.random.default_rng(7).normal(size=(3, 1000)).astype(np.float32)
        graph = helper.make_graph(
            [
                helper.make_node("ReduceMean", ["picture"], ["mean"], axes=[1, 2], keepdims=0),
                helper.make_node("MatMul", ["mean", "weights"], ["logits"]),
                helper.make_node("Softmax", ["logits"], ["scores"]),
            ],
            "mobilenet",
            [helper.make_tensor_value_info("picture", TensorProto.FLOAT, ["n", 224, 224, 3])],
            [helper.make_tensor_value_info("scores", TensorProto.FLOAT, ["n", 1000])],
            [numpy_helper.from_array(weights, "weights")],
        )
        opset = [helper.make_opsetid("", 17)]
        model = helper.make_model(graph, opset_imports=opset, ir_version=9)
        Path(path).write_bytes(model.SerializeToString())
