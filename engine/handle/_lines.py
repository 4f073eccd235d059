"""Cuts cubes and frames of a line camera into blocks of lines for the model."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from engine.handle._feed import block_lines, check_array
from engine.handle._orders import Order
from engine.handle._standard import Standardizer
from engine.handle.errors import ArgumentError, SourceDataError
from engine.protocol import TensorInfo

__all__ = ("DataForm", "LineModel", "LinesFeed", "ManyFeeds", "SpectrumFeed")

Array = np.ndarray[Any, Any]


class LineModel:
    """How a model takes lines of spectra: (lines, samples, bands), or (spectra, bands).

    Parameters
    ----------
    inputs, outputs : the model's tensors; it has one input.
    samples : samples of a line; 0 when they vary.
    has_state : the model looks at lines in order; a list of spectra is one line then.
    name : what the model is called in errors.

    Raises
    ------
    ArgumentError
        When the model does not take such lines.
    """

    def __init__(
        self,
        inputs: Sequence[TensorInfo],
        outputs: Sequence[TensorInfo],
        *,
        samples: int,
        name: str,
        has_state: bool = False,
    ) -> None:
        tensor = inputs[0]
        shape = tensor.shape
        if len(inputs) != 1:
            raise ArgumentError(
                f"model {name!r} has {len(inputs)} inputs; a model for spectra has one"
            )
        if len(shape) not in (2, 3) or not shape[-1]:
            raise ArgumentError(
                f"input {tensor.name!r} of model {name!r} has the shape {shape}; for spectra it is "
                "(lines, samples, bands) or (spectra, bands), with a fixed number of bands"
            )
        self.bands = shape[-1]
        self.dtype = np.dtype(tensor.dtype)
        self.is_flat = len(shape) == 2
        # lines per run: 0 is any number
        self.lines = (1 if shape[0] or has_state else 0) if self.is_flat else shape[0]
        for output in outputs:
            if not output.shape or output.shape[0] != shape[0]:
                raise ArgumentError(
                    f"output {output.name!r} of model {name!r} has the shape {output.shape}; its "
                    f"first axis has to be that of the input, {shape}, to be cut into lines"
                )
        wanted = shape[-2] if not self.is_flat else shape[0]
        if wanted and samples != wanted:
            given = f"{samples} samples" if samples else "varying numbers of samples"
            raise ArgumentError(
                f"model {name!r} takes lines of {wanted} samples, the data has {given}; "
                "crop the data, or compile the model with a free axis"
            )

    def as_input(self, lines: Array) -> Array:
        """Return standardized lines in the shape the model takes."""
        return lines.reshape(-1, self.bands) if self.is_flat else lines

    def as_lines(self, output: Array, lines: int) -> Array:
        """Return an output with the axis of lines first."""
        return output.reshape(lines, -1, *output.shape[1:]) if self.is_flat else output


@dataclass(frozen=True)
class DataForm:
    """What the caller's data looks like.

    Attributes
    ----------
    order : where lines, samples and bands are.
    shape : size of the data, the largest one when `is_variable`.
    dtype : number type.
    is_variable : smaller data is fine too.
    """

    order: Order
    shape: tuple[int, ...]
    dtype: np.dtype[Any]
    is_variable: bool = False

    def check(self, source: object) -> Array:
        """Return an array that has this form.

        Raises
        ------
        SourceDataError
            When it does not.
        """
        array = check_array(source, self.dtype, "the source data")
        if not self._fits(array.shape):
            at_most = "at most " if self.is_variable else ""
            raise SourceDataError(
                f"the source data has {at_most}the shape {self.shape} {self.order}, the array "
                f"given has {array.shape}; make another context for it"
            )
        return array

    def _fits(self, shape: tuple[int, ...]) -> bool:
        if not self.is_variable:
            return shape == self.shape
        if len(shape) != len(self.shape) or 0 in shape:
            return False
        *largest, bands = self.order.sizes(self.shape)
        *given, given_bands = self.order.sizes(shape)
        return bands == given_bands and all(
            have <= most for have, most in zip(given, largest, strict=True)
        )


class LinesFeed:
    """One cube or frame at a time, brought into the form the model takes.

    Parameters
    ----------
    form : what the data looks like.
    model : None for a result that is the standardized data itself.
    thread_count : threads that will ask for blocks.
    """

    def __init__(
        self,
        form: DataForm,
        standardizer: Standardizer,
        *,
        model: LineModel | None,
        thread_count: int,
    ) -> None:
        self.lines = 0
        self.block_count = 0
        self._form = form
        self._model = model
        self._standardizer = standardizer
        self._is_untouched = standardizer.is_plain and form.dtype == standardizer.dtype
        self._source: Array | None = None
        self._step = 1
        self._room: list[Array | None] = [None] * thread_count
        self._check_lines(form.order.sizes(form.shape)[0])

    def accept(self, source: object) -> None:
        """Take one array.

        Raises
        ------
        SourceDataError
            When its dtype or shape are not what the context was made for.
        """
        array = self._form.check(source)
        lines, samples, _ = self._form.order.sizes(array.shape)
        self._check_lines(lines)
        self.lines = lines
        line_bytes = samples * self._standardizer.bands * self._standardizer.dtype.itemsize
        per_run = self._model.lines if self._model is not None else 0
        self._step = per_run or block_lines(lines, line_bytes)
        self.block_count = math.ceil(lines / self._step)
        self._source = self._form.order.as_lines(array)

    def inputs(self, block: int, thread_id: int) -> list[Array]:
        """Return one block of lines as the model takes it."""
        lines = self.block(block, thread_id)
        return [lines if self._model is None else self._model.as_input(lines)]

    def block(self, block: int, thread_id: int) -> Array:
        """Return one block of standardized lines, shape (lines, samples, bands)."""
        if self._source is None:
            raise SourceDataError("there is no source data; call setSourceData first")
        lines = self._source[self.place(block)]
        if self._is_untouched and lines.flags.c_contiguous:
            return lines
        out = self._room_for(thread_id, lines.shape[:2])
        self._standardizer(lines, out)
        return out

    def results(self, block: int, outputs: list[Array]) -> list[Array]:
        """Return a block's outputs with the axis of lines first."""
        if self._model is None:
            return outputs
        place = self.place(block)
        lines = place.stop - place.start
        return [self._model.as_lines(output, lines) for output in outputs]

    def place(self, block: int) -> slice:
        """Return the lines of the block."""
        return slice(block * self._step, min(self.lines, (block + 1) * self._step))

    def _room_for(self, thread_id: int, size: tuple[int, ...]) -> Array:
        shape = (*size, self._standardizer.bands)
        room = self._room[thread_id]
        if room is None or room.shape != shape:
            room = self._room[thread_id] = np.empty(shape, self._standardizer.dtype)
        return room

    def _check_lines(self, lines: int) -> None:
        per_run = self._model.lines if self._model is not None else 0
        if per_run and lines % per_run:
            raise SourceDataError(
                f"the model takes {per_run} lines at a time, the data has {lines}; "
                "give a multiple of it"
            )


