"""Small compiled programs, and a way to slow down or break the device."""

import threading
import uuid
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper

from engine.accelerator import _program
from engine.config import PreSettings
from engine.dfp import compile_models
from engine.plugins import ProcessingPlugin, Session
from engine.plugins.onnxruntime_cpu import OnnxRuntimeCpuPlugin

Array = np.ndarray[Any, Any]


def value(name: str, shape: Sequence[int | str], dtype: int = TensorProto.FLOAT) -> Any:
    return helper.make_tensor_value_info(name, dtype, list(shape))


def model_of(nodes: list[Any], inputs: list[Any], outputs: list[Any]) -> onnx.ModelProto:
    graph = helper.make_graph(nodes, "test", inputs, outputs)
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)


def identity_model(shape: Sequence[int] = (1, 4)) -> onnx.ModelProto:
    return model_of(
        [helper.make_node("Identity", ["x"], ["y"])], [value("x", shape)], [value("y", shape)]
    )


def sum_and_difference_model() -> onnx.ModelProto:
    return model_of(
        [
            helper.make_node("Add", ["a", "b"], ["total"]),
            helper.make_node("Sub", ["a", "b"], ["difference"]),
        ],
        [value("a", (1, 4)), value("b", (1, 4))],
        [value("total", (1, 4)), value("difference", (1, 4))],
    )


def double_model(source: str = "x", target: str = "z", shape: Sequence[int | str] = (1, 4)) -> Any:
    return model_of(
        [helper.make_node("Add", [source, source], [target])],
        [value(source, shape)],
        [value(target, shape)],
    )
