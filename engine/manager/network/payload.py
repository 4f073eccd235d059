"""Arrays as parts of network messages, and back."""

import math
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from engine.errors import BrokenError
from engine.manager.messages import Shapes
from engine.manager.network.messages import MAX_FRAME_BYTES, PART_BYTES
from engine.protocol import TensorInfo

__all__ = ("arrays_of", "bytes_in", "parts_of", "private_arrays_of", "split")

Array = np.ndarray[Any, Any]
Buffer = memoryview | bytes | bytearray

_MOST_AXES = 32


def bytes_in(arrays: Sequence[Array]) -> int:
    """Return how many bytes arrays have."""
    return sum(array.nbytes for array in arrays)


def parts_of(arrays: Sequence[Array]) -> list[memoryview]:
    """Return the bytes of arrays, each array in parts of its own; no copy where they are dense."""
    return [part for array in arrays for part in split(_bytes_of(array))]


def split(data: memoryview) -> Iterator[memoryview]:
    """Cut bytes into parts."""
    for start in range(0, len(data), PART_BYTES):
        yield data[start : start + PART_BYTES]


def arrays_of(
    shapes: Shapes, tensors: Sequence[TensorInfo], parts: Sequence[Buffer]
) -> list[Array]:
    """Return the arrays in parts; read-only, and those in one part without a copy.

    Raises
    ------
    BrokenError
        When shapes, tensors and parts do not fit together, or it is too much.
    """
    return [
        np.frombuffer(data, dtype).reshape(shape)
        for shape, dtype, data in _joined(shapes, tensors, parts)
    ]


def private_arrays_of(
    shapes: Shapes, tensors: Sequence[TensorInfo], parts: Sequence[Buffer]
) -> list[Array]:
    """Return the arrays in parts as fresh writable ones; see `arrays_of`."""
    return [
        np.frombuffer(data if isinstance(data, bytearray) else bytearray(data), dtype).reshape(
            shape
        )
        for shape, dtype, data in _joined(shapes, tensors, parts)
    ]


def _joined(
    shapes: Shapes, tensors: Sequence[TensorInfo], parts: Sequence[Buffer]
) -> Iterator[tuple[tuple[int, ...], np.dtype[Any], Buffer]]:
    sizes = _sizes_of(shapes, tensors)
    counts = [-(-size // PART_BYTES) for size in sizes]
    if sum(counts) != len(parts) or sum(sizes) != sum(len(part) for part in parts):
        raise BrokenError(
            f"a frame of {sum(sizes)} bytes came with {sum(len(part) for part in parts)} bytes in "
            f"{len(parts)} parts"
        )
    at = 0
    for shape, info, size, count in zip(shapes, tensors, sizes, counts, strict=True):
        own = parts[at : at + count]
        at += count
        data = own[0] if count == 1 else bytearray().join(own)
        if len(data) != size:
            raise BrokenError(f"an array of {size} bytes came with {len(data)}")
        yield shape, np.dtype(info.dtype), data


def _sizes_of(shapes: Shapes, tensors: Sequence[TensorInfo]) -> list[int]:
    if len(shapes) != len(tensors):
        raise BrokenError(f"a frame has {len(tensors)} arrays, not {len(shapes)}")
    if any(len(shape) > _MOST_AXES or min(shape, default=0) < 0 for shape in shapes):
        raise BrokenError("a frame has an array of impossible shape")
    items = [np.dtype(info.dtype).itemsize for info in tensors]
    # Axes of length 0 count as 1 here: NumPy does not take the others in any length either.
    total = sum(
        item * math.prod(max(1, length) for length in shape)
        for item, shape in zip(items, shapes, strict=True)
    )
    if total > MAX_FRAME_BYTES:
        raise BrokenError(
            f"a frame of {total} bytes is too large for the network; it takes "
            f"{MAX_FRAME_BYTES} bytes at most"
        )
    return [item * math.prod(shape) for item, shape in zip(items, shapes, strict=True)]


def _bytes_of(array: Array) -> memoryview:
    return np.ascontiguousarray(array).reshape(-1).view(np.uint8).data
