"""Reads ONNX models and brings them to the versions that onnxruntime understands.

This module imports onnx; only the compiler may load it, when it is called.
"""

import os
from pathlib import Path

import onnx
from google.protobuf.message import (  # type: ignore[import-untyped]  # it ships no types
    DecodeError,
)
from onnx import ModelProto

from engine.errors import ProgramCompileError

__all__ = (
    "MAX_IR_VERSION",
    "MAX_OPSET",
    "check_model",
    "first_line",
    "limit_versions",
    "read_model",
    "serialize",
)

MAX_IR_VERSION = 13
"""Newest ONNX file format that the oldest supported onnxruntime of this release reads."""
MAX_OPSET = 26
"""Newest operator set that the same onnxruntime executes."""

_SIZE_LIMIT_BYTES = 2**31 - 1
_DEFAULT_DOMAINS = ("", "ai.onnx")


def read_model(model: str | os.PathLike[str] | bytes | ModelProto, source: str) -> ModelProto:
    """Return a private copy of the model with its weights inside.

    Raises
    ------
    ProgramCompileError
        When it cannot be read or is not an ONNX model; `source` names it.
    """
    if isinstance(model, ModelProto):
        copy = ModelProto()
        copy.CopyFrom(model)
        return copy
    if isinstance(model, bytes):
        parsed = _parse(model, source)
        if any(map(onnx.external_data_helper.uses_external_data, parsed.graph.initializer)):
            raise ProgramCompileError(
                f"model {source} keeps its weights in other files; give the path of the model "
                "instead of its bytes",
                file=source,
            )
        return parsed
    path = Path(model)
    try:
        if path.stat().st_size > _SIZE_LIMIT_BYTES:
            raise ProgramCompileError(
                f"model {source} is larger than 2 GiB, which ONNX cannot hold", file=source
            )
        parsed = _parse(path.read_bytes(), source)
        onnx.external_data_helper.load_external_data_for_model(parsed, str(path.parent))
    except (OSError, ValueError, onnx.checker.ValidationError) as error:
        reason = error.strerror if isinstance(error, OSError) else None
        raise ProgramCompileError(
            f"model {source} cannot be read: {reason or first_line(error)}", file=source
        ) from error
    return parsed


def limit_versions(model: ModelProto, source: str) -> ModelProto:
    """Return the model with file format and operator set no newer than onnxruntime reads.

    Raises
    ------
    ProgramCompileError
        When a newer operator set cannot be converted back.
    """
    opset = max((o.version for o in model.opset_import if o.domain in _DEFAULT_DOMAINS), default=0)
    if opset > MAX_OPSET:
        try:
            model = onnx.version_converter.convert_version(model, MAX_OPSET)
        except (RuntimeError, ValueError) as error:
            raise ProgramCompileError(
                f"model {source} uses operator set {opset}, onnxruntime reads up to {MAX_OPSET}, "
                f"and it cannot be converted ({first_line(error)}); "
                f"export it again with opset {MAX_OPSET} or older",
                file=source,
            ) from error
    model.ir_version = min(model.ir_version, MAX_IR_VERSION)
    return model


def check_model(model: ModelProto, source: str) -> None:
    """Refuse a model that breaks the rules of ONNX.

    Raises
    ------
    ProgramCompileError
        With the first rule that is broken.
    """
    try:
        onnx.checker.check_model(model)
    except (onnx.checker.ValidationError, ValueError, RuntimeError) as error:
        raise ProgramCompileError(
            f"model {source} is not a valid ONNX model: {first_line(error)}", file=source
        ) from error


def serialize(model: ModelProto, source: str) -> bytes:
    """Return the bytes of the model; equal models give equal bytes."""
    try:
        return bytes(model.SerializeToString(deterministic=True))
    except ValueError as error:
        raise ProgramCompileError(
            f"model {source} is larger than 2 GiB together with its weights, "
            "which ONNX cannot hold; split it",
            file=source,
        ) from error


def first_line(error: BaseException) -> str:
    """Return what an exception of another library says, as part of one sentence."""
    lines = [line.strip() for line in str(error).splitlines()]
    text = next((line for line in lines if line), type(error).__name__)
    return text.rstrip(".")[:300]


def _parse(data: bytes, source: str) -> ModelProto:
    model = ModelProto()
    try:
        model.ParseFromString(data)
    except DecodeError as error:
        raise ProgramCompileError(
            f"{source} is not an ONNX model, or it is cut off; export the model again",
            file=source,
        ) from error
    if not model.graph.node:
        raise ProgramCompileError(
            f"{source} is not an ONNX model: it has no operator in it", file=source
        )
    return model
