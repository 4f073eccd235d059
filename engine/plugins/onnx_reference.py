"""Executes programs with ONNX's own reference code: slow, but the measure of what is right."""

import threading
from collections.abc import Sequence
from typing import Any

import numpy as np

from engine.errors import (
    ClosedError,
    DeviceError,
    ProgramIncompatibleError,
    ProgramMalformedError,
)
from engine.plugins.api import Device, ProbeReport, Session
from engine.plugins.host import check_only_device
from engine.plugins.tensors import InputCheck, first_sentence
from engine.protocol import TensorInfo

__all__ = ("OnnxReferencePlugin", "OnnxReferenceSession")


class OnnxReferencePlugin:
    """The reference evaluator of the onnx package, as the numerical oracle for other plugins."""

    key = "onnx-reference"
    plugin_id = "6349b40e-24d3-5b12-b5ba-6cbe82c1800d"
    name = "ONNX reference evaluator"
    precision = "float32"

    def probe(self) -> ProbeReport:
        """Import the evaluator."""
        import onnx  # noqa: PLC0415 - slow to load, and only wanted here
        import onnx.reference  # noqa: PLC0415

        return ProbeReport(
            True, version=onnx.__version__, devices=(Device(0, "cpu", "NumPy on one core"),)
        )

    def load(self, graph: bytes, *, threads_per_lane: int = 1, device_index: int = 0) -> Session:
        """Load an ONNX graph.

        Raises
        ------
        ProgramMalformedError
            When the bytes are no ONNX graph.
        ProgramIncompatibleError
            When the evaluator does not know an operator of it.
        DeviceNotFoundError
            When `device_index` is not 0.
        """
        check_only_device(device_index, self.name)
        import onnx  # noqa: PLC0415 - slow to load, and only wanted here
        from onnx.reference import ReferenceEvaluator  # noqa: PLC0415

        try:
            model = onnx.load_model_from_string(bytes(graph))
        except Exception as error:
            raise ProgramMalformedError(
                f"the bytes are no ONNX model: {first_sentence(error)}; compile it again",
                plugin=self.key,
            ) from error
        if not model.graph.output:
            raise ProgramMalformedError(
                "the bytes are no ONNX model: nothing comes out of it; compile it again",
                plugin=self.key,
            )
        try:
            evaluator = ReferenceEvaluator(model)
        except Exception as error:
            raise ProgramIncompatibleError(
                f"the ONNX reference evaluator cannot load the model: {first_sentence(error)}; "
                "use another plugin for it",
                plugin=self.key,
            ) from error
        constants = {tensor.name for tensor in model.graph.initializer}
        inputs = [value for value in model.graph.input if value.name not in constants]
        return OnnxReferenceSession(evaluator, _infos(inputs), _infos(model.graph.output))


class OnnxReferenceSession:
    """One model in the reference evaluator; runs of several threads take turns."""

    def __init__(
        self,
        evaluator: Any,  # noqa: ANN401 - onnx gives it no type
        inputs: tuple[TensorInfo, ...],
        outputs: tuple[TensorInfo, ...],
    ) -> None:
        self.inputs = inputs
        self.outputs = outputs
        self._evaluator = evaluator
        self._check = InputCheck(inputs)
        self._turn = threading.Lock()

    def run(self, inputs: Sequence[np.ndarray[Any, Any]]) -> list[np.ndarray[Any, Any]]:
        """Execute the model once.

        Raises
        ------
        InvalidArgumentError
            When the arrays do not fit the model's inputs.
        DeviceError
            When the evaluator fails.
        ClosedError
            After `close`.
        """
        evaluator = self._evaluator
        if evaluator is None:
            raise ClosedError("the model's session was closed; load the model again")
        self._check(inputs)
        feed = {info.name: array for info, array in zip(self.inputs, inputs, strict=True)}
        try:
            with self._turn:  # operators of the evaluator keep state while they run
                outputs = evaluator.run(None, feed)
        except Exception as error:
            raise DeviceError(
                f"the ONNX reference evaluator failed: {first_sentence(error)}; "
                "check the model and its inputs",
                plugin=OnnxReferencePlugin.key,
            ) from error
        # An output may be the very array that was the input, or a constant of the model.
        return [np.array(output, order="C") for output in outputs]

    def close(self) -> None:
        """Let go of the model."""
        self._evaluator = None


def _infos(values: Sequence[Any]) -> tuple[TensorInfo, ...]:
    from onnx import helper  # noqa: PLC0415 - slow to load, and only wanted here

    infos = []
    for port, value in enumerate(values):
        tensor = value.type.tensor_type
        if not value.type.HasField("tensor_type") or not tensor.elem_type:
            raise ProgramIncompatibleError(
                f"the model's {value.name!r} is no array of numbers; "
                "export the model with plain tensors",
                tensor=value.name,
            )
        shape = tuple(int(axis.dim_value) for axis in tensor.shape.dim)
        dtype = str(helper.tensor_dtype_to_np_dtype(tensor.elem_type))
        infos.append(TensorInfo(value.name, shape, dtype, port))
    return tuple(infos)
