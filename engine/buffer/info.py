"""How many buffers there are, and what one of them holds."""

import math
from collections.abc import Iterable
from typing import Any, Literal

import numpy as np

from engine.errors import InvalidArgumentError

__all__ = ("BufferInfo", "Casting", "default_count")

Casting = Literal["lossless", "unsafe"]
DType = np.dtype[Any]

MAX_COUNT = 4096
_CACHE_BYTES = 8 << 20
_MANY = 128


class BufferInfo:
    """The buffers: how many, and the shapes and dtypes of the arrays that each of them holds.

    Parameters
    ----------
    shapes : one shape per array, for example ``((64, 256, 256, 3), (64,))``.
    count : number of buffers, 1 to 4096; so many messages may be under way at most.
    dtype : of all arrays, or a list or tuple with one dtype per shape.
    casting : what happens to data of another dtype: ``"lossless"`` raises an error unless every
        value survives (floating-point numbers may be rounded), ``"unsafe"`` converts as C does.
    """

    def __init__(
        self,
        shapes: Iterable[Iterable[int]],
        count: int,
        dtype: Any = np.dtype("uint8"),  # noqa: ANN401, B008 - whatever np.dtype takes; a constant
        *,
        casting: Casting = "lossless",
    ) -> None:
        self._shapes = _checked_shapes(shapes)
        if not 1 <= count <= MAX_COUNT:
            raise InvalidArgumentError(f"there can be 1 to {MAX_COUNT} buffers, not {count}")
        if casting not in ("lossless", "unsafe"):
            raise InvalidArgumentError(f"casting is 'lossless' or 'unsafe', not {casting!r}")
        self._count = int(count)
        self._dtype = dtype
        self._dtypes = _checked_dtypes(dtype, len(self._shapes))
        self._casting = casting

    def __len__(self) -> int:
        return len(self._shapes)

    @property
    def count(self) -> int:
        """Number of buffers."""
        return self._count

    @property
    def shapes(self) -> tuple[tuple[int, ...], ...]:
        """Shapes of the arrays in one buffer."""
        return self._shapes

    @property
    def dtype(self) -> Any:  # noqa: ANN401 - what the caller gave
        """The dtype, or dtypes, as given."""
        return self._dtype

    @property
    def dtypes(self) -> tuple[DType, ...]:
        """The dtype of each array."""
        return self._dtypes

    @property
    def casting(self) -> Casting:
        """What happens to data of another dtype."""
        return self._casting

    @property
    def size_bytes(self) -> int:
        """Bytes of data in one buffer."""
        return sum(
            math.prod(shape) * dtype.itemsize
            for shape, dtype in zip(self._shapes, self._dtypes, strict=True)
        )


def default_count(cpus: int, size_bytes: int) -> int:
    """Return how many buffers are made unless told: four for each producer.

    Buffers so small that more of them fit the processor's cache are more, up to 128: then one
    wake-up serves several of them.
    """
    fitting = _CACHE_BYTES // max(1, size_bytes)
    return min(MAX_COUNT, max(4 * cpus, min(_MANY, fitting)))


def _checked_shapes(shapes: Iterable[Iterable[int]]) -> tuple[tuple[int, ...], ...]:
    try:
        checked = tuple(tuple(size.__index__() for size in shape) for shape in shapes)
    except (TypeError, AttributeError) as error:
        raise InvalidArgumentError(
            "buffer shapes are a tuple of shapes, such as ((64, 64, 3),) for one array; "
            f"{shapes!r} is not"
        ) from error
    if not checked:
        raise InvalidArgumentError("a buffer needs at least one shape, such as ((64, 64, 3),)")
    for shape in checked:
        if any(size < 0 for size in shape):
            raise InvalidArgumentError(f"buffer shape {shape} has a negative size")
    return checked


def _checked_dtypes(dtype: Any, length: int) -> tuple[DType, ...]:  # noqa: ANN401
    given = tuple(dtype) if isinstance(dtype, list | tuple) else (dtype,) * length
    if len(given) != length:
        raise InvalidArgumentError(
            f"there are {len(given)} dtypes for {length} buffer shapes; give one per shape, "
            "or one for all"
        )
    checked = tuple(_checked_dtype(one) for one in given)
    for one in checked:
        if one.hasobject or not one.itemsize:
            raise InvalidArgumentError(
                f"dtype {one} cannot be shared between processes; give one of a fixed size"
            )
    return checked


def _checked_dtype(dtype: Any) -> DType:  # noqa: ANN401
    try:
        checked: DType = np.dtype(dtype)
    except TypeError as error:
        raise InvalidArgumentError(f"{dtype!r} is not a dtype") from error
    return checked
