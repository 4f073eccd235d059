"""Executes programs with onnxruntime on graphics processors, where its package can.

Written against onnxruntime's documented providers. What was run is the refusal on machines without
such a device; no model was executed on one yet.
"""

from typing import Any, ClassVar

import numpy as np

from engine.errors import PluginUnavailableError, ProgramIncompatibleError
from engine.plugins.api import Device, DeviceTelemetry, ProbeReport, Session
from engine.plugins.host import check_only_device
from engine.plugins.nvidia import NvidiaSensors, nvidia_devices
from engine.plugins.onnxruntime_cpu import TINY_MODEL, OnnxRuntimeSession, session_options
from engine.plugins.prerequisites import CUDA, DIRECTML, TENSORRT
from engine.plugins.tensors import first_sentence

__all__ = ("CoreMlPlugin", "CudaPlugin", "DirectMlPlugin", "TensorRtPlugin")

_PROBE_INPUT = np.ones((1, 4), np.float32)


class _ProviderPlugin:
    """One provider of onnxruntime; what it cannot execute runs on the processor.

    Attributes
    ----------
    provider : name of the provider in onnxruntime.
    remedy : what to install, and where.
    options : the provider's settings.
    device_option : that of them which takes a device's number; empty where there is none.
    """

    key: str
    plugin_id: str
    name: str
    precision = "float32"
    provider: ClassVar[str]
    remedy: ClassVar[str]
    options: ClassVar[dict[str, str]] = {}
    device_option: ClassVar[str] = ""

    def probe(self) -> ProbeReport:
        """Execute a tiny model, and check that it ran on the device and not on the processor."""
        import onnxruntime  # noqa: PLC0415 - loading it is what may crash

        version = str(onnxruntime.__version__)
        if self.provider not in onnxruntime.get_available_providers():
            return ProbeReport(
                False,
                f"onnxruntime {version} has no {self.provider}; {self.remedy}",
                version,
            )
        try:
            session = self.load(TINY_MODEL)
        except PluginUnavailableError as error:
            return ProbeReport(False, error.message, version)
        session.run([_PROBE_INPUT])
        session.close()
        return ProbeReport(True, version=version, devices=self._devices())

    def load(self, graph: bytes, *, threads_per_lane: int = 1, device_index: int = 0) -> Session:
        """Load an ONNX graph on a device.

        Raises
        ------
        PluginUnavailableError
            When onnxruntime did not take the device but the processor.
        ProgramIncompatibleError
            When onnxruntime refuses the graph.
        DeviceNotFoundError
            When the provider has one device and `device_index` is another.
        """
        import onnxruntime  # noqa: PLC0415 - loading it is what may crash

        settings = dict(self.options)
        if self.device_option:
            settings[self.device_option] = str(device_index)
        else:
            check_only_device(device_index, self.name)
        options = session_options(threads_per_lane)
        self._adjust(options)
        try:
            native = onnxruntime.InferenceSession(
                bytes(graph),
                options,
                providers=[(self.provider, settings), "CPUExecutionProvider"],
            )
        except Exception as error:
            raise ProgramIncompatibleError(
                f"onnxruntime {onnxruntime.__version__} cannot load the model with "
                f"{self.provider}: {first_sentence(error)}; use another plugin for it",
                plugin=self.key,
            ) from error
        if self.provider not in native.get_providers():
            raise PluginUnavailableError(
                f"onnxruntime {onnxruntime.__version__} could not start {self.provider} and fell "
                f"back to the processor; {self.remedy}",
                plugin=self.key,
            )
        return OnnxRuntimeSession(native, self.key)

    def _adjust(self, options: Any) -> None:  # noqa: ANN401 - onnxruntime has no types
        """Change the session's options where a provider needs that."""

    def _devices(self) -> tuple[Device, ...]:
        return (Device(0, "gpu", self.name),)


class _NvidiaPlugin(_ProviderPlugin):
    """A provider whose devices NVIDIA's own tool knows."""

    device_option = "device_id"

    def __init__(self) -> None:
        self._sensors = NvidiaSensors()

    def telemetry(self, device_index: int = 0) -> DeviceTelemetry:
        """Ask NVIDIA's own tool; an answer counts for a second."""
        return self._sensors.read(device_index)

    def _devices(self) -> tuple[Device, ...]:
        return nvidia_devices()


class CudaPlugin(_NvidiaPlugin):
    """NVIDIA processors through CUDA; the rounding of TF32 is switched off."""

    key = "onnxruntime-cuda"
    plugin_id = "5d2c5f0e-40f1-5a0b-8c2f-0d3e6f5b1a01"
    name = "onnxruntime (CUDA)"
    provider = "CUDAExecutionProvider"
    remedy = CUDA
    options: ClassVar[dict[str, str]] = {"use_tf32": "0"}


class TensorRtPlugin(_NvidiaPlugin):
    """NVIDIA processors through TensorRT, which rounds to TF32 where the device can."""

    key = "onnxruntime-tensorrt"
    plugin_id = "5d2c5f0e-40f1-5a0b-8c2f-0d3e6f5b1a02"
    name = "onnxruntime (TensorRT)"
    precision = "tf32"
    provider = "TensorrtExecutionProvider"
    remedy = TENSORRT


class DirectMlPlugin(_ProviderPlugin):
    """Graphics processors of Windows through DirectML."""

    key = "onnxruntime-directml"
    plugin_id = "5d2c5f0e-40f1-5a0b-8c2f-0d3e6f5b1a03"
    name = "onnxruntime (DirectML)"
    provider = "DmlExecutionProvider"
    remedy = DIRECTML
    device_option = "device_id"

    def _adjust(self, options: Any) -> None:  # noqa: ANN401 - onnxruntime has no types
        options.enable_mem_pattern = False  # the provider's documentation demands it


class CoreMlPlugin(_ProviderPlugin):
    """Apple's processors through CoreML, which computes in float16 on the neural engine."""

    key = "onnxruntime-coreml"
    plugin_id = "5d2c5f0e-40f1-5a0b-8c2f-0d3e6f5b1a04"
    name = "onnxruntime (CoreML)"
    precision = "float16"
    provider = "CoreMLExecutionProvider"
    remedy = "use onnxruntime on macOS"
