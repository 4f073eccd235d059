"""Storage orders: every cube and every frame as lines of spectra, without a copy."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from engine.handle.enums import HSICube_StorageOrder, PushBroomFrame_StorageOrder
from engine.handle.errors import (
    ArgumentError,
    HandleArgumentTypeError,
    HandleError,
    ReferenceMismatchError,
)

__all__ = ("Order", "as_numbers", "cube_order", "frame_order", "reference_line")

Array = np.ndarray[Any, Any]


@dataclass(frozen=True)
class Order:
    """Where lines, samples and bands are among the axes of an array.

    Attributes
    ----------
    axes : names of the axes, in order; a frame of one line has no axis of lines.
    """

    axes: tuple[str, ...]

    def shape(self, lines: int, samples: int, bands: int) -> tuple[int, ...]:
        """Return the shape of an array of this order."""
        sizes = {"lines": lines, "samples": samples, "bands": bands}
        return tuple(sizes[axis] for axis in self.axes)

    def sizes(self, shape: tuple[int, ...]) -> tuple[int, int, int]:
        """Return lines, samples and bands of an array of this order and the right rank."""
        found = dict(zip(self.axes, shape, strict=True))
        return found.get("lines", 1), found["samples"], found["bands"]

    def as_lines(self, array: Array) -> Array:
        """Return a view of shape (lines, samples, bands)."""
        wanted = [axis for axis in ("lines", "samples", "bands") if axis in self.axes]
        view = array.transpose([self.axes.index(axis) for axis in wanted])
        return view if "lines" in self.axes else view[np.newaxis]

    def __str__(self) -> str:
        return f"({', '.join(self.axes)})"


_CUBES = {
    HSICube_StorageOrder.BIP: Order(("lines", "samples", "bands")),
    HSICube_StorageOrder.BIL: Order(("lines", "bands", "samples")),
    HSICube_StorageOrder.BSQ: Order(("bands", "lines", "samples")),
}
_FRAMES = {
    PushBroomFrame_StorageOrder.LambdaX: Order(("samples", "bands")),
    PushBroomFrame_StorageOrder.LambdaY: Order(("bands", "samples")),
}


def cube_order(order: HSICube_StorageOrder) -> Order:
    """Return where the axes of a cube are."""
    if not isinstance(order, HSICube_StorageOrder):
        raise HandleArgumentTypeError(
            f"storageOrder is an HSICube_StorageOrder (BIP, BIL or BSQ), not {order!r}"
        )
    return _CUBES[order]


def frame_order(order: PushBroomFrame_StorageOrder) -> Order:
    """Return where the axes of a push-broom frame are."""
    if not isinstance(order, PushBroomFrame_StorageOrder):
        raise HandleArgumentTypeError(
            f"storageOrder is a PushBroomFrame_StorageOrder (LambdaX or LambdaY), not {order!r}"
        )
    return _FRAMES[order]


def as_numbers(given: ArrayLike, what: str) -> Array:
    """Return an argument as an array; a `BufferContainer` and lists of numbers serve too.

    Raises
    ------
    ArgumentError
        When it is no array.
    """
    try:
        return np.asarray(given)
    except (TypeError, ValueError) as error:
        if isinstance(error, HandleError):  # an empty container says so itself
            raise
        raise ArgumentError(f"the {what} is no array of numbers: {error}") from error


def reference_line(
    reference: ArrayLike, order: Order, *, samples: int, bands: int, what: str
) -> Array:
    """Return one line of a reference, the mean of its lines.

    Parameters
    ----------
    reference : ndarray in the data's order, with one or more lines or, for one, without the axis
        of lines; or one spectrum for all samples, shape (bands,).

    Returns
    -------
    ndarray, shape (samples, bands) or (bands,), float64

    Raises
    ------
    ReferenceMismatchError
        When it does not fit the data.
    """
    array = as_numbers(reference, what)
    if array.dtype.kind not in "iuf":
        raise ReferenceMismatchError(f"the {what} holds {array.dtype} values, which are no numbers")
    if array.shape == (bands,):
        return array.astype(np.float64)
    one_line = Order(tuple(axis for axis in order.axes if axis != "lines"))
    if array.shape == one_line.shape(1, samples, bands):
        line: Array = one_line.as_lines(array)[0].astype(np.float64)
        return line
    many = order if "lines" in order.axes else Order(("lines", *order.axes))
    if array.ndim == 3 and array.size:
        lines = many.sizes(array.shape)[0]
        if array.shape == many.shape(lines, samples, bands):
            mean: Array = many.as_lines(array).mean(axis=0, dtype=np.float64)
            return mean
    raise ReferenceMismatchError(
        f"the {what} has the shape {array.shape}; for {samples} samples and {bands} bands give "
        f"{many}, {one_line} or (bands,), as the data is stored"
    )
