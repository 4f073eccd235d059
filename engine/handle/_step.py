"""Executes a context's model on one block, and carries its state from block to block."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from engine.plugins import Session

__all__ = ("SessionStep",)

Array = np.ndarray[Any, Any]


class SessionStep:
    """One model with the state of one context.

    A model without state may be called by several threads at once; one with state by one thread,
    with the blocks in order.

    Parameters
    ----------
    inputs, outputs : names of the tensors that blocks consist of, in the context's order.
    states : names of the inputs that get what an output held in the run before, with that output
        and the value of the first run.
    """

    def __init__(
        self,
        session: Session,
        inputs: Sequence[str],
        outputs: Sequence[str],
        states: Sequence[tuple[str, str, Array]] = (),
    ) -> None:
        self._session = session
        given = [*inputs, *(taken for taken, _, _ in states)]
        made = [tensor.name for tensor in session.outputs]
        self._input_order = [given.index(tensor.name) for tensor in session.inputs]
        self._output_order = [made.index(name) for name in outputs]
        self._state_order = [made.index(name) for _, name, _ in states]
        self._first = [value for _, _, value in states]
        self._states = self._kept = self._first

    @property
    def is_ordered(self) -> bool:
        """Whether blocks have to be executed one after the other, because there is a state."""
        return bool(self._first)

    def __call__(self, inputs: list[Array]) -> list[Array]:
        """Return the block's outputs."""
        values = [*inputs, *self._states]
        outputs = self._session.run([values[place] for place in self._input_order])
        if self._state_order:
            self._states = [outputs[place] for place in self._state_order]
        return [outputs[place] for place in self._output_order]

    def keep(self) -> None:
        """Remember the state, for `restore`."""
        self._kept = self._states

    def restore(self) -> None:
        """Go back to the state that was kept, as if nothing had been executed since."""
        self._states = self._kept

    def reset(self) -> None:
        """Go back to the state of the first run."""
        self._states = self._first
