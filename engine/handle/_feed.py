"""Cuts the caller's arrays into blocks for the model."""

import math
from collections.abc import Sequence
from typing import Any, Protocol

import numpy as np

from engine.handle.errors import HandleArgumentTypeError, SourceDataError
from engine.protocol import TensorInfo

__all__ = ("Feed", "TensorFeed", "block_lines", "check_array")

Array = np.ndarray[Any, Any]

_SMALL_BYTES = 64 * 1024
_BLOCK_BYTES = 512 * 1024
_FEWEST_BLOCKS = 8


class Feed(Protocol):
    """Holds what is to be processed, and makes the model's inputs from it block by block."""

    @property
    def lines(self) -> int:
        """Lines of the whole result."""
        ...

    @property
    def block_count(self) -> int:
        """Number of blocks."""
        ...

    def accept(self, source: object) -> None:
        """Take over a reference to the data after checking it; what was there stays on errors."""
        ...

    def inputs(self, block: int, thread_id: int) -> list[Array]:
        """Return the inputs of one block; they may be reused when the thread makes its next."""
        ...

    def results(self, block: int, outputs: list[Array]) -> list[Array]:
        """Return a block's outputs as they are to be kept."""
        ...

    def place(self, block: int) -> slice | None:
        """Return where the block's results belong; None when they are the whole result."""
        ...


def block_lines(lines: int, line_bytes: int) -> int:
    """Return how many lines one block has; depends on the data alone, never on the threads."""
    if lines * line_bytes <= _SMALL_BYTES:
        return max(1, lines)
    return max(1, min(_BLOCK_BYTES // max(1, line_bytes), math.ceil(lines / _FEWEST_BLOCKS)))


def check_array(array: object, dtype: np.dtype[Any], what: str) -> Array:
    """Return the array when it is one of that dtype."""
    if not isinstance(array, np.ndarray):
        raise HandleArgumentTypeError(f"{what} is a NumPy array, not {type(array).__name__}")
    if array.dtype != dtype:
        raise SourceDataError(
            f"{what} holds {dtype} values, the array given holds {array.dtype}; convert it with "
            f".astype({dtype.name!r})"
        )
    return array


class TensorFeed:
    """Plain tensors, one per input of the model.

    When the first axis of all inputs and outputs is a batch (free, or of the same size), more of
    it may be given at once; the batch is cut into blocks.
    """

    def __init__(
        self, inputs: Sequence[TensorInfo], outputs: Sequence[TensorInfo], *, splits_batch: bool
    ) -> None:
        self.lines = 0
        self.block_count = 0
        self._infos = tuple(inputs)
        self._dtypes = [np.dtype(info.dtype) for info in inputs]
        self._batch = _batch_size(inputs, outputs) if splits_batch else None
        self._arrays: list[Array] = []
        self._step = 0

    def accept(self, source: object) -> None:
        """Take one array, or a list or tuple of one per input.

        Raises
        ------
        SourceDataError
            When number, dtype or shape are not what the model takes.
        """
        given = list(source) if isinstance(source, list | tuple) else [source]
        if len(given) != len(self._infos):
            names = ", ".join(info.name for info in self._infos)
            raise SourceDataError(
                f"the model has {len(self._infos)} inputs ({names}), {len(given)} arrays were "
                "given; give one per input"
            )
        arrays = [
            self._checked(info, check_array(array, dtype, f"input {info.name!r}"))
            for info, dtype, array in zip(self._infos, self._dtypes, given, strict=True)
        ]
        self._cut(arrays)
        self._arrays = arrays

    def inputs(self, block: int, thread_id: int) -> list[Array]:
        """Return the block of every input."""
        del thread_id
        if self.block_count == 1:
            return [np.ascontiguousarray(array) for array in self._arrays]
        place = self.place(block)
        return [np.ascontiguousarray(array[place]) for array in self._arrays]

    def results(self, block: int, outputs: list[Array]) -> list[Array]:
        """Return the outputs as they are."""
        del block
        return outputs

    def place(self, block: int) -> slice | None:
        """Return the block's part of the batch."""
        if self.block_count == 1:
            return None
        return slice(block * self._step, min(self.lines, (block + 1) * self._step))

    def _checked(self, info: TensorInfo, array: Array) -> Array:
        wanted = info.shape
        fits = array.ndim == len(wanted) and all(
            size in (0, have) or (axis == 0 and self._batch and have % size == 0 and have)
            for axis, (size, have) in enumerate(zip(wanted, array.shape, strict=True))
        )
        if not fits or not array.size:
            shown = ", ".join(str(size) if size else "?" for size in wanted)
            many = f" or a multiple of {self._batch} along the first axis" if self._batch else ""
            raise SourceDataError(
                f"input {info.name!r} takes the shape ({shown}){many}, the array given has "
                f"{array.shape}"
            )
        return array

    def _cut(self, arrays: list[Array]) -> None:
        if self._batch is None:
            self.lines, self._step, self.block_count = 0, 0, 1
            return
        counts = {len(array) for array in arrays}
        if len(counts) > 1:
            raise SourceDataError(
                f"the arrays given have {sorted(counts)} entries along the first axis; "
                "give as many for every input"
            )
        self.lines = counts.pop()
        line_bytes = sum(array.nbytes for array in arrays) // self.lines
        self._step = self._batch or block_lines(self.lines, line_bytes)
        self.block_count = math.ceil(self.lines / self._step)


def _batch_size(inputs: Sequence[TensorInfo], outputs: Sequence[TensorInfo]) -> int | None:
    """Return the size of the batch axis that all share, 0 when it is free, None without one."""
    sizes = {info.shape[0] if info.shape else None for info in (*inputs, *outputs)}
    return sizes.pop() if len(sizes) == 1 else None
