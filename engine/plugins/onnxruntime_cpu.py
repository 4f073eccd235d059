"""Executes programs with onnxruntime on the processor's cores; the plugin that is always there."""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from engine.errors import ClosedError, DeviceError, ProgramIncompatibleError
from engine.plugins.api import Device, DeviceTelemetry, ProbeReport, Session
from engine.plugins.host import HostSensors, check_only_device, memory_bytes, processor_name
from engine.plugins.tensors import InputCheck, first_sentence
from engine.protocol import TensorInfo

__all__ = ("TINY_MODEL", "OnnxRuntimeCpuPlugin", "OnnxRuntimeSession", "session_options")

_DTYPES = {
    "tensor(float)": "float32",
    "tensor(double)": "float64",
    "tensor(float16)": "float16",
    "tensor(int8)": "int8",
    "tensor(int16)": "int16",
    "tensor(int32)": "int32",
    "tensor(int64)": "int64",
    "tensor(uint8)": "uint8",
    "tensor(uint16)": "uint16",
    "tensor(uint32)": "uint32",
    "tensor(uint64)": "uint64",
    "tensor(bool)": "bool",
}

TINY_MODEL = bytes.fromhex(
    "08083a400a0e0a01780a01781201792203416464120474696e795a130a0178120e0a0c"
    "080112080a0208010a02080462130a0179120e0a0c080112080a0208010a02080442040a001011"
)


class OnnxRuntimeCpuPlugin:
    """onnxruntime's processor backend in float32: one core per lane, no spinning threads."""

    key = "onnxruntime-cpu"
    plugin_id = "0172d72a-757a-5f3e-9b91-bfd39cf5c042"
    name = "onnxruntime (CPU)"
    precision = "float32"

    def __init__(self) -> None:
        self._host = HostSensors()

    def probe(self) -> ProbeReport:
        """Load onnxruntime and execute a tiny model with it."""
        import onnxruntime  # noqa: PLC0415 - loading it is what may crash

        session = self.load(TINY_MODEL)
        session.run([np.ones((1, 4), np.float32)])
        session.close()
        device = Device(0, "cpu", processor_name(), memory_bytes())
        return ProbeReport(True, version=onnxruntime.__version__, devices=(device,))

    def load(self, graph: bytes, *, threads_per_lane: int = 1, device_index: int = 0) -> Session:
        """Load an ONNX graph; the session may be shared by all lanes.

        Raises
        ------
        ProgramIncompatibleError
            When onnxruntime refuses the graph, or the graph uses values that are not arrays.
        DeviceNotFoundError
            When `device_index` is not 0.
        """
        check_only_device(device_index, self.name)
        import onnxruntime  # noqa: PLC0415 - loading it is what may crash

        try:
            native = onnxruntime.InferenceSession(
                bytes(graph),
                session_options(threads_per_lane),
                providers=["CPUExecutionProvider"],
            )
        except Exception as error:
            raise ProgramIncompatibleError(
                f"onnxruntime {onnxruntime.__version__} cannot load the model: "
                f"{first_sentence(error)}; compile it again from an intact ONNX file",
                plugin=self.key,
            ) from error
        return HostMemorySession(native)

    def telemetry(self, device_index: int = 0) -> DeviceTelemetry:
        """Read how busy the processor's cores are, and how warm where it says so."""
        return self._host.read()


def session_options(threads: int) -> Any:  # noqa: ANN401 - onnxruntime has no types
    """Return options for a session that lanes share: no threads of its own, no spinning."""
    import onnxruntime  # noqa: PLC0415 - loading it is what may crash

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    options.execution_mode = onnxruntime.ExecutionMode.ORT_SEQUENTIAL
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    options.add_session_config_entry("session.inter_op.allow_spinning", "0")
    options.log_severity_level = 3
    return options


class OnnxRuntimeSession:
    """One model in onnxruntime, with its inputs checked before every run."""

    def __init__(
        self,
        native: Any,  # noqa: ANN401 - onnxruntime has no types
        plugin_key: str = OnnxRuntimeCpuPlugin.key,
    ) -> None:
        self._plugin_key = plugin_key
        self.inputs = tuple(_info(node, port) for port, node in enumerate(native.get_inputs()))
        self.outputs = tuple(_info(node, port) for port, node in enumerate(native.get_outputs()))
        self._native = native
        self._check = InputCheck(self.inputs)
        self._input_names = [info.name for info in self.inputs]
        self._output_names = [info.name for info in self.outputs]

    def run(self, inputs: Sequence[np.ndarray[Any, Any]]) -> list[np.ndarray[Any, Any]]:
        """Execute the model once.

        Raises
        ------
        InvalidArgumentError
            When the arrays do not fit the model's inputs.
        DeviceError
            When onnxruntime fails.
        ClosedError
            After `close`.
        """
        native = self._native
        if native is None:
            raise ClosedError("the model's session was closed; load the model again")
        self._check(inputs)
        feed = dict(zip(self._input_names, inputs, strict=True))
        try:
            outputs: list[np.ndarray[Any, Any]] = native.run(self._output_names, feed)
        except Exception as error:
            raise self._failed(error) from error
        return outputs

    def _failed(self, error: Exception) -> DeviceError:
        return DeviceError(
            f"onnxruntime failed while executing the model: {first_sentence(error)}; "
            "check the model and its inputs",
            plugin=self._plugin_key,
        )

    def close(self) -> None:
        """Let go of the model; its memory returns when the last run has ended."""
        self._native = None


class HostMemorySession(OnnxRuntimeSession):
    """The same for models that are executed in this machine's memory."""

    def bind(
        self, inputs: Sequence[np.ndarray[Any, Any]], outputs: Sequence[np.ndarray[Any, Any]]
    ) -> Callable[[], None]:
        """Return what executes the model from arrays into arrays; see `InPlaceSession`."""
        native = self._native
        if native is None:
            raise ClosedError("the model's session was closed; load the model again")
        binding = native.io_binding()
        for name, array in zip(self._input_names, inputs, strict=True):
            place = (array.dtype.type, array.shape, array.ctypes.data)
            binding.bind_input(name, "cpu", 0, *place)
        for name, array in zip(self._output_names, outputs, strict=True):
            place = (array.dtype.type, array.shape, array.ctypes.data)
            binding.bind_output(name, "cpu", 0, *place)

        def execute() -> None:
            try:
                native.run_with_iobinding(binding)
            except Exception as error:
                raise self._failed(error) from error

        return execute


def _info(node: Any, port: int) -> TensorInfo:  # noqa: ANN401 - onnxruntime has no types
    dtype = _DTYPES.get(node.type)
    if dtype is None:
        raise ProgramIncompatibleError(
            f"the model's {node.name!r} is a {node.type}, which is no array of numbers; "
            "export the model with plain tensors",
            tensor=node.name,
        )
    shape = tuple(size if isinstance(size, int) and size > 0 else 0 for size in node.shape or ())
    return TensorInfo(node.name, shape, dtype, port)
