"""Describes the inputs and outputs of an ONNX model.

This module imports onnx; only the compiler may load it, when it is called.
"""

from collections.abc import Iterable

import onnx
from onnx import ModelProto, ValueInfoProto

from engine.dfp.manifest import DTYPES
from engine.dfp.shapes import real_inputs, shape_of
from engine.errors import ProgramCompileError
from engine.protocol import TensorInfo

__all__ = ("describe_inputs", "describe_outputs")

_NAMES = {"float": "float32", "double": "float64"}


def describe_inputs(model: ModelProto, source: str) -> tuple[TensorInfo, ...]:
    """Return the inputs that a caller has to give; ports count from 0.

    Raises
    ------
    ProgramCompileError
        When there is none, or one is not a tensor of numbers.
    """
    return _describe("input", real_inputs(model), source)


def describe_outputs(model: ModelProto, source: str) -> tuple[TensorInfo, ...]:
    """Return the outputs; ports count from 0, a free axis has the size 0.

    Raises
    ------
    ProgramCompileError
        When there is none, or one is not a tensor of numbers.
    """
    return _describe("output", model.graph.output, source)


def _describe(kind: str, values: Iterable[ValueInfoProto], source: str) -> tuple[TensorInfo, ...]:
    described = tuple(
        TensorInfo(
            value.name,
            tuple(size if isinstance(size, int) else 0 for size in shape_of(value)),
            _dtype_of(kind, value, source),
            port,
        )
        for port, value in enumerate(values)
    )
    if not described:
        raise ProgramCompileError(
            f"model {source} has no {kind}; a program needs at least one", file=source
        )
    return described


def _dtype_of(kind: str, value: ValueInfoProto, source: str) -> str:
    if value.type.WhichOneof("value") != "tensor_type":
        raise ProgramCompileError(
            f"model {source}: {kind} {value.name!r} is not a tensor; "
            "export the model without sequences and dictionaries",
            file=source,
        )
    code = value.type.tensor_type.elem_type
    known = onnx.TensorProto.DataType.Name(code) if code in _codes() else "UNDEFINED"
    name = _NAMES.get(known.lower(), known.lower())
    if name not in DTYPES:
        raise ProgramCompileError(
            f"model {source}: {kind} {value.name!r} holds values of type {known}, "
            f"a program can pass {', '.join(DTYPES)}",
            file=source,
        )
    return name


def _codes() -> set[int]:
    return set(onnx.TensorProto.DataType.values())
