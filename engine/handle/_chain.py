"""Executes a program of several graphs, one behind the other, as if it were one."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from engine.plugins import Session
from engine.protocol import TensorInfo

__all__ = ("GraphChain",)

Array = np.ndarray[Any, Any]


class GraphChain:
    """The graph before the device, the device's, and the one behind it; tensors go on by name.

    What no part makes is an input of the whole; what no later part takes is an output.
    May be used by several threads at once, like the sessions it is made of.

    Parameters
    ----------
    parts : the sessions, in order; closed together with the chain.
    """

    def __init__(self, parts: Sequence[Session]) -> None:
        self._parts = tuple(parts)
        inputs: dict[str, TensorInfo] = {}
        made: dict[str, TensorInfo] = {}
        for part in self._parts:
            taken = {tensor.name: tensor for tensor in part.inputs}
            inputs |= {
                name: tensor
                for name, tensor in taken.items()
                if name not in made and name not in inputs
            }
            made = {name: tensor for name, tensor in made.items() if name not in taken}
            made |= {tensor.name: tensor for tensor in part.outputs}
        self.inputs = tuple(inputs.values())
        self.outputs = tuple(made.values())

    def run(self, inputs: Sequence[Array]) -> list[Array]:
        """Execute all parts and return fresh arrays in the order of `outputs`."""
        known = {tensor.name: array for tensor, array in zip(self.inputs, inputs, strict=True)}
        for part in self._parts:
            outputs = part.run([known[tensor.name] for tensor in part.inputs])
            known |= zip((tensor.name for tensor in part.outputs), outputs, strict=True)
        return [known[tensor.name] for tensor in self.outputs]

    def close(self) -> None:
        """Let go of all parts. Safe to call twice."""
        for part in self._parts:
            part.close()
