"""The compiler's steps for one model.

This module imports onnx; only the compiler may load it, when it is called.
"""

import dataclasses
from collections.abc import Mapping, Sequence

import msgspec
from onnx import ModelProto

from engine.config import Task
from engine.dfp.autocrop import find_crop
from engine.dfp.calibration import Frames, pack_frames, read_frames
from engine.dfp.cropping import crop_model
from engine.dfp.foreign_models import shapes_by_name, to_onnx
from engine.dfp.genuine import GenuineProgram
from engine.dfp.graph_cut import GraphView
from engine.dfp.int8 import Int8Settings
from engine.dfp.labels import labels_from_metadata
from engine.dfp.manifest import ModelEntry
from engine.dfp.model_source import CompleteSource
from engine.dfp.onnx_file import check_model, limit_versions, read_model, serialize
from engine.dfp.parity import Parity
from engine.dfp.port_map import find_ports, rename_tensors
from engine.dfp.quantization import quantize_model
from engine.dfp.shapes import check_names, fix_shapes, is_text, real_inputs
from engine.dfp.tensors import describe_inputs, describe_outputs
from engine.dfp.trial import TrialJob, try_model
from engine.errors import ProgramCompileError
from engine.protocol import TensorInfo

__all__ = (
    "CheckedModel",
    "Draft",
    "check_draft",
    "crop_numbered",
    "fix_draft",
    "quantize_checked",
    "read_draft",
    "try_draft",
)


@dataclasses.dataclass(frozen=True)
class Draft:
    """A model on its way.

    Attributes
    ----------
    model : what becomes the main graph.
    original : what the parts together have to agree with; None while that is `model`.
    pre, post : what was cut off for the host.
    input_ports, output_ports : numbers of the ports; None numbers them in order.
    """

    source: CompleteSource
    model: ModelProto
    original: ModelProto | None = None
    pre: ModelProto | None = None
    post: ModelProto | None = None
    input_ports: tuple[int, ...] | None = None
    output_ports: tuple[int, ...] | None = None

    @property
    def input_names(self) -> list[str]:
        """Names of the inputs that a caller has to give."""
        return [value.name for value in real_inputs(self.model)]


@dataclasses.dataclass(frozen=True)
class CheckedModel:
    """A model that keeps the rules, serialized; ports count from 0 as if it were alone.

    `given` are the inputs of the whole model, which calibration data are for.
    """

    source: CompleteSource
    graph: bytes
    inputs: tuple[TensorInfo, ...]
    outputs: tuple[TensorInfo, ...]
    labels: tuple[str, ...]
    parity: Parity
    given: tuple[TensorInfo, ...] = ()
    original: bytes = b""
    pre: bytes = b""
    post: bytes = b""
    input_ports: tuple[int, ...] | None = None
    output_ports: tuple[int, ...] | None = None
    frames: Frames | None = None

    def numbered(self, before: Sequence[ModelEntry]) -> ModelEntry:
        """Return the manifest's entry of this model, behind those `before` it."""
        used_inputs = sum(len(entry.inputs) for entry in before)
        used_outputs = sum(len(entry.outputs) for entry in before)
        folder = f"models/{len(before)}"
        try:
            return ModelEntry(
                name=self.source.name,
                main=f"{folder}/main.onnx",
                inputs=_numbered(self.inputs, self.input_ports, used_inputs),
                outputs=_numbered(self.outputs, self.output_ports, used_outputs),
                task=self.source.task,
                pre_graph=f"{folder}/pre.onnx" if self.pre else "",
                post_graph=f"{folder}/post.onnx" if self.post else "",
                pre=self.source.pre,
                post=self.source.post,
                labels=self.labels,
                parity=self.parity,
            )
        except ValueError as error:
            raise ProgramCompileError(
                f"model {self.source.called} cannot be described: {error}", file=self.source.called
            ) from error

    def graphs_of(self, entry: ModelEntry) -> dict[str, bytes]:
        """Return the graphs by the names of their members."""
        parts = {"main": self.graph, "pre": self.pre, "post": self.post}
        return {member: parts[part] for part, member in entry.graphs.items()}


def read_draft(source: CompleteSource) -> Draft:
    """Read a model and bring it to versions that onnxruntime reads."""
    model = read_model(to_onnx(source), source.called)
    check_names(model, source.called)
    limited = limit_versions(model, source.called)
    return Draft(source, limited, None if limited is model else model)


def fix_draft(draft: Draft, shapes: Mapping[str, Sequence[int]]) -> Draft:
    """Give its inputs fixed shapes."""
    source = draft.source
    sizes = dict(shapes) | shapes_by_name(source, real_inputs(draft.model))
    model = fix_shapes(draft.model, sizes, source.called)
    original = draft.original and fix_shapes(draft.original, sizes, source.called)
    return dataclasses.replace(draft, model=model, original=original)


