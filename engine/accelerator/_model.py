"""One model of an opened program: its ports, its session, and the way of a frame in and out."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from engine.accelerator._extra_model import ExtraModel
from engine.accelerator._forms import InputForm, OutputForm
from engine.accelerator.errors import FrameShapeError, FrameTypeError
from engine.dfp import ModelEntry, device_shape
from engine.errors import ProgramMalformedError
from engine.plugins import Session
from engine.protocol import TensorInfo

__all__ = ("Model", "Ports")

Array = np.ndarray[Any, Any]


class Ports:
    """The inputs or the outputs of a model.

    Attributes
    ----------
    port_assignment : name of the tensor at each port, in ascending order of ports.
    port_ids : the ports' numbers; they run over the whole program.
    port_count : how many there are.
    port_spec : per port the shape in device form (height, width, 1, channels) and the dtype.
    """

    def __init__(self, tensors: Sequence[TensorInfo], layout: str) -> None:
        self.port_assignment = {tensor.port: tensor.name for tensor in tensors}
        self.port_ids = list(self.port_assignment)
        self.port_count = len(self.port_ids)
        self.port_spec = [
            (list(device_shape(tensor, layout)), np.dtype(tensor.dtype).type) for tensor in tensors
        ]


class Model:
    """A model ready to run; frames go through `take`, the device, and `give`."""

    def __init__(
        self, index: int, entry: ModelEntry, session: Session, use_model_shape: tuple[bool, bool]
    ) -> None:
        layout = entry.pre.layout
        self.index = index
        self.name = entry.name
        self.session = session
        self.input = Ports(entry.inputs, layout)
        self.output = Ports(entry.outputs, layout)
        self.pre: ExtraModel | None = None
        self.post: ExtraModel | None = None
        self._inputs = entry.inputs
        self._outputs = entry.outputs
        self._input_order = _order(entry, session.inputs, entry.inputs)
        self._output_order = _order(entry, entry.outputs, session.outputs)
        self._input_forms = [
            InputForm(tensor, layout, prefers_device_form=not use_model_shape[0])
            for tensor in entry.inputs
        ]
        self._output_forms = [
            OutputForm(tensor, layout, is_device_form=not use_model_shape[1])
            for tensor in entry.outputs
        ]

    def take(self, frame: object) -> list[Array]:
        """Check a frame and return private copies of its arrays, as the device wants them.

        Raises
        ------
        FrameTypeError
            When it is neither an array nor a list or tuple of arrays.
        FrameShapeError, FrameDtypeError
            When an array does not fit, or their number is wrong.
        """
        arrays = self._arrays_of(frame)
        if self.pre is not None:
            arrays = self.pre.prepare(arrays, self._inputs)
        if len(arrays) != len(self._input_forms):
            raise FrameShapeError(
                f"model {self.index} ({self.name}) has {len(self._input_forms)} inputs "
                f"({', '.join(info.name for info in self._inputs)}), but the frame has "
                f"{len(arrays)} arrays; give one array per input, in the order of the ports"
            )
        taken = [form(array) for form, array in zip(self._input_forms, arrays, strict=True)]
        return [taken[place] for place in self._input_order]

    def give(self, outputs: Sequence[Array]) -> list[Array]:
        """Return a frame's outputs in the form the caller asked for, in the order of the ports."""
        outputs = [outputs[place] for place in self._output_order]
        arrays = [form(array) for form, array in zip(self._output_forms, outputs, strict=True)]
        return arrays if self.post is None else self.post.finish(arrays, self._outputs)

    def close(self) -> None:
        """Let go of the sessions."""
        for part in (self.session, self.pre, self.post):
            if part is not None:
                part.close()

    def _arrays_of(self, frame: object) -> Sequence[Array]:
        if isinstance(frame, np.ndarray):
            return (frame,)
        if isinstance(frame, list | tuple) and all(isinstance(a, np.ndarray) for a in frame):
            return frame
        kinds = type(frame).__name__
        if isinstance(frame, list | tuple):
            kinds += " of " + ", ".join(sorted({type(item).__name__ for item in frame}))
        raise FrameTypeError(
            f"a frame for model {self.index} ({self.name}) is a NumPy array or a list or tuple of "
            f"NumPy arrays, not a {kinds}"
        )


def _order(
    entry: ModelEntry, wanted: Sequence[TensorInfo], given: Sequence[TensorInfo]
) -> list[int]:
    """Return at which place of `given` each of the `wanted` tensors is, by name."""
    names = [tensor.name for tensor in given]
    if sorted(names) != sorted(tensor.name for tensor in wanted):
        raise ProgramMalformedError(
            f"model {entry.name!r} and its graph name different tensors, {', '.join(names)} and "
            f"{', '.join(tensor.name for tensor in wanted)}; compile it again"
        )
    return [names.index(tensor.name) for tensor in wanted]
