"""Compiles ONNX models into a program (DFP)."""

import os
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from engine.config import PostSettings, PreSettings, Task
from engine.dfp.container import Dfp, DfpSource
from engine.dfp.genuine import GenuineProgram
from engine.dfp.int8 import Int8Settings
from engine.dfp.manifest import ModelEntry
from engine.dfp.model_source import COMPARE_LIMIT_S, CompleteSource, ModelSource, refuse_name
from engine.dfp.parity import DEFAULT_MIN_COSINE
from engine.dfp.saving import save_dfp
from engine.dfp.writer import pack_dfp
from engine.errors import InvalidArgumentError, ProgramCompileError

if TYPE_CHECKING:
    from onnx import ModelProto

__all__ = ("STAGES", "Progress", "compile_models", "template_of")

STAGES = ("read", "shapes", "crop", "check", "quantize", "trial", "write")
"""What the compiler does at most, in order; "crop" and "quantize" only when asked for. trial: runs
with onnxruntime, compared with the original."""

Progress = Callable[[str, float], None]
"""Is told a stage's name and how much of it is done, 0..1."""

_Item = TypeVar("_Item")
_Made = TypeVar("_Made")


def compile_models(  # noqa: PLR0913  (keywords with defaults; each is one choice of the user)
    models: "Sequence[ModelSource | str | os.PathLike[str] | bytes | ModelProto | object]",
    *,
    output: str | os.PathLike[str] | None = None,
    name: str = "",
    task: Task = Task.TENSOR,
    pre: PreSettings | None = None,
    post: PostSettings | None = None,
    labels: Sequence[str] = (),
    input_shapes: Mapping[str, Sequence[int]] | None = None,
    progress: Progress | None = None,
    created: str = "",
    compare_limit_s: float = COMPARE_LIMIT_S,
    autocrop: bool = False,
    int8: Int8Settings | None = None,
    min_cosine: float | None = DEFAULT_MIN_COSINE,
    like: "Dfp | DfpSource | None" = None,
) -> Dfp:
    """Compile models into one program and open it.

    Unless cropped or quantized, weights and operators stay as they are. Inputs get fixed shapes (a
    symbolic batch becomes 1), the file format and operator set become ones that onnxruntime reads,
    and each model is run in a child process and compared with the original.

    Parameters
    ----------
    models : one or more models: paths, bytes, ONNX models, objects that can be exported, or
        `ModelSource`.
    output : where to write the DFP; None keeps it in memory.
    name : name of the program; empty takes the first model's.
    task, pre, post : what the results are and how frames get in and results out.
    labels : names of the classes; empty takes those in the model's metadata, if any.
    input_shapes : sizes by input name, for inputs that have none of their own.
    progress : called with each of `STAGES` and 0..1, in the calling thread.
    created : time of creation, ISO 8601 in UTC; empty means now. With it, equal models give
        equal bytes.
    compare_limit_s : how long the reference evaluator may take for a model.
    autocrop : whether to leave pre- and post-processing inside the models to the host.
    int8 : how to quantize; every model needs calibration data then.
    min_cosine : least cosine of an output to the original's; None accepts any.
    like : a DFP of MemryX whose ports the models get, one model for each of its own.

    Raises
    ------
    ProgramCompileError
        When a model cannot be used; the message names it and what to do.
    InvalidArgumentError
        When there is no model, or a name cannot be used.
    OutputError
        When the DFP cannot be written.
    """
    # onnx takes a fifth of a second to import, and opening a program must not pay for it.
    from engine.dfp import model_compiler as steps  # noqa: PLC0415  (for that reason)

    if not models:
        raise InvalidArgumentError("there is no model to compile; give at least one ONNX file")
    if name:
        refuse_name("the program's name", name)
    template = None if like is None else template_of(like, len(models))
    shapes = dict(input_shapes or {})
    tell = progress or _tell_nobody
    pre, post = pre or PreSettings(), post or PostSettings()
    sources = [
        CompleteSource.of(model, number, task=task, pre=pre, post=post, labels=labels)
        for number, model in enumerate(models)
    ]
    drafts = _each("read", sources, steps.read_draft, tell)
    _refuse_unknown_inputs(shapes, [known for draft in drafts for known in draft.input_names])
    drafts = _each("shapes", drafts, lambda draft: steps.fix_draft(draft, shapes), tell)
    if template is not None or autocrop or any(one.inputs or one.outputs for one in sources):
        numbered = list(enumerate(drafts))
        crop = partial(steps.crop_numbered, is_automatic=autocrop, like=template)
        drafts = _each("crop", numbered, crop, tell)
    checked = _each("check", drafts, steps.check_draft, tell)
    if int8 is not None:
        checked = _each("quantize", checked, lambda c: steps.quantize_checked(c, int8), tell)
    checked = _each(
        "trial", checked, lambda c: steps.try_draft(c, compare_limit_s, min_cosine), tell
    )
    entries: list[ModelEntry] = []
    graphs: dict[str, bytes] = {}
    for one in checked:
        entries.append(one.numbered(entries))
        graphs |= one.graphs_of(entries[-1])
    tell("write", 0.0)
    data = pack_dfp(name=name or entries[0].name, models=entries, graphs=graphs, created=created)
    if output is not None:
        save_dfp(data, Path(output))
    tell("write", 1.0)
    return Dfp(data if output is None else output)


def template_of(like: "Dfp | DfpSource", models: int) -> GenuineProgram:
    """Return what is known of a MemryX file that another program is made like.

    Raises
    ------
    InvalidArgumentError
        When it is a program of our own format, or has another number of models.
    """
    dfp = Dfp(like)
    if dfp.genuine is None:
        raise InvalidArgumentError(
            f"{dfp.source} is not a DFP of MemryX; it runs as it is, no other is made like it"
        )
    wanted = len(dfp.genuine.models)
    if wanted != models:
        raise InvalidArgumentError(
            f"{dfp.source} was made from {wanted} models ({', '.join(dfp.genuine.models[:5])}), "
            f"but {models} are given; give as many, in that order"
        )
    return dfp.genuine


def _each(
    stage: str,
    items: Sequence[_Item],
    work: Callable[[_Item], _Made],
    tell: Progress,
) -> list[_Made]:
    """Do one stage for every model."""
    made: list[_Made] = []
    tell(stage, 0.0)
    for number, item in enumerate(items, 1):
        made.append(work(item))
        tell(stage, number / len(items))
    return made


def _refuse_unknown_inputs(shapes: Mapping[str, Sequence[int]], inputs: Sequence[str]) -> None:
    unknown = sorted(shapes.keys() - set(inputs))
    if unknown:
        raise ProgramCompileError(
            f"a shape was given for the input {unknown[0]!r}, which no model has; "
            f"the inputs are {', '.join(map(repr, inputs))}",
            input=unknown[0],
        )


def _tell_nobody(stage: str, fraction: float) -> None:
    """Stand in when nobody asked for progress."""