def crop_numbered(
    numbered: tuple[int, Draft], *, is_automatic: bool, like: GenuineProgram | None
) -> Draft:
    """Cut off what the host is to do, and give the model the ports of another program.

    Parameters
    ----------
    numbered : number of the model in the program, and the model.
    is_automatic : whether to look for the places to cut where none are given.
    like : a program whose ports the model of that number gets.
    """
    index, draft = numbered
    source, whole = draft.source, draft.model
    inputs, outputs = source.inputs, source.outputs
    if like is None and not (inputs or outputs or is_automatic):
        return draft
    view = GraphView(whole, source.called)
    input_ports = output_ports = None
    if like is not None:
        ports = find_ports(like, index, view)
        for model in filter(None, (whole, draft.original)):
            rename_tensors(model, ports.names)
        view = GraphView(whole, source.called)
        inputs = tuple(ports.names.get(name, name) for name in ports.inputs)
        outputs = tuple(ports.names.get(name, name) for name in ports.outputs)
        input_ports, output_ports = ports.input_ports, ports.output_ports
    elif not (inputs or outputs):
        inputs, outputs = find_crop(view)
    if not (inputs or outputs):
        return draft
    parts = crop_model(view, inputs, outputs)
    check_names(parts.main, source.called)
    return dataclasses.replace(
        draft,
        model=parts.main,
        original=draft.original or whole,
        pre=parts.pre,
        post=parts.post,
        input_ports=input_ports,
        output_ports=output_ports,
    )


def check_draft(draft: Draft) -> CheckedModel:
    """Check the model against the rules of ONNX and against its task."""
    source, model = draft.source, draft.model
    for part in filter(None, (draft.pre, model, draft.post)):
        check_model(part, source.called)
    metadata = {entry.key: entry.value for entry in model.metadata_props if is_text(entry.value)}
    whole = draft.original or model
    given = describe_inputs(whole, source.called)
    checked = CheckedModel(
        source,
        serialize(model, source.called),
        describe_inputs(model, source.called),
        describe_outputs(model, source.called),
        source.labels or labels_from_metadata(metadata),
        Parity(),
        given=given,
        original=serialize(draft.original, source.called) if draft.original else b"",
        pre=serialize(draft.pre, source.called) if draft.pre else b"",
        post=serialize(draft.post, source.called) if draft.post else b"",
        input_ports=draft.input_ports,
        output_ports=draft.output_ports,
        frames=_frames_of(source, given),
    )
    _check_task(checked)
    return checked


def quantize_checked(checked: CheckedModel, settings: Int8Settings) -> CheckedModel:
    """Turn the main graph into an INT8 one; the float model stays what it is compared with."""
    source = checked.source
    if checked.frames is None:
        raise ProgramCompileError(
            f"model {source.called} cannot be quantized without calibration data; "
            "give frames like those it will see (--calibration FILE)",
            file=source.called,
        )
    graph = quantize_model(
        checked.graph, source.called, frames=checked.frames, pre=checked.pre, settings=settings
    )
    return dataclasses.replace(checked, graph=graph, original=checked.original or checked.graph)


def try_draft(
    checked: CheckedModel, compare_limit_s: float, min_cosine: float | None = None
) -> CheckedModel:
    """Run the model; what is learnt about its outputs and its numbers is added.

    Raises
    ------
    ProgramCompileError
        When it cannot run, or an output is farther from the original than `min_cosine` allows.
    """
    frames = b"" if checked.frames is None else pack_frames(checked.frames)
    job = TrialJob(checked.graph, checked.pre, checked.post, checked.original, frames)
    report = try_model(job, checked.source.called, compare_limit_s=compare_limit_s)
    if min_cosine is not None:
        _check_parity(report.parity, min_cosine, checked.source.called)
    outputs = tuple(
        msgspec.structs.replace(known, shape=_merged(known.shape, seen))
        for known, seen in zip(checked.outputs, report.outputs, strict=True)
    )
    return dataclasses.replace(checked, outputs=outputs, parity=report.parity)


def _frames_of(source: CompleteSource, inputs: tuple[TensorInfo, ...]) -> Frames | None:
    if source.calibration is None:
        return None
    return read_frames(source.calibration, inputs, source.called)


def _check_parity(parity: Parity, min_cosine: float, called: str) -> None:
    worst = parity.worst(min_cosine)
    if worst is not None:
        raise ProgramCompileError(
            f"model {called}: output {worst.name!r} is too far from the original ({worst}; "
            f"cosine {min_cosine:g} is asked for); leave it in float, give better calibration "
            "data, or accept it with --min-cosine",
            file=called,
            output=worst.name,
            cosine=worst.cosine,
        )


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


def _numbered(
    tensors: tuple[TensorInfo, ...], ports: tuple[int, ...] | None, first_port: int
) -> tuple[TensorInfo, ...]:
    numbers = ports or range(first_port, first_port + len(tensors))
    return tuple(
        msgspec.structs.replace(tensor, port=port)
        for tensor, port in zip(tensors, numbers, strict=True)
    )


def _merged(declared: tuple[int, ...], seen: tuple[int, ...]) -> tuple[int, ...]:
    """Fill free axes of a shape with what onnxruntime found out."""
    if len(declared) != len(seen):
        return seen or declared
    return tuple(size or found for size, found in zip(declared, seen, strict=True))
