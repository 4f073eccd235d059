"""The properties that MemryX's published `Dfp` class has, for programs of either format."""

from collections.abc import Sequence

from engine.dfp.genuine import GenuinePort
from engine.protocol import TensorInfo

__all__ = ("PortTable", "device_shape", "is_planar", "own_port", "port_table", "tensor_of")

PortTable = dict[str, object]
"""What is told of one port: ``layer_name``, ``shape``, ``data_type`` and so on."""

Shape = tuple[int, ...]


def device_shape(tensor: TensorInfo, layout: str = "nchw") -> Shape:
    """Return a tensor's shape in device form, (height, width, 1, channels) without a batch.

    Tensors with other than 1 to 4 axes keep theirs.

    Parameters
    ----------
    tensor : an input or output of a model.
    layout : "nchw" or "nhwc", where the shape alone does not tell.
    """
    shape = tensor.shape
    if len(shape) > 1 and shape[0] == 0:
        shape = (1, *shape[1:])
    inner = shape[1:] if len(shape) > 1 and shape[0] == 1 else shape
    if len(inner) == 1:
        return (1, 1, 1, inner[0])
    if len(inner) == 2:
        return (inner[0], 1, 1, inner[1])
    if len(inner) == 3 and len(shape) == 4:
        if is_planar(shape, layout):
            return (inner[1], inner[2], 1, inner[0])
        return (inner[0], inner[1], 1, inner[2])
    return shape


def is_planar(shape: Shape, layout: str) -> bool:
    """Tell whether the channels of a 4-D shape come before height and width."""
    return layout != "nhwc" and not (shape[3] <= 4 < shape[1])


def port_table(port: GenuinePort, *, is_input: bool) -> PortTable:
    """Return what the published class tells of a port of a genuine file."""
    if not port.is_active:
        return {"active": False}
    table = _table(
        port.layer_name, port.mxa_shape, [_size(size) for size in port.raw_shape], port.model_index
    )
    table |= {
        "set": port.port_set,
        "mxa_id": port.mpu_id,
        "data_type": "uint8" if port.dtype == "uint8" else "float",
        "packing_format": port.packing_format,
        "raw_dtype": port.raw_dtype,
        "batch": port.batch,
        "shape_shift_info": {
            "+": list(port.shape_shift.inserted),
            "-": list(port.shape_shift.squeezed),
            "folded_optype": list(port.shape_shift.operations),
            "folded_opshape": [list(operand) for operand in port.shape_shift.operands],
        },
    }
    if is_input:
        scaling = port.range_convert
        return table | _scaling(scaling.is_enabled, scaling.shift, scaling.scale)
    return table | _extra_channels(port.hpoc.is_enabled, port.hpoc.channels, port.hpoc.shape)


def own_port(tensor: TensorInfo, layout: str, model_index: int, *, is_input: bool) -> PortTable:
    """Return the same for a tensor of a program in our own format."""
    shape = device_shape(tensor, layout)
    table = _table(tensor.name, shape, [size or 1 for size in tensor.shape], model_index)
    kind = "float" if tensor.dtype == "float32" else tensor.dtype
    table |= {"data_type": kind, "raw_dtype": tensor.dtype}
    table["packing_format"] = "fp32" if tensor.dtype == "float32" else tensor.dtype
    if is_input:
        return table | _scaling(False, 0.0, 1.0)
    return table | _extra_channels(False, (), ())


def tensor_of(port: GenuinePort) -> TensorInfo:
    """Return a port of a genuine file as a tensor; its shape is the model's own when known."""
    sizes = tuple(size if isinstance(size, int) else 0 for size in port.raw_shape)
    return TensorInfo(port.layer_name, sizes or port.mxa_shape, port.dtype, port.port)


def _table(
    name: str, shape: Sequence[int], raw_shape: Sequence[int], model_index: int
) -> PortTable:
    return {
        "active": True,
        "set": 0,
        "mxa_id": 0,
        "model_index": model_index,
        "layer_name": name,
        "shape": list(shape),
        "raw_shape": list(raw_shape),
        "batch": 1,
        "shape_shift_info": {"+": [], "-": [], "folded_optype": [], "folded_opshape": []},
    }


def _scaling(is_enabled: bool, shift: float, scale: float) -> PortTable:
    return {
        "data_range_enabled": is_enabled,
        "data_range_shift": shift,
        "data_range_scale": scale,
    }


def _extra_channels(is_enabled: bool, channels: Sequence[int], shape: Sequence[int]) -> PortTable:
    return {
        "hpoc_enabled": is_enabled,
        "hpoc_list": list(channels),
        "hpoc_fm_shape": list(shape),
    }


def _size(size: int | str) -> int:
    """Return a size as the published class counts it: a free axis is 1."""
    return size if isinstance(size, int) and size > 0 else 1
