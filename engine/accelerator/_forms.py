"""Shapes in which a tensor may be given and returned: the model's own, or channels last.

"Device form" is what accelerators of this API use inside: always (height, width, 1, channels)
without a batch. A model's own form is whatever its ONNX graph says.
"""

from collections.abc import Iterator
from typing import Any

import numpy as np

from engine.accelerator.errors import FrameDtypeError, FrameShapeError
from engine.dfp import device_shape, is_planar
from engine.plugins.tensors import describe_shape
from engine.protocol import TensorInfo

__all__ = ("InputForm", "OutputForm")

Array = np.ndarray[Any, Any]
Shape = tuple[int, ...]

_TO_PLANES = (2, 0, 1)
_FROM_PLANES = (1, 2, 0)


class InputForm:
    """Turns an array of any accepted shape into a private copy in the model's own shape.

    Parameters
    ----------
    tensor : the model's input.
    layout : "nchw" or "nhwc", where the shape alone does not tell.
    prefers_device_form : which reading wins where a shape could be read either way.
    """

    def __init__(self, tensor: TensorInfo, layout: str, *, prefers_device_form: bool) -> None:
        self._tensor = tensor
        self._dtype = np.dtype(tensor.dtype)
        self._shape = _own_shape(tensor)
        self._is_free = 0 in self._shape
        own = [(shape, False) for shape in _with_and_without_batch(self._shape)]
        device = list(self._device_ways(layout))
        first, second = (device, own) if prefers_device_form else (own, device)
        self._ways = dict(reversed([*first, *second]))

    def __call__(self, array: Array) -> Array:
        """Return a fresh C-contiguous copy in the model's shape.

        Raises
        ------
        FrameDtypeError, FrameShapeError
            When the array does not fit.
        """
        if array.dtype != self._dtype:
            raise FrameDtypeError(
                f"input {self._tensor.name!r} (port {self._tensor.port}) takes "
                f"{self._dtype} values, but the array holds {array.dtype}; "
                f"convert it with .astype({self._dtype.name!r})",
                port=self._tensor.port,
            )
        is_transposed = self._ways.get(array.shape)
        if is_transposed is None:
            return self._free(array)
        if is_transposed:
            height, width = self._shape[2], self._shape[3]
            array = array.reshape(height, width, -1).transpose(_TO_PLANES)
        return np.array(array, order="C").reshape(self._shape)

    def _free(self, array: Array) -> Array:
        shape = array.shape
        for wanted in _with_and_without_batch(self._shape) if self._is_free else ():
            if len(shape) == len(wanted) and all(
                want in (0, size) for size, want in zip(shape, wanted, strict=True)
            ):
                lead = (1,) * (len(self._shape) - len(wanted))
                return np.array(array, order="C").reshape(*lead, *shape)
        raise FrameShapeError(
            f"input {self._tensor.name!r} (port {self._tensor.port}) takes one frame of shape "
            f"{describe_shape(self._shape)}, but the array has shape {shape}; "
            "resize or reshape it, and give several frames one by one",
            port=self._tensor.port,
        )

    def _device_ways(self, layout: str) -> Iterator[tuple[Shape, bool]]:
        shape = device_shape(self._tensor, layout)
        if len(shape) != 4 or 0 in shape:
            return
        is_transposed = len(self._shape) == 4 and is_planar(self._shape, layout)
        flat = (shape[0], shape[1], shape[3])
        for way in (shape, flat, (1, *shape), (1, *flat)):
            yield way, is_transposed


class OutputForm:
    """Turns a model's output into the shape the caller asked for."""

    def __init__(self, tensor: TensorInfo, layout: str, *, is_device_form: bool) -> None:
        shape = _own_shape(tensor)
        wanted = device_shape(tensor, layout)
        self._is_changed = is_device_form and wanted != shape and 0 not in shape
        self._wanted = wanted
        self._is_transposed = len(shape) == 4 and is_planar(shape, layout)

    def __call__(self, array: Array) -> Array:
        """Return the array in the form asked for: writable and C-contiguous."""
        if self._is_changed:
            if self._is_transposed:
                array = np.ascontiguousarray(array[0].transpose(_FROM_PLANES))
            array = array.reshape(self._wanted)
        flags = array.flags
        return array if flags.c_contiguous and flags.writeable else np.array(array, order="C")


def _own_shape(tensor: TensorInfo) -> Shape:
    shape = tensor.shape
    return (1, *shape[1:]) if len(shape) > 1 and shape[0] == 0 else shape


def _with_and_without_batch(shape: Shape) -> list[Shape]:
    return [shape, shape[1:]] if len(shape) > 1 and shape[0] == 1 else [shape]
