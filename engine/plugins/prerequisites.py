"""What built-in plugins need, found out without importing anything.

Most machines have few of the backends. Where one is plainly missing, no process has to be started
to find that out.
"""

import sys
from collections.abc import Callable
from importlib.machinery import PathFinder
from pathlib import Path

__all__ = ("CUDA", "DIRECTML", "MEMRYX", "OPENVINO", "TENSORRT", "missing_prerequisite")

OPENVINO = "OpenVINO is not installed; install it with: pip install openvino"
MEMRYX = (
    "the MemryX runtime is not installed; it comes from the vendor, with the driver of the card"
)
CUDA = "install onnxruntime-gpu and its CUDA and cuDNN libraries, for an NVIDIA GPU"
TENSORRT = "install onnxruntime-gpu and its CUDA and TensorRT libraries, for an NVIDIA GPU"
DIRECTML = "install onnxruntime-directml on Windows, for a GPU with DirectX 12"


def missing_prerequisite(key: str) -> str:
    """Return why a built-in plugin certainly does not work here; empty when it may."""
    check = _CHECKS.get(key)
    return "" if check is None else check()


def _needs_module(module: str, sentence: str) -> Callable[[], str]:
    # Not importlib.util.find_spec: Penstock may serve a vendor's name in this process itself.
    return lambda: "" if PathFinder.find_spec(module) is not None else sentence


def _needs_library(part: str, provider: str, remedy: str) -> Callable[[], str]:
    def check() -> str:
        spec = PathFinder.find_spec("onnxruntime")
        if spec is None or spec.origin is None:
            return f"onnxruntime is not installed; {remedy}"
        names = (path.name.lower() for path in (Path(spec.origin).parent / "capi").glob("*"))
        if any(part in name for name in names):
            return ""
        return f"the installed onnxruntime has no {provider}; {remedy}"

    return check


def _needs_macos() -> str:
    return "" if sys.platform == "darwin" else "CoreML is a part of macOS; use another plugin here"


_CHECKS: dict[str, Callable[[], str]] = {
    "openvino-cpu": _needs_module("openvino", OPENVINO),
    "openvino-cpu-bf16": _needs_module("openvino", OPENVINO),
    "mx3": _needs_module("memryx", MEMRYX),
    "onnxruntime-cuda": _needs_library("providers_cuda", "CUDAExecutionProvider", CUDA),
    "onnxruntime-tensorrt": _needs_library(
        "providers_tensorrt", "TensorrtExecutionProvider", TENSORRT
    ),
    "onnxruntime-directml": _needs_library("directml", "DmlExecutionProvider", DIRECTML),
    "onnxruntime-coreml": _needs_macos,
}
