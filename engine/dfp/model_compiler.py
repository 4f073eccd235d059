"""The compiler's steps for one model.

This module imports onnx; only the compiler may load it, when it is called.
"""

import dataclasses
from collections.abc import Mapping, Sequence

import msgspec
from onnx import ModelProto

from engine.config import Task
from engine.dfp.labels import labels_from_metadata
from engine.dfp.manifest import ModelEntry
from engine.dfp.model_source import CompleteSource
from engine.dfp.onnx_file import check_model, limit_versions, read_model, serialize
from engine.dfp.parity import Parity
from engine.dfp.shapes import check_names, fix_shapes, is_text, real_inputs
from engine.dfp.tensors import describe_inputs, describe_outputs
from engine.dfp.trial import try_model
from engine.errors import ProgramCompileError
from engine.protocol import TensorInfo

__all__ = ("CheckedModel", "Draft", "check_draft", "fix_draft", "read_draft", "try_draft")


@dataclasses.dataclass(frozen=True)
class Draft:
    """A model on its way."""

    source: CompleteSource
    model: ModelProto

    @property
    def input_names(self) -> list[str]:
        """Names of the inputs that a caller has to give."""
        return [value.name for value in real_inputs(self.model)]


@dataclasses.dataclass(frozen=True)
class CheckedModel:
    """A model that keeps the rules, serialized; ports count from 0 as if it were alone."""

    source: CompleteSource
    graph: bytes
    inputs: tuple[TensorInfo, ...]
    outputs: tuple[TensorInfo, ...]
    labels: tuple[str, ...]
    parity: Parity

    def numbered(self, before: Sequence[ModelEntry]) -> ModelEntry:
        """Return the manifest's entry of this model, behind those `before` it."""
        used_inputs = sum(len(entry.inputs) for entry in before)
        used_outputs = sum(len(entry.outputs) for entry in before)
        try:
            return ModelEntry(
                name=self.source.name,
                main=f"models/{len(before)}/main.onnx",
                inputs=_shifted(self.inputs, used_inputs),
                outputs=_shifted(self.outputs, used_outputs),
                task=self.source.task,
                pre=self.source.pre,
                post=self.source.post,
                labels=self.labels,
                parity=self.parity,
            )
        except ValueError as error:
            raise ProgramCompileError(
                f"model {self.source.called} cannot be described: {error}", file=self.source.called
            ) from error


def read_draft(source: CompleteSource) -> Draft:
    """Read a model and bring it to versions that onnxruntime reads."""
    model = read_model(source.model, source.called)
    check_names(model, source.called)
    return Draft(source, limit_versions(model, source.called))


def fix_draft(draft: Draft, shapes: Mapping[str, Sequence[int]]) -> Draft:
    """Give its inputs fixed shapes."""
    return dataclasses.replace(draft, model=fix_shapes(draft.model, shapes, draft.source.called))


def check_draft(draft: Draft) -> CheckedModel:
    """Check the model against the rules of ONNX and against its task."""
    source, model = draft.source, draft.model
    check_model(model, source.called)
    metadata = {entry.key: entry.value for entry in model.metadata_props if is_text(entry.value)}
    checked = CheckedModel(
        source,
        serialize(model, source.called),
        describe_inputs(model, source.called),
        describe_outputs(model, source.called),
        source.labels or labels_from_metadata(metadata),
        Parity(),
    )
    _check_task(checked)
    return checked


def try_draft(checked: CheckedModel, compare_limit_s: float) -> CheckedModel:
    """Run the model once; what is learnt about its outputs and its numbers is added."""
    report = try_model(checked.graph, checked.source.called, compare_limit_s=compare_limit_s)
    outputs = tuple(
        msgspec.structs.replace(known, shape=_merged(known.shape, seen))
        for known, seen in zip(checked.outputs, report.outputs, strict=True)
    )
    return dataclasses.replace(checked, outputs=outputs, parity=report.parity)


def _check_task(checked: CheckedModel) -> None:
    source = checked.source
    if source.task is not Task.TENSOR and len(checked.inputs) != 1:
        raise ProgramCompileError(
            f"model {source.called} has {len(checked.inputs)} inputs, but a program for the task "
            f"{source.task.value!r} has one, the frame; compile it with the task 'tensor'",
            file=source.called,
        )
    names = [tensor.name for tensor in checked.outputs]
    for role, name in source.post.outputs.items():
        if name not in names:
            raise ProgramCompileError(
                f"model {source.called} has no output {name!r}, which the settings name for "
                f"{role!r}; its outputs are {', '.join(map(repr, names))}",
                file=source.called,
            )


def _shifted(tensors: tuple[TensorInfo, ...], first_port: int) -> tuple[TensorInfo, ...]:
    return tuple(
        msgspec.structs.replace(tensor, port=port)
        for port, tensor in enumerate(tensors, first_port)
    )


def _merged(declared: tuple[int, ...], seen: tuple[int, ...]) -> tuple[int, ...]:
    """Fill free axes of a shape with what onnxruntime found out."""
    if len(declared) != len(seen):
        return seen or declared
    return tuple(size or found for size, found in zip(declared, seen, strict=True))
