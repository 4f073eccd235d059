"""What a context executes: a model's session, its tensors, and which of them carry its state."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from engine.dfp import ModelEntry
from engine.errors import ProgramMalformedError
from engine.handle._step import SessionStep
from engine.handle.errors import ArgumentError
from engine.handle.model import Model, model_core_of
from engine.plugins import Session
from engine.protocol import TensorInfo

__all__ = ("Plan", "plan_of")

Array = np.ndarray[Any, Any]


@dataclass(frozen=True)
class Plan:
    """A model, ready for contexts.

    Attributes
    ----------
    inputs, outputs : what the caller gives and gets, without the tensors that carry the state.
    states : input and output of each part of the state.
    output_delay : how many lines results lag behind the data, as the model says.
    """

    model: Model
    entry: ModelEntry
    session: Session
    inputs: tuple[TensorInfo, ...]
    outputs: tuple[TensorInfo, ...]
    states: tuple[tuple[TensorInfo, TensorInfo], ...]
    output_delay: int

    @property
    def has_free_states(self) -> bool:
        """Whether the size of the state depends on the data."""
        return any(0 in taken.shape for taken, _ in self.states)

    def step(self, samples: int = 0) -> SessionStep:
        """Return what executes blocks, with a state of its own that begins with zeros.

        Parameters
        ----------
        samples : of a line; the size of the free axes of the state.

        Raises
        ------
        ArgumentError
            When the state has free axes and the number of samples is not fixed.
        """
        if self.has_free_states and not samples:
            raise ArgumentError(
                f"the state of model {self.entry.name!r} has an axis of free size, which only "
                "lines of a fixed number of samples determine; make a context for those, or "
                "export the model with a fixed size"
            )
        states = [
            (taken.name, given.name, np.zeros([n or samples for n in taken.shape], taken.dtype))
            for taken, given in self.states
        ]
        inputs, outputs = ([one.name for one in some] for some in (self.inputs, self.outputs))
        return SessionStep(self.session, inputs, outputs, states)


def plan_of(model: Model) -> Plan:
    """Load a model with the plugin that is chosen now.

    Raises
    ------
    PluginUnavailableError
        When no plugin is switched on and works here.
    ArgumentError
        When what is said to be its state is no pair of an input and an output.
    """
    core = model_core_of(model)
    entry = core.entry
    session = core.session(core.handle.plugins.choose())
    inputs, outputs = _tensors(entry, session)
    taken, given = dict(model.states), {name: place for place, name in model.states.items()}
    states = _states(entry, inputs, outputs, taken)
    return Plan(
        model=model,
        entry=entry,
        session=session,
        inputs=tuple(tensor for tensor in inputs if tensor.name not in taken),
        outputs=tuple(tensor for tensor in outputs if tensor.name not in given),
        states=states,
        output_delay=model.output_delay if states else 0,
    )


def _tensors(
    entry: ModelEntry, session: Session
) -> tuple[Sequence[TensorInfo], Sequence[TensorInfo]]:
    """Return what goes in and comes out, in the order of the program's manifest."""
    if entry.pre_graph or entry.post_graph:  # the manifest tells about the device's graph only
        return session.inputs, session.outputs
    for told, have in ((entry.inputs, session.inputs), (entry.outputs, session.outputs)):
        names = [sorted(tensor.name for tensor in some) for some in (told, have)]
        if names[0] != names[1]:
            raise ProgramMalformedError(
                f"model {entry.name!r} and its graph name different tensors, "
                f"{', '.join(names[0])} and {', '.join(names[1])}; compile it again"
            )
    return entry.inputs, entry.outputs


def _states(
    entry: ModelEntry,
    inputs: Sequence[TensorInfo],
    outputs: Sequence[TensorInfo],
    pairs: Mapping[str, str],
) -> tuple[tuple[TensorInfo, TensorInfo], ...]:
    by_input = {tensor.name: tensor for tensor in inputs}
    by_output = {tensor.name: tensor for tensor in outputs}
    for taken, given in pairs.items():
        if taken not in by_input or given not in by_output:
            raise ArgumentError(
                f"the state of model {entry.name!r} is said to go from its output {given!r} to its "
                f"input {taken!r}; it has the outputs {', '.join(by_output)} and the inputs "
                f"{', '.join(by_input)}"
            )
        one, other = by_input[taken], by_output[given]
        if one.dtype != other.dtype or not _fit(one.shape, other.shape):
            raise ArgumentError(
                f"the state of model {entry.name!r} goes from output {given!r}, {other.dtype} "
                f"{other.shape}, to input {taken!r}, {one.dtype} {one.shape}; they have to be equal"
            )
    if len(set(pairs.values())) < len(pairs):
        raise ArgumentError(
            f"two states of model {entry.name!r} come from the same output; give each its own"
        )
    if pairs and (len(pairs) == len(inputs) or len(pairs) == len(outputs)):
        raise ArgumentError(
            f"all inputs or all outputs of model {entry.name!r} are said to be its state; it needs "
            "an input for the data and an output for the results besides"
        )
    return tuple((by_input[taken], by_output[given]) for taken, given in pairs.items())


def _fit(one: tuple[int, ...], other: tuple[int, ...]) -> bool:
    return len(one) == len(other) and all(
        a == b or 0 in (a, b) for a, b in zip(one, other, strict=True)
    )
