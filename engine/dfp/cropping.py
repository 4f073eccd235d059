"""Splits a model into a part for the device and what runs on the host before and after it.

This module imports onnx; only the compiler may load it, when it is called.
"""

from collections.abc import Sequence
from typing import NamedTuple

from onnx import ModelProto, helper

from engine.dfp.graph_cut import GraphView
from engine.dfp.trial import GIVEN
from engine.errors import ProgramCompileError

__all__ = ("Parts", "crop_model")


class Parts(NamedTuple):
    """The three parts of a model; tensors between them have the same names on both sides."""

    pre: ModelProto | None
    main: ModelProto
    post: ModelProto | None


def crop_model(view: GraphView, inputs: Sequence[str], outputs: Sequence[str]) -> Parts:
    """Cut a model at some tensors.

    Outputs of the model that do not depend on `outputs` are left out.

    Parameters
    ----------
    view : the model.
    inputs, outputs : tensors (or nodes) where the device's part begins and ends, in the order of
        its ports; empty takes the model's own.

    Raises
    ------
    ProgramCompileError
        When a tensor is not there, or the parts need more tensors than those.
    """
    end = tuple(dict.fromkeys(view.tensor(name) for name in outputs)) or view.outputs
    begin = tuple(dict.fromkeys(view.tensor(name) for name in inputs))
    if not begin:
        _, needed = view.behind(end, ())
        begin = tuple(name for name in view.inputs if name in needed)
    main = _main_nodes(view, begin, end)
    return Parts(
        _make_pre(view, begin),
        view.part(main, begin, end),
        _make_post(view, main, end),
    )


def _main_nodes(view: GraphView, begin: Sequence[str], end: Sequence[str]) -> set[int]:
    if set(begin) & set(end):
        name = min(set(begin) & set(end))
        raise _refused(view, f"{name!r} cannot be its beginning and its end; choose another tensor")
    nodes, missing = view.behind(end, begin)
    read = {name for index in nodes for name in view.reads[index]}
    idle = [name for name in begin if name not in read]
    if idle:
        raise _refused(
            view, f"{_listed(end)} do not depend on {_listed(idle)}; take it out of the inputs"
        )
    if missing:
        raise _refused(
            view,
            f"its part from {_listed(begin)} to {_listed(end)} also needs the input "
            f"{_listed(sorted(missing))}; add it to the inputs",
        )
    return nodes


def _make_pre(view: GraphView, begin: Sequence[str]) -> ModelProto | None:
    """Return what turns the model's inputs into `begin`; inputs in it are handed through."""
    if set(begin) <= set(view.inputs):
        return None
    nodes, needed = view.behind(begin, ())
    direct = [name for name in begin if name in view.inputs]
    own = [name for name in view.inputs if name in needed or name in direct]
    model = view.part(nodes, own, begin)
    for value in model.graph.input:
        if value.name in direct:  # a graph cannot have one name on both sides
            given, value.name = value.name, value.name + GIVEN
            model.graph.node.insert(0, helper.make_node("Identity", [value.name], [given]))
    return model


def _make_post(view: GraphView, main: set[int], end: Sequence[str]) -> ModelProto | None:
    """Return what turns `end` into those outputs of the model that depend on it."""
    used: set[int] = set()
    outputs = []
    for name in view.outputs:
        if name in end:
            continue
        nodes, missing = view.behind([name], end)
        if not any(read in end for index in nodes for read in view.reads[index]):
            continue
        inner = {index for index in nodes & main if view.is_dynamic[index]}
        if inner or missing:
            wanted = sorted(missing) or _crossing(view, nodes - main, inner)
            raise _refused(
                view,
                f"the output {name!r} needs {_listed(wanted)} besides {_listed(end)}; "
                "choose ends through which everything passes that comes after them",
            )
        used |= nodes
        outputs.append(name)
    if not outputs:
        return None
    read = {name for index in used for name in view.reads[index]}
    return view.part(used, [name for name in end if name in read], outputs)


def _crossing(view: GraphView, after: set[int], before: set[int]) -> list[str]:
    """Return the tensors that go from one set of nodes to the other."""
    made = {name for index in before for name in view.nodes[index].output}
    return sorted({name for index in after for name in view.reads[index] if name in made})


def _listed(names: Sequence[str]) -> str:
    return ", ".join(map(repr, names[:5])) + (", ..." if len(names) > 5 else "")


def _refused(view: GraphView, reason: str) -> ProgramCompileError:
    return ProgramCompileError(f"model {view.source} cannot be cropped: {reason}", file=view.source)
