"""Checks that arrays fit a model's inputs, and puts backends' words into ours."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from engine.errors import InvalidArgumentError
from engine.protocol import TensorInfo

__all__ = ("InputCheck", "describe_shape", "first_sentence")


def describe_shape(shape: Sequence[int]) -> str:
    """Write a shape for people; a free dimension (0) is a question mark."""
    return "(" + ", ".join(str(size) if size else "?" for size in shape) + ")"


def first_sentence(error: BaseException) -> str:
    """Return the first line of a backend's message, shortened, without its final dot."""
    lines = str(error).strip().splitlines() or [type(error).__name__]
    line = lines[0].strip()
    return (line if len(line) <= 300 else line[:297] + "...").rstrip(".")


class InputCheck:
    """Compares arrays with what a model wants; built once per session, cheap per frame."""

    def __init__(self, inputs: tuple[TensorInfo, ...]) -> None:
        self._inputs = inputs
        self._wanted = [(np.dtype(info.dtype), info.shape, 0 in info.shape) for info in inputs]

    def __call__(self, arrays: Sequence[np.ndarray[Any, Any]]) -> None:
        """Check one set of inputs.

        Raises
        ------
        InvalidArgumentError
            When their number, a dtype or a shape is not what the model wants.
        """
        if len(arrays) != len(self._wanted):
            raise InvalidArgumentError(
                f"the model has {len(self._wanted)} inputs "
                f"({', '.join(info.name for info in self._inputs)}), but {len(arrays)} arrays "
                "were given; give one array per input"
            )
        for index, (array, (dtype, shape, is_free)) in enumerate(
            zip(arrays, self._wanted, strict=True)
        ):
            if array.dtype != dtype:
                self._refuse_dtype(index, array)
            if array.shape != shape and not (is_free and _fits(array.shape, shape)):
                self._refuse_shape(index, array)

    def _refuse_dtype(self, index: int, array: np.ndarray[Any, Any]) -> None:
        info = self._inputs[index]
        raise InvalidArgumentError(
            f"input {info.name!r} takes {info.dtype} values, but the array holds {array.dtype}; "
            f"convert it with .astype({info.dtype!r})",
            input=info.name,
        )

    def _refuse_shape(self, index: int, array: np.ndarray[Any, Any]) -> None:
        info = self._inputs[index]
        raise InvalidArgumentError(
            f"input {info.name!r} takes shape {describe_shape(info.shape)}, but the array has "
            f"shape {array.shape}; resize or reshape it before",
            input=info.name,
        )


def _fits(shape: tuple[int, ...], wanted: tuple[int, ...]) -> bool:
    return len(shape) == len(wanted) and all(
        want in (0, size) for size, want in zip(shape, wanted, strict=True)
    )
