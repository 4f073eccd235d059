"""Programs of a few operators, written in a moment, for scripts that only want some program."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from onnx import helper

from engine.config import PreSettings
from engine.dfp import ModelEntry, pack_dfp
from engine.protocol import TensorInfo
from tests.support.networks import model_of

__all__ = ("double", "mean_color", "plus_hundred", "write_program")


def double(source: str = "x", target: str = "y") -> onnx.ModelProto:
    """Return y = x + x, shape (1, 4)."""
    node = helper.make_node("Add", [source, source], [target])
    return model_of([node], {source: (1, 4)}, {target: (1, 4)})


def plus_hundred() -> onnx.ModelProto:
    """Return what comes after `double`: z = y + 100."""
    node = helper.make_node("Add", ["y", "hundred"], ["z"])
    return model_of([node], {"y": (1, 4)}, {"z": (1, 4)}, {"hundred": np.float32([100])})


def mean_color() -> onnx.ModelProto:
    """Return the mean color (1, 3) of a picture (1, 3, 6, 5)."""
    node = helper.make_node("ReduceMean", ["x"], ["y"], axes=[2, 3], keepdims=0)
    return model_of([node], {"x": (1, 3, 6, 5)}, {"y": (1, 3)})


def write_program(path: Path, *models: onnx.ModelProto) -> Path:
    """Write models into one program without the compiler's checks."""
    entries: list[ModelEntry] = []
    graphs = {}
    for number, model in enumerate(models):
        graphs[f"main{number}.onnx"] = model.SerializeToString()
        entries.append(
            ModelEntry(
                name=f"model {number}",
                main=f"main{number}.onnx",
                inputs=_infos(model.graph.input, sum(len(e.inputs) for e in entries)),
                outputs=_infos(model.graph.output, sum(len(e.outputs) for e in entries)),
                pre=PreSettings(),
            )
        )
    path.write_bytes(pack_dfp(name="test", models=entries, graphs=graphs))
    return path


def _infos(values: Sequence[Any], first_port: int) -> tuple[TensorInfo, ...]:
    return tuple(
        TensorInfo(
            value.name,
            tuple(axis.dim_value for axis in value.type.tensor_type.shape.dim),
            "float32",
            port,
        )
        for port, value in enumerate(values, first_port)
    )
