"""Cuts a part out of an ONNX graph.

This module imports onnx; only the compiler may load it, when it is called.
"""

import difflib
from collections.abc import Iterable, Iterator, MutableSequence, Sequence

import onnx
from onnx import GraphProto, ModelProto, NodeProto, ValueInfoProto

from engine.dfp.onnx_file import first_line
from engine.dfp.shapes import real_inputs
from engine.errors import ProgramCompileError

__all__ = ("GraphView",)


class GraphView:
    """Who makes and who reads each tensor of a model of fixed shapes.

    Parameters
    ----------
    model : the model; it is not changed.
    source : what it is called in errors.
    """

    def __init__(self, model: ModelProto, source: str) -> None:
        self.model = model
        self.source = source
        self.nodes: Sequence[NodeProto] = model.graph.node
        self.inputs = tuple(value.name for value in real_inputs(model))
        self.outputs = tuple(value.name for value in model.graph.output)
        self.reads = [tuple(dict.fromkeys(_read_by(node))) for node in self.nodes]
        self.maker = {
            name: index for index, node in enumerate(self.nodes) for name in node.output if name
        }
        self.is_dynamic = self._find_dynamic()
        self._types = _types_of(model, source)

    def tensor(self, name: str) -> str:
        """Return the tensor of that name, or the first one that the node of that name makes.

        Raises
        ------
        ProgramCompileError
            When the model has neither; the message names similar ones.
        """
        if name in self.inputs or name in self.maker:
            return name
        for node in self.nodes:
            if node.name == name and node.output:
                return str(node.output[0])
        known = [*self.inputs, *self.maker]
        similar = difflib.get_close_matches(name, known, 3, 0.5) or known[-3:]
        raise ProgramCompileError(
            f"model {self.source} has no tensor {name!r}; there are for example "
            f"{', '.join(map(repr, similar))}",
            file=self.source,
        )

    def has_tensor(self, name: str) -> bool:
        """Tell whether `tensor` would find something."""
        return (
            name in self.inputs
            or name in self.maker
            or any(node.name == name and node.output for node in self.nodes)
        )

    def behind(self, outputs: Iterable[str], inputs: Iterable[str]) -> tuple[set[int], set[str]]:
        """Return the nodes that make `outputs` from `inputs`, and inputs of the model they need.

        The second is empty when `inputs` are enough.
        """
        ends = set(inputs)
        waiting = [name for name in outputs if name not in ends]
        nodes: set[int] = set()
        missing: set[str] = set()
        while waiting:
            name = waiting.pop()
            if name in self.inputs:
                missing.add(name)
            elif name in self.maker and self.maker[name] not in nodes:
                nodes.add(self.maker[name])
                waiting += [read for read in self.reads[self.maker[name]] if read not in ends]
        return nodes, missing

    def part(self, nodes: set[int], inputs: Sequence[str], outputs: Sequence[str]) -> ModelProto:
        """Return a model of some nodes; what it needs of the weights is copied."""
        chosen = [self.nodes[index] for index in sorted(nodes)]
        read = {name for index in nodes for name in self.reads[index]} | set(outputs)
        made = ModelProto()
        made.CopyFrom(self.model)
        graph = made.graph
        del graph.node[:]
        graph.node.extend(chosen)
        for weights in (graph.initializer, graph.sparse_initializer):
            kept = [w for w in weights if (getattr(w, "name", "") or w.values.name) in read]
            del weights[:]
            weights.extend(kept)
        del graph.value_info[:]
        del graph.quantization_annotation[:]
        _set(graph.input, [self.type_of(name) for name in inputs])
        _set(graph.output, [self.type_of(name) for name in outputs])
        return made

    def type_of(self, name: str) -> ValueInfoProto:
        """Return type and shape of a tensor.

        Raises
        ------
        ProgramCompileError
            When they do not follow from the model.
        """
        if name not in self._types:
            raise ProgramCompileError(
                f"model {self.source} cannot be cropped at {name!r}: its type does not follow "
                "from the model; crop at another tensor",
                file=self.source,
            )
        return self._types[name]

    def _find_dynamic(self) -> list[bool]:
        """Tell for each node whether it depends on an input; nodes are in order of execution."""
        changing = set(self.inputs)
        found = []
        for node, reads in zip(self.nodes, self.reads, strict=True):
            found.append(any(name in changing for name in reads))
            if found[-1]:
                changing.update(node.output)
        return found


def _read_by(node: NodeProto) -> Iterator[str]:
    """Yield the tensors that a node reads, also those that its inner graphs take from outside."""
    yield from (name for name in node.input if name)
    for attribute in node.attribute:
        for graph in (attribute.g, *attribute.graphs):
            yield from _read_from_outside(graph)


def _read_from_outside(graph: GraphProto) -> Iterator[str]:
    own = {value.name for value in graph.input} | {weight.name for weight in graph.initializer}
    own |= {name for node in graph.node for name in node.output}
    for node in graph.node:
        yield from (name for name in _read_by(node) if name not in own)
    yield from (value.name for value in graph.output if value.name not in own)


def _types_of(model: ModelProto, source: str) -> dict[str, ValueInfoProto]:
    try:
        inferred = onnx.shape_inference.infer_shapes(model, data_prop=True)
    except (onnx.shape_inference.InferenceError, RuntimeError, ValueError) as error:
        raise ProgramCompileError(
            f"model {source} cannot be cropped: {first_line(error)}", file=source
        ) from error
    graph = inferred.graph
    return {
        value.name: value
        for value in (*graph.value_info, *graph.output, *graph.input)
        if value.type.tensor_type.elem_type
    }


def _set(values: MutableSequence[ValueInfoProto], new: Sequence[ValueInfoProto]) -> None:
    copies = [ValueInfoProto() for _ in new]
    for copy, value in zip(copies, new, strict=True):
        copy.CopyFrom(value)
    del values[:]
    values.extend(copies)
