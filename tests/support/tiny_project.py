"""A small but real project: a spectral cube, a linear model compiled into a DFP, a project file."""

from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from engine.config import (
    Policy,
    PostSettings,
    PreSettings,
    ProgramSettings,
    Project,
    StreamSettings,
    Task,
    save_project,
)
from engine.dfp import compile_models

PIXELS, BANDS, LINES = 24, 12, 40
LABELS = ("low", "high")

__all__ = ("BANDS", "LABELS", "LINES", "PIXELS", "make_cube", "make_program", "make_project")


def make_cube(folder: Path, *, lines: int = LINES) -> Path:
    """Write a cube whose left half is dark (class "low") and right half bright ("high")."""
    cube = np.full((lines, PIXELS, BANDS), 100, np.uint16)
    cube[:, PIXELS // 2 :, :] = 1000
    path = folder / "cube.npy"
    np.save(path, cube)
    return path


def make_program(folder: Path) -> Path:
    """Compile a linear model: mean over the bands, compared with 500."""
    weights = np.zeros((BANDS, 2), np.float32)
    weights[:, 1] = 1.0 / BANDS
    bias = np.array([500.0, 0.0], np.float32)
    graph = helper.make_graph(
        [
            helper.make_node("MatMul", ["spectra", "weights"], ["scaled"]),
            helper.make_node("Add", ["scaled", "bias"], ["scores"]),
        ],
        "linear",
        [helper.make_tensor_value_info("spectra", TensorProto.FLOAT, [1, PIXELS, BANDS])],
        [helper.make_tensor_value_info("scores", TensorProto.FLOAT, [1, PIXELS, 2])],
        [
            numpy_helper.from_array(weights, "weights"),
            numpy_helper.from_array(bias, "bias"),
        ],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)
    onnx.checker.check_model(model)
    path = folder / "linear.dfp"
    compile_models(
        [model],
        output=path,
        name="linear",
        task=Task.SPECTRAL,
        pre=PreSettings(layout="lines"),
        post=PostSettings(threshold=0.0),
        labels=LABELS,
    )
    return path


def make_project(
    folder: Path,
    *,
    names: tuple[str, ...] = ("one",),
    rate_hz: float = 200.0,
    is_looped: bool = True,
    policy: Policy = Policy.LATEST,
    lines: int = LINES,
) -> Path:
    """Write cube, program and project file; return the project file's path."""
    make_cube(folder, lines=lines)
    make_program(folder)
    source = {"path": "cube.npy", "rate_hz": rate_hz, "loop": is_looped}
    streams = tuple(
        StreamSettings(name, "linear", "cube-line", dict(source), policy=policy) for name in names
    )
    project = Project(
        name="tiny", programs=(ProgramSettings("linear", "linear.dfp"),), streams=streams
    )
    path = folder / "project.toml"
    save_project(project, path)
    return path
