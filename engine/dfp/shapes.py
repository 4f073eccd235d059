"""Gives the inputs of an ONNX model fixed shapes.

This module imports onnx; only the compiler may load it, when it is called.
"""

import math
from collections.abc import Mapping, Sequence

import onnx
from onnx import ModelProto, ValueInfoProto

from engine.dfp.onnx_file import first_line
from engine.errors import ProgramCompileError

__all__ = ("check_names", "fix_shapes", "is_text", "real_inputs", "shape_of")

_VALUES_LIMIT = 2**30


def real_inputs(model: ModelProto) -> list[ValueInfoProto]:
    """Return the inputs that a caller has to give; old files list the weights as well."""
    weights = {weight.name for weight in model.graph.initializer}
    return [value for value in model.graph.input if value.name not in weights]


def shape_of(value: ValueInfoProto) -> tuple[int | str, ...]:
    """Return the sizes of a tensor; a free axis is its symbol, or "" when it has none."""
    return tuple(
        axis.dim_value if axis.HasField("dim_value") and axis.dim_value > 0 else axis.dim_param
        for axis in value.type.tensor_type.shape.dim
    )


def is_text(value: object) -> bool:
    """Tell whether a field that should be text is; protobuf returns bytes for broken UTF-8."""
    return isinstance(value, str)


def check_names(model: ModelProto, source: str) -> None:
    """Refuse names of inputs, outputs and axes that cannot be shown on one line."""
    for value in (*model.graph.input, *model.graph.output):
        names = [value.name, *(axis.dim_param for axis in value.type.tensor_type.shape.dim)]
        if not value.name or not all(is_text(name) and name.isprintable() for name in names):
            raise ProgramCompileError(
                f"model {source} has names that cannot be printed; "
                "it is damaged, or its inputs and outputs need other names",
                file=source,
            )


def fix_shapes(model: ModelProto, sizes: Mapping[str, Sequence[int]], source: str) -> ModelProto:
    """Return the model with every input of fixed shape, and all shapes that follow from it.

    A free first axis of an input with two or more axes is the batch and becomes 1.

    Parameters
    ----------
    model : the model; it is changed.
    sizes : given shapes by input name; names of other models are ignored.
    source : what the model is called in errors.

    Raises
    ------
    ProgramCompileError
        When a size is missing (naming input, axis and option) or contradicts the model.
    """
    symbols: dict[str, int] = {}
    free_before = False
    for value in real_inputs(model):
        shape = shape_of(value)
        free_before |= not _has_rank(value) or any(isinstance(size, str) for size in shape)
        if value.name in sizes:
            _give(value, shape, tuple(sizes[value.name]), symbols, source)
    for value in real_inputs(model):
        _complete(value, symbols, source)
    if not free_before:
        return model
    _forget_shapes(model)
    try:
        inferred = onnx.shape_inference.infer_shapes(model, data_prop=True)
    except (onnx.shape_inference.InferenceError, RuntimeError, ValueError) as error:
        raise ProgramCompileError(
            f"model {source} does not work with the given shapes: {first_line(error)}",
            file=source,
        ) from error
    for value, known in zip(model.graph.output, inferred.graph.output, strict=True):
        value.CopyFrom(known)
    return model


def _give(
    value: ValueInfoProto,
    shape: tuple[int | str, ...],
    given: tuple[int, ...],
    symbols: dict[str, int],
    source: str,
) -> None:
    """Write a given shape into an input."""
    shown = _show(shape) if _has_rank(value) else "of any number of axes"
    about = f"model {source}: input {value.name!r} has the shape {shown}"
    if _has_rank(value) and len(given) != len(shape):
        raise ProgramCompileError(
            f"{about}, but the given one has {len(given)} axes; give {len(shape)} sizes",
            file=source,
        )
    for axis, size in enumerate(given):
        if size < 1:
            raise ProgramCompileError(
                f"{about}, but the size given for axis {axis} is {size}; give 1 or more",
                file=source,
            )
        fixed = shape[axis] if _has_rank(value) else ""
        if isinstance(fixed, str):
            fixed = symbols.setdefault(fixed, size) if fixed else size
        if fixed != size:
            raise ProgramCompileError(
                f"{about}, so axis {axis} is {fixed} and cannot become {size}; "
                "leave it as the model has it",
                file=source,
            )
    _write(value, given)


def _complete(value: ValueInfoProto, symbols: dict[str, int], source: str) -> None:
    """Fill in what is known without asking: the batch, and symbols that another input fixed."""
    if not _has_rank(value):
        raise ProgramCompileError(
            f"model {source}: input {value.name!r} does not even say how many axes it has; "
            f"give the sizes with --shape {value.name}=SIZE,SIZE,...",
            file=source,
            input=value.name,
            axis=0,
        )
    shape = list(shape_of(value))
    if len(shape) >= 2 and isinstance(shape[0], str):
        shape[0] = symbols.get(shape[0], 1)
    shape = [symbols.get(size, size) if isinstance(size, str) else size for size in shape]
    missing = [axis for axis, size in enumerate(shape) if isinstance(size, str)]
    if missing:
        axes = " and ".join(f"{axis} ({shape[axis] or 'no name'})" for axis in missing)
        wanted = ",".join(str(size) if isinstance(size, int) else "SIZE" for size in shape)
        raise ProgramCompileError(
            f"model {source}: input {value.name!r} has no fixed size on axis {axes}; "
            f"give the sizes with --shape {value.name}={wanted}",
            file=source,
            input=value.name,
            axis=missing[0],
        )
    sizes = [size for size in shape if isinstance(size, int)]
    if math.prod(sizes) > _VALUES_LIMIT:
        raise ProgramCompileError(
            f"model {source}: input {value.name!r} of shape {_show(tuple(sizes))} would hold more "
            f"than {_VALUES_LIMIT} values; give smaller sizes",
            file=source,
            input=value.name,
        )
    _write(value, sizes)


def _has_rank(value: ValueInfoProto) -> bool:
    return bool(value.type.tensor_type.HasField("shape"))


def _write(value: ValueInfoProto, sizes: Sequence[int]) -> None:
    shape = value.type.tensor_type.shape
    del shape.dim[:]
    for size in sizes:
        shape.dim.add().dim_value = size


def _forget_shapes(model: ModelProto) -> None:
    """Remove what the file says about shapes inside and at the outputs: it was symbolic."""
    del model.graph.value_info[:]
    for value in model.graph.output:
        for axis in value.type.tensor_type.shape.dim:
            axis.ClearField("dim_param")


def _show(shape: tuple[int | str, ...]) -> str:
    return "(" + ", ".join(str(size) if size != "" else "?" for size in shape) + ")"
