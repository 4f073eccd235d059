"""Executes programs with OpenVINO on the processor's cores, in float32 unless told otherwise.

Left to itself OpenVINO computes in bfloat16 on processors that can: faster, but with other numbers.
That is a plugin of its own here, so that it is a choice and is seen.
"""

import sys
import threading
from collections.abc import Callable, Sequence
from importlib import import_module
from importlib.util import find_spec
from types import ModuleType
from typing import Any, ClassVar

import msgspec
import numpy as np

from engine.errors import (
    ClosedError,
    DeviceError,
    PluginUnavailableError,
    ProgramIncompatibleError,
)
from engine.plugins.api import Device, DeviceTelemetry, ProbeReport, Session
from engine.plugins.host import HostSensors, check_only_device, memory_bytes
from engine.plugins.onnxruntime_cpu import TINY_MODEL
from engine.plugins.prerequisites import OPENVINO
from engine.plugins.tensors import InputCheck, first_sentence
from engine.protocol import TensorInfo

__all__ = ("OpenVinoBf16Plugin", "OpenVinoPlugin", "OpenVinoSession")

_DEVICE = "CPU"
_importing = threading.Lock()


class OpenVinoPlugin:
    """OpenVINO's processor backend in float32; each lane has a compiled model of its own."""

    key = "openvino-cpu"
    plugin_id = "8a1c9d34-6a55-5c0e-9f7e-3b0f2f6f7c10"
    name = "OpenVINO (CPU)"
    precision = "float32"
    _hint: ClassVar[str] = "f32"
    _capability: ClassVar[str] = "FP32"

    def __init__(self) -> None:
        self._host = HostSensors()

    def probe(self) -> ProbeReport:
        """Load OpenVINO and execute a tiny model with it."""
        if find_spec("openvino") is None:
            return ProbeReport(False, OPENVINO)
        openvino = _import_quietly()  # loading it is what may crash
        version = str(openvino.__version__).partition("-")[0]  # without its build and branch
        core = openvino.Core()
        if self._capability not in core.get_property(_DEVICE, "OPTIMIZATION_CAPABILITIES"):
            return ProbeReport(False, f"this processor has no {self.precision}", version)
        session = self.load(TINY_MODEL)
        session.run([np.ones((1, 4), np.float32)])
        session.close()
        name = str(core.get_property(_DEVICE, "FULL_DEVICE_NAME"))
        return ProbeReport(True, version=version, devices=(Device(0, "cpu", name, memory_bytes()),))

    def load(self, graph: bytes, *, threads_per_lane: int = 1, device_index: int = 0) -> Session:
        """Load an ONNX graph; the session may be shared by all lanes.

        Raises
        ------
        PluginUnavailableError
            When OpenVINO is not installed.
        ProgramIncompatibleError
            When OpenVINO refuses the graph, or the graph uses values that are not arrays.
        DeviceNotFoundError
            When `device_index` is not 0.
        """
        check_only_device(device_index, self.name)
        if find_spec("openvino") is None:
            raise PluginUnavailableError(OPENVINO, plugin=self.key)
        openvino = _import_quietly()  # loading it is what may crash
        core = openvino.Core()
        # One stream per model, and a model per lane: with several streams 2026.4.1 gave wrong
        # float32 results after one load in ten (SqueezeNet, AMD EPYC), with one stream never.
        settings = {
            "INFERENCE_PRECISION_HINT": self._hint,
            "NUM_STREAMS": "1",
            "INFERENCE_NUM_THREADS": threads_per_lane,
            "ENABLE_CPU_PINNING": False,  # all models of a process would take the same core
        }
        try:
            model = core.read_model(bytes(graph), b"")
            # Afterwards a port has further names, of the tensors that were merged with it.
            names = [port.get_any_name() for port in (*model.inputs, *model.outputs)]
            compiled = core.compile_model(model, _DEVICE, settings)
        except Exception as error:
            raise ProgramIncompatibleError(
                f"OpenVINO {openvino.__version__} cannot load the model: {first_sentence(error)}; "
                "use another plugin for it",
                plugin=self.key,
            ) from error
        return OpenVinoSession(
            compiled, names, self.key, lambda: core.compile_model(model, _DEVICE, settings)
        )

    def telemetry(self, device_index: int = 0) -> DeviceTelemetry:
        """Read how busy the processor's cores are, and how warm where it says so."""
        return self._host.read()


