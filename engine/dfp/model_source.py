"""What the compiler is given."""

import dataclasses
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from engine.config import PostSettings, PreSettings, Task
from engine.dfp.manifest import check_name
from engine.errors import InvalidArgumentError

if TYPE_CHECKING:
    from onnx import ModelProto

    from engine.dfp.calibration import CalibrationSource

    AnyModel = str | os.PathLike[str] | bytes | ModelProto | object

__all__ = ("COMPARE_LIMIT_S", "CompleteSource", "GivenShapes", "ModelSource", "refuse_name")

COMPARE_LIMIT_S = 20.0
"""How long the reference evaluator may take for one run."""

GivenShapes = Mapping[str, Sequence[int]] | Sequence[Sequence[int]]
"""Shapes by input name, or one per input in their order."""


@dataclasses.dataclass(frozen=True)
class ModelSource:
    """A model with settings of its own, for a program of several models.

    What is None or empty is taken from the arguments of `compile_models`.

    Attributes
    ----------
    model : a file's path, the bytes of an ONNX file, an ONNX model, or an object that
        `engine.dfp.foreign_models` can export.
    input_shapes : sizes by input name, or one shape per input in their order.
    inputs, outputs : tensors or nodes where the device's part begins and ends; what lies before
        and behind becomes graphs for the host.
    calibration : frames to quantize and compare with; see `engine.dfp.calibration`.
    """

    model: "AnyModel"
    name: str = ""
    task: Task | None = None
    pre: PreSettings | None = None
    post: PostSettings | None = None
    labels: Sequence[str] = ()
    input_shapes: GivenShapes = ()
    inputs: Sequence[str] = ()
    outputs: Sequence[str] = ()
    calibration: "CalibrationSource | None" = None


@dataclasses.dataclass(frozen=True)
class CompleteSource:
    """A model with all settings filled in; `called` is its name in messages."""

    model: "AnyModel"
    name: str
    called: str
    task: Task
    pre: PreSettings
    post: PostSettings
    labels: tuple[str, ...]
    input_shapes: GivenShapes = ()
    inputs: tuple[str, ...] = ()
    outputs: tuple[str, ...] = ()
    calibration: "CalibrationSource | None" = None

    @classmethod
    def of(
        cls,
        given: "ModelSource | AnyModel",
        number: int,
        *,
        task: Task,
        pre: PreSettings,
        post: PostSettings,
        labels: Sequence[str],
    ) -> "CompleteSource":
        """Fill in what model `number` of a program does not say itself.

        Raises
        ------
        InvalidArgumentError
            When it has a name that cannot be shown.
        """
        own = given if isinstance(given, ModelSource) else ModelSource(given)
        if isinstance(own.model, str | os.PathLike):
            called, name = str(own.model), _printable(Path(own.model).stem)
        else:
            called = name = own.name or f"model {number}"
        if own.name:
            refuse_name("a model's name", own.name)
        return cls(
            model=own.model,
            name=own.name or name,
            called=called,
            task=own.task or task,
            pre=own.pre or pre,
            post=own.post or post,
            labels=tuple(own.labels or labels),
            input_shapes=own.input_shapes,
            inputs=tuple(own.inputs),
            outputs=tuple(own.outputs),
            calibration=own.calibration,
        )


def refuse_name(what: str, name: str) -> None:
    """Raise `InvalidArgumentError` when the name cannot be shown."""
    try:
        check_name(what, name)
    except ValueError as error:
        raise InvalidArgumentError(f"{error}; choose another name") from error


def _printable(text: str) -> str:
    kept = "".join(character if character.isprintable() else "_" for character in text)
    return kept.strip()[:100] or "model"
