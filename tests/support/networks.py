"""Small networks with the shape of real ones: a head, convolutions, a tail."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

FLOAT = TensorProto.FLOAT


def model_of(
    nodes: Sequence[Any],
    inputs: dict[str, Sequence[int | str]],
    outputs: dict[str, Sequence[int | str]],
    weights: dict[str, Any] | None = None,
    *,
    opset: int = 17,
    dtypes: dict[str, int] | None = None,
) -> onnx.ModelProto:
    """Return a model; inputs and outputs are floats unless `dtypes` says otherwise."""
    kinds = dtypes or {}
    graph = helper.make_graph(
        list(nodes),
        "network",
        [helper.make_tensor_value_info(n, kinds.get(n, FLOAT), list(s)) for n, s in inputs.items()],
        [
            helper.make_tensor_value_info(n, kinds.get(n, FLOAT), list(s))
            for n, s in outputs.items()
        ],
        [
            numpy_helper.from_array(np.asarray(array), name)
            for name, array in (weights or {}).items()
        ],
    )
    opsets = [helper.make_opsetid("", opset)]
    return helper.make_model(graph, opset_imports=opsets, ir_version=9)


def _value(name: str, dtype: int, shape: Sequence[int | str]) -> Any:
    return helper.make_tensor_value_info(name, dtype, list(shape))


def _weights(*shape: int, seed: int = 0) -> Any:
    return np.random.default_rng(seed).normal(0, 0.3, shape).astype(np.float32)


def classifier(batch: int | str = 1) -> onnx.ModelProto:
    """Return image (1, 3, 8, 8) > Conv > Relu > pool > Flatten > Gemm > Softmax > scores (1, 5)."""
    return model_of(
        [
            helper.make_node(
                "Conv", ["image", "w", "b"], ["conv"], pads=[1, 1, 1, 1], name="first"
            ),
            helper.make_node("Relu", ["conv"], ["relu"]),
            helper.make_node("GlobalAveragePool", ["relu"], ["pooled"]),
            helper.make_node("Flatten", ["pooled"], ["flat"]),
            helper.make_node("Gemm", ["flat", "fc"], ["logits"]),
            helper.make_node("Softmax", ["logits"], ["scores"]),
        ],
        {"image": (batch, 3, 8, 8)},
        {"scores": (batch, 5)},
        {"w": _weights(16, 3, 3, 3), "b": _weights(16, seed=1), "fc": _weights(16, 5, seed=2)},
    )


def detector() -> onnx.ModelProto:
    """Return a network with a head that scales bytes and a tail that decodes and selects.

    picture (1, 8, 8, 3), uint8 > Cast > Div > Transpose > Conv > Relu > Conv > Relu
    > Reshape > Split > boxes (1, 64, 4); Sigmoid > TopK > best (1, 3, 1).
    """
    return model_of(
        [
            helper.make_node("Cast", ["picture"], ["real"], to=FLOAT),
            helper.make_node("Div", ["real", "range"], ["scaled"]),
            helper.make_node("Transpose", ["scaled"], ["planes"], perm=[0, 3, 1, 2]),
            helper.make_node("Conv", ["planes", "w1"], ["c1"], pads=[1, 1, 1, 1]),
            helper.make_node("Relu", ["c1"], ["r1"]),
            helper.make_node("Conv", ["r1", "w2"], ["c2"], pads=[1, 1, 1, 1], name="last"),
            helper.make_node("Relu", ["c2"], ["r2"]),
            helper.make_node("Reshape", ["r2", "cells"], ["rows"]),
            helper.make_node("Split", ["rows", "parts"], ["boxes", "raw"], axis=2),
            helper.make_node("Sigmoid", ["raw"], ["sure"]),
            helper.make_node("TopK", ["sure", "k"], ["best", "where"], axis=1),
        ],
        {"picture": (1, 8, 8, 3)},
        {"boxes": (1, 64, 4), "best": (1, 3, 1), "where": (1, 3, 1)},
        {
            "range": np.float32(255),
            "w1": _weights(8, 3, 3, 3),
            "w2": _weights(5, 8, 3, 3, seed=3),
            "cells": np.array([1, 64, 5], np.int64),
            "parts": np.array([4, 1], np.int64),
            "k": np.array([3], np.int64),
        },
        dtypes={"picture": TensorProto.UINT8, "where": TensorProto.INT64},
    )


def two_branches() -> onnx.ModelProto:
    """Return a (1, 4) and b (1, 4) > MatMul each > added > total; b goes on to late as well."""
    return model_of(
        [
            helper.make_node("MatMul", ["a", "wa"], ["left"]),
            helper.make_node("MatMul", ["b", "wb"], ["right"]),
            helper.make_node("Add", ["left", "right"], ["total"]),
            helper.make_node("Mul", ["total", "b"], ["late"]),
        ],
        {"a": (1, 4), "b": (1, 4)},
        {"total": (1, 4), "late": (1, 4)},
        {"wa": _weights(4, 4), "wb": _weights(4, 4, seed=4)},
    )
