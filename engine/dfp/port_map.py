"""Gives a model the ports of a program that was compiled from it for other hardware.

This module imports onnx; only the compiler may load it, when it is called.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

from onnx import GraphProto, ModelProto

from engine.dfp.genuine import GenuinePort, GenuineProgram
from engine.dfp.graph_cut import GraphView
from engine.dfp.published import device_shape
from engine.dfp.shapes import shape_of
from engine.errors import ProgramCompileError
from engine.protocol import TensorInfo

__all__ = ("PortMap", "find_ports", "rename_tensors")


class PortMap(NamedTuple):
    """Where a model is cut, what the tensors there are called from then on, and port numbers.

    Attributes
    ----------
    inputs, outputs : tensors of the model, in the order of the ports.
    names : new name by tensor, where it differs.
    input_ports, output_ports : numbers, in the same order.
    """

    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    names: dict[str, str]
    input_ports: tuple[int, ...]
    output_ports: tuple[int, ...]


def find_ports(genuine: GenuineProgram, model_index: int, view: GraphView) -> PortMap:
    """Find the tensor behind each port of one model.

    A port belongs to the tensor (or node) of its name; failing that, to the only input or output
    of the model with its shape.

    Raises
    ------
    ProgramCompileError
        When there is no such tensor or it has another shape; the message names the port.
    """
    inputs = [port for port in genuine.active_inputs if port.model_index == model_index]
    outputs = [port for port in genuine.active_outputs if port.model_index == model_index]
    if not inputs or not outputs:
        raise ProgramCompileError(
            f"model {view.source} has no counterpart: the program to match has no ports for model "
            f"{model_index}; give as many models as it has, in its order",
            file=view.source,
        )
    found_inputs = _match("input", inputs, view.inputs, view)
    found_outputs = _match("output", outputs, view.outputs, view)
    pairs = [*zip(found_inputs, inputs, strict=True), *zip(found_outputs, outputs, strict=True)]
    return PortMap(
        inputs=found_inputs,
        outputs=found_outputs,
        names={name: port.layer_name for name, port in pairs if name != port.layer_name},
        input_ports=tuple(port.port for port in inputs),
        output_ports=tuple(port.port for port in outputs),
    )


def rename_tensors(model: ModelProto, names: Mapping[str, str]) -> None:
    """Give tensors other names everywhere in a model; whoever had such a name gets another."""
    if not names:
        return
    everywhere = dict(names)
    used = set(_all_names(model.graph))
    for name in names.values():
        if name in used and name not in names:
            everywhere[name] = _free_name(name, used)
    _rename_in(model.graph, everywhere)


def _match(
    kind: str, ports: Sequence[GenuinePort], own: Sequence[str], view: GraphView
) -> tuple[str, ...]:
    found = [
        view.tensor(port.layer_name) if view.has_tensor(port.layer_name) else "" for port in ports
    ]
    for number, port in enumerate(ports):
        if not found[number]:
            rest = [name for name in own if name not in found]
            found[number] = _by_shape(kind, port, rest, view)
    for name, port in zip(found, ports, strict=True):
        if not _fits(port, name, view):
            raise ProgramCompileError(
                f"model {view.source} does not fit: {kind} port {port.port} "
                f"({port.layer_name!r}) has the shape {_show(_shape_at(port))}, "
                f"but {name!r} has {_show(_sizes(view, name))}; "
                "give the model that the program was made from, or its shape with --shape",
                file=view.source,
                port=port.port,
            )
    if len(set(found)) < len(found):
        raise ProgramCompileError(
            f"model {view.source} does not fit: two {kind} ports belong to the same tensor",
            file=view.source,
        )
    return tuple(found)


def _by_shape(kind: str, port: GenuinePort, names: Sequence[str], view: GraphView) -> str:
    fitting = [name for name in names if _fits(port, name, view)]
    if len(fitting) == 1:
        return fitting[0]
    has = ", ".join(f"{name!r} {_show(_sizes(view, name))}" for name in names[:5]) or "none left"
    raise ProgramCompileError(
        f"model {view.source} does not fit: {'no' if not fitting else 'more than one'} {kind} "
        f"could be port {port.port} ({port.layer_name!r}, {_show(_shape_at(port))}); "
        f"there are {has}; name the tensor {port.layer_name!r} in the model",
        file=view.source,
        port=port.port,
    )


def _fits(port: GenuinePort, name: str, view: GraphView) -> bool:
    """Tell whether a tensor has the port's shape: the model's own when known, else the device's."""
    sizes = _sizes(view, name)
    if port.raw_shape:
        wanted = [size if isinstance(size, int) else 0 for size in port.raw_shape]
        return len(wanted) == len(sizes) and all(
            want in (0, size) or size == 0 for want, size in zip(wanted, sizes, strict=True)
        )
    tensor = TensorInfo(name, sizes, "float32")
    shapes = [device_shape(tensor, layout) for layout in ("nchw", "nhwc")]
    return port.mxa_shape in shapes


def _shape_at(port: GenuinePort) -> tuple[int | str, ...]:
    return port.raw_shape or port.mxa_shape


def _sizes(view: GraphView, name: str) -> tuple[int, ...]:
    shape = shape_of(view.type_of(name))
    return tuple(size if isinstance(size, int) else 0 for size in shape)


def _show(shape: Iterable[int | str]) -> str:
    return "(" + ", ".join(str(size or "?") for size in shape) + ")"


def _rename_in(graph: GraphProto, names: Mapping[str, str]) -> None:
    for node in graph.node:
        for field in (node.input, node.output):
            field[:] = [names.get(name, name) for name in field]
        for attribute in node.attribute:
            for inner in (attribute.g, *attribute.graphs):
                _rename_in(inner, names)
    for value in (*graph.input, *graph.output, *graph.value_info, *graph.initializer):
        value.name = names.get(value.name, value.name)


def _all_names(graph: GraphProto) -> Iterable[str]:
    yield from (value.name for value in (*graph.input, *graph.output, *graph.initializer))
    for node in graph.node:
        yield from (*node.input, *node.output)
        for attribute in node.attribute:
            for inner in (attribute.g, *attribute.graphs):
                yield from _all_names(inner)


def _free_name(name: str, used: set[str]) -> str:
    number = 1
    while f"{name}__{number}" in used:
        number += 1
    used.add(f"{name}__{number}")
    return f"{name}__{number}"