class OpenVinoBf16Plugin(OpenVinoPlugin):
    """OpenVINO in bfloat16: about twice as fast, with results that differ in the third digit."""

    key = "openvino-cpu-bf16"
    plugin_id = "8a1c9d34-6a55-5c0e-9f7e-3b0f2f6f7c11"
    name = "OpenVINO (CPU, bfloat16)"
    precision = "bfloat16"
    _hint = "bf16"
    _capability = "BF16"


class OpenVinoSession:
    """One model in OpenVINO, compiled once for each run at the same time when it is needed."""

    def __init__(
        self,
        compiled: Any,  # noqa: ANN401 - OpenVINO has no types
        names: Sequence[str],
        plugin_key: str,
        compile_again: Callable[[], Any],
    ) -> None:
        infos = [
            _info(port, name)
            for port, name in zip((*compiled.inputs, *compiled.outputs), names, strict=True)
        ]
        self.inputs = _numbered(infos[: len(compiled.inputs)])
        self.outputs = _numbered(infos[len(compiled.inputs) :])
        self._plugin_key = plugin_key
        self._check = InputCheck(self.inputs)
        self._compile: Callable[[], Any] | None = compile_again
        self._compiling = threading.Lock()
        self._lock = threading.Lock()
        self._requests = [compiled.create_infer_request()]

    def run(self, inputs: Sequence[np.ndarray[Any, Any]]) -> list[np.ndarray[Any, Any]]:
        """Execute the model once.

        Raises
        ------
        InvalidArgumentError
            When the arrays do not fit the model's inputs.
        DeviceError
            When OpenVINO fails.
        ClosedError
            After `close`.
        """
        self._check(inputs)
        with self._lock:
            compile_again = self._compile
            request = self._requests.pop() if self._requests else None
        if compile_again is None:
            raise ClosedError("the model's session was closed; load the model again")
        try:
            if request is None:
                with self._compiling:
                    request = compile_again().create_infer_request()
            found = request.infer(list(inputs), share_inputs=True, share_outputs=True)
            # The request keeps its memory and fills it again: what goes out is a copy.
            outputs = [np.array(found[number], order="C") for number in range(len(self.outputs))]
        except Exception as error:
            raise DeviceError(
                f"OpenVINO failed while executing the model: {first_sentence(error)}; "
                "check the model and its inputs",
                plugin=self._plugin_key,
            ) from error
        with self._lock:
            if self._compile is not None:
                self._requests.append(request)
        return outputs

    def close(self) -> None:
        """Let go of the model; its memory returns when the last run has ended."""
        with self._lock:
            self._compile = None
            self._requests.clear()


def _import_quietly() -> Any:  # noqa: ANN401 - OpenVINO has no types
    """Import OpenVINO without what reports that to its maker over the network (since 2023)."""
    reporter = "openvino_telemetry"
    with _importing:
        if "openvino" in sys.modules or reporter in sys.modules:
            return import_module("openvino")
        blocked: dict[str, ModuleType | None] = sys.modules  # type: ignore[assignment]  # None blocks
        blocked[reporter] = None
        try:
            return import_module("openvino")
        finally:
            del sys.modules[reporter]


def _info(port: Any, name: str) -> TensorInfo:  # noqa: ANN401 - OpenVINO has no types
    try:
        dtype = str(np.dtype(port.element_type.to_dtype()))
    except Exception as error:
        raise ProgramIncompatibleError(
            f"the model's {name!r} is a {port.element_type}, which NumPy does not know; "
            "export the model with plain tensors",
            tensor=name,
        ) from error
    shape = port.partial_shape
    if shape.rank.is_dynamic:
        return TensorInfo(name, (), dtype)
    return TensorInfo(name, tuple(a.get_length() if a.is_static else 0 for a in shape), dtype)


def _numbered(infos: Sequence[TensorInfo]) -> tuple[TensorInfo, ...]:
    return tuple(msgspec.structs.replace(info, port=port) for port, info in enumerate(infos))
