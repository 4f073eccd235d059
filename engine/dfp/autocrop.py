"""Finds where a model's own work begins and ends, and leaves the rest to the host.

This module imports onnx; only the compiler may load it, when it is called.
"""

from collections.abc import Callable, Iterable
from typing import NamedTuple

from engine.dfp.graph_cut import GraphView

__all__ = ("Crop", "find_crop")

_HEAVY = frozenset(
    [
        "Attention",
        "Conv",
        "ConvInteger",
        "ConvTranspose",
        "DeformConv",
        "Einsum",
        "FusedConv",
        "GRU",
        "Gemm",
        "LSTM",
        "MatMul",
        "MatMulInteger",
        "QLinearConv",
        "QLinearMatMul",
        "RNN",
    ]
)
"""Operators that a device is for."""

_HOST = frozenset(
    [
        "ArgMax",
        "ArgMin",
        "Compress",
        "Gather",
        "GatherElements",
        "GatherND",
        "Hardmax",
        "If",
        "Loop",
        "NonMaxSuppression",
        "NonZero",
        "OneHot",
        "Range",
        "RoiAlign",
        "Scan",
        "ScatterElements",
        "ScatterND",
        "Shape",
        "Size",
        "TopK",
        "Unique",
        "Where",
    ]
)
"""Operators whose work depends on the values: selecting, sorting, loops."""

_LAYOUT = frozenset(["Concat", "Reshape", "Slice", "Split", "Transpose"])
"""Operators that move values; behind the last heavy one they begin the decoding of boxes."""

_TRIVIAL = frozenset(
    ["Flatten", "Identity", "LogSoftmax", "Reshape", "Sigmoid", "Softmax", "Squeeze"]
)
"""A tail of nothing else stays on the device."""


class Crop(NamedTuple):
    """Where the device's part begins and ends; empty means the model's own."""

    inputs: tuple[str, ...] = ()
    outputs: tuple[str, ...] = ()


def find_crop(view: GraphView) -> Crop:
    """Choose the tensors at which a model is cut.

    Before the first heavy operators everything goes to the host. Behind the last ones it goes
    there from the first operator on that rearranges or selects values; activations and
    normalizations stay on the device. A model without heavy operators is left whole.
    """
    dynamic = {index for index, changes in enumerate(view.is_dynamic) if changes}
    heavy = {index for index in dynamic if view.nodes[index].op_type in _HEAVY}
    if not heavy or not all(_is_dynamic(view, name) for name in view.outputs):
        return Crop()
    before = _spread(heavy, lambda index: _makers(view, index))
    head = before - _spread(heavy, _readers(view))
    if any(view.maker[name] in head for name in view.outputs):
        head = set()  # a result of the head would be lost between the parts
    head -= _scales_in_front(view, head)
    post = _tail(view, dynamic - before)
    crossing = {index for index in post if _reads_around(view, index, head)}
    post -= _spread(crossing, lambda index: _makers(view, index))
    return _boundaries(view, head, dynamic - head - post, post)


def _tail(view: GraphView, light: set[int]) -> set[int]:
    """Return the nodes behind all heavy ones, from the first that rearranges or selects on."""
    starts = {index for index in light if view.nodes[index].op_type in _HOST | _LAYOUT}
    tail = _spread(starts, _readers(view))
    if all(view.nodes[index].op_type in _TRIVIAL for index in tail):
        return set()
    return tail


def _scales_in_front(view: GraphView, head: set[int]) -> set[int]:
    """Return the dequantizers at the end of the head: operators behind them are fused with them."""
    readers = _readers(view)
    found: set[int] = set()
    for index in sorted(head, reverse=True):
        is_last = all(reader not in head or reader in found for reader in readers(index))
        if is_last and view.nodes[index].op_type == "DequantizeLinear":
            found.add(index)
    return found


def _reads_around(view: GraphView, index: int, head: set[int]) -> bool:
    """Tell whether a node takes something that does not come out of the device's part."""
    return any(
        name in view.inputs or view.maker.get(name, -1) in head for name in view.reads[index]
    )


def _boundaries(view: GraphView, head: set[int], main: set[int], post: set[int]) -> Crop:
    read = {name: None for index in sorted(main) for name in view.reads[index]}
    begin = [
        name
        for name in read
        if name in view.inputs or (name in view.maker and view.maker[name] in head)
    ]
    needed = {name for index in post for name in view.reads[index]} | set(view.outputs)
    end = [name for index in sorted(main) for name in view.nodes[index].output if name in needed]
    if not begin or not end:
        return Crop()
    own_begin = set(begin) == set(view.inputs)
    own_end = set(end) == set(view.outputs)
    return Crop(() if own_begin else tuple(begin), () if own_end else tuple(end))


def _makers(view: GraphView, index: int) -> list[int]:
    """Return the nodes a node depends on directly, without those that are constant."""
    found = [view.maker[name] for name in view.reads[index] if name in view.maker]
    return [maker for maker in found if view.is_dynamic[maker]]


def _readers(view: GraphView) -> Callable[[int], Iterable[int]]:
    readers: dict[int, list[int]] = {}
    for index in range(len(view.nodes)):
        for maker in _makers(view, index):
            readers.setdefault(maker, []).append(index)
    return lambda index: readers.get(index, [])


def _is_dynamic(view: GraphView, name: str) -> bool:
    return name in view.maker and view.is_dynamic[view.maker[name]]


def _spread(start: set[int], step: Callable[[int], Iterable[int]]) -> set[int]:
    """Return `start` and everything that can be reached from it."""
    found: set[int] = set()
    waiting = list(start)
    while waiting:
        index = waiting.pop()
        if index not in found:
            found.add(index)
            waiting += step(index)
    return found
