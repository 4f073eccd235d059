"""What the compiler is given."""

import dataclasses
import os
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from engine.config import PostSettings, PreSettings, Task
from engine.dfp.manifest import check_name
from engine.errors import InvalidArgumentError

if TYPE_CHECKING:
    from onnx import ModelProto

__all__ = ("COMPARE_LIMIT_S", "CompleteSource", "ModelSource", "refuse_name")

COMPARE_LIMIT_S = 20.0
"""How long the reference evaluator may take for one run."""


@dataclasses.dataclass(frozen=True)
class ModelSource:
    """A model with settings of its own, for a program of several models.

    `model` is a file's path, the bytes of a file, or the model itself.
    What is None or empty is taken from the arguments of `compile_models`.
    """

    model: "str | os.PathLike[str] | bytes | ModelProto"
    name: str = ""
    task: Task | None = None
    pre: PreSettings | None = None
    post: PostSettings | None = None
    labels: Sequence[str] = ()


@dataclasses.dataclass(frozen=True)
class CompleteSource:
    """A model with all settings filled in; `called` is its name in messages."""

    model: "str | os.PathLike[str] | bytes | ModelProto"
    name: str
    called: str
    task: Task
    pre: PreSettings
    post: PostSettings
    labels: tuple[str, ...]

    @classmethod
    def of(
        cls,
        given: "ModelSource | str | os.PathLike[str] | bytes | ModelProto",
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