class SpectrumFeed:
    """The standardized spectrum of a device with one sample per line, shape (bands,)."""

    lines = 0
    block_count = 1

    def __init__(self, feed: LinesFeed) -> None:
        self._feed = feed

    def accept(self, source: object) -> None:
        """Take one line of one sample."""
        self._feed.accept(source)

    def inputs(self, block: int, thread_id: int) -> list[Array]:
        """Return the spectrum."""
        return [self._feed.block(block, thread_id)[0, 0]]

    def results(self, block: int, outputs: list[Array]) -> list[Array]:
        """Return the outputs as they are."""
        del block
        return outputs

    def place(self, block: int) -> None:
        """Return None: the result is whole."""
        del block


class ManyFeeds:
    """Several feeds of the same data, each of which gives one result of its own."""

    def __init__(self, feeds: Sequence[LinesFeed]) -> None:
        self._feeds = tuple(feeds)

    @property
    def lines(self) -> int:
        """Lines of the whole result."""
        return self._feeds[0].lines

    @property
    def block_count(self) -> int:
        """Number of blocks; that of the first feed, whose blocks all take."""
        return self._feeds[0].block_count

    def accept(self, source: object) -> None:
        """Take one array."""
        for feed in self._feeds:
            feed.accept(source)

    def inputs(self, block: int, thread_id: int) -> list[Array]:
        """Return the same lines as every feed gives them."""
        return [feed.block(block, thread_id) for feed in self._feeds]

    def results(self, block: int, outputs: list[Array]) -> list[Array]:
        """Return the outputs as they are."""
        del block
        return outputs

    def place(self, block: int) -> slice:
        """Return the lines of the block."""
        return self._feeds[0].place(block)
