"""Providers of onnxruntime for graphics processors: a reason where they are not there."""

import os
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
import pytest

from engine.errors import DeviceNotFoundError, PluginUnavailableError, ProgramIncompatibleError
from engine.plugins import Device, DeviceTelemetry, HasTelemetry, ProcessingPlugin
from engine.plugins.onnxruntime_cpu import TINY_MODEL
from engine.plugins.onnxruntime_gpu import (
    CoreMlPlugin,
    CudaPlugin,
    DirectMlPlugin,
    TensorRtPlugin,
)

PLUGINS = [CudaPlugin, TensorRtPlugin, DirectMlPlugin, CoreMlPlugin]


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """Let onnxruntime have every provider, and note with what sessions are made."""
    calls: list[Any] = []
    real = onnxruntime.InferenceSession

    def make(graph: bytes, options: Any, providers: list[Any]) -> Any:
        calls.append(providers)
        session = real(graph, options, providers=["CPUExecutionProvider"])
        names = [one if isinstance(one, str) else one[0] for one in providers]
        monkeypatch.setattr(type(session), "get_providers", lambda self: names)
        return session

    monkeypatch.setattr(onnxruntime, "InferenceSession", make)
    monkeypatch.setattr(
        onnxruntime, "get_available_providers", lambda: [kind.provider for kind in PLUGINS]
    )
    return calls


@pytest.mark.parametrize("kind", PLUGINS)
def test_a_provider_that_onnxruntime_was_built_without_is_a_reason(kind: Any) -> None:
    plugin = kind()
    assert isinstance(plugin, ProcessingPlugin)
    if kind.provider in onnxruntime.get_available_providers():
        pytest.skip("this onnxruntime has the provider")
    report = plugin.probe()
    assert not report.is_available
    assert f"has no {kind.provider}; {kind.remedy}" in report.reason


@pytest.mark.parametrize("kind", PLUGINS)
def test_a_provider_is_asked_for_first_and_the_processor_takes_the_rest(
    kind: Any, asked: list[Any]
) -> None:
    report = kind().probe()
    assert report.is_available
    assert report.devices[0].kind == "gpu"
    settings = dict(kind.options) | ({kind.device_option: "0"} if kind.device_option else {})
    assert asked == [[(kind.provider, settings), "CPUExecutionProvider"]]


@pytest.mark.parametrize("kind", [CudaPlugin, TensorRtPlugin, DirectMlPlugin])
def test_a_program_is_loaded_on_the_device_that_was_chosen(kind: Any, asked: list[Any]) -> None:
    kind().load(TINY_MODEL, device_index=3)
    assert asked[0][0][1]["device_id"] == "3"


def test_a_provider_of_one_device_refuses_another(asked: list[Any]) -> None:
    with pytest.raises(DeviceNotFoundError, match="has one device, number 0"):
        CoreMlPlugin().load(TINY_MODEL, device_index=1)
    assert asked == []


TOLD = """
case "$1" in
*name*) echo "NVIDIA A, 40960"; echo "NVIDIA B, [N/A]";;
*) echo "37, 51, 120.5"; echo "[N/A], 44, [Not Supported]";;
esac
"""


@pytest.fixture
def tool(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Stand in for NVIDIA's own tool with one that tells of two devices."""
    path = tmp_path / "nvidia-smi"
    path.write_text("#!/bin/sh" + TOLD)
    path.chmod(0o700)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=os.pathsep)
    return path


def test_devices_are_those_that_the_vendor_s_tool_names(tool: Path, asked: list[Any]) -> None:
    assert CudaPlugin().probe().devices == (
        Device(0, "gpu", "NVIDIA A", 40960 * 2**20),
        Device(1, "gpu", "NVIDIA B"),
    )


def test_telemetry_is_what_the_vendor_s_tool_measures(tool: Path) -> None:
    plugin = CudaPlugin()
    assert isinstance(plugin, HasTelemetry)
    assert plugin.telemetry(0) == DeviceTelemetry(0.37, 51.0, 120.5)
    assert plugin.telemetry(1) == DeviceTelemetry(None, 44.0, None)
    assert plugin.telemetry(2) == DeviceTelemetry()


def test_telemetry_of_a_tool_that_fails_is_nothing(tool: Path) -> None:
    tool.write_text("#!/bin/sh\necho broken; exit 9\n")
    assert CudaPlugin().telemetry() == DeviceTelemetry()


def test_cuda_does_not_round_behind_the_users_back(asked: list[Any]) -> None:
    session = CudaPlugin().load(TINY_MODEL)
    assert asked[0][0][1]["use_tf32"] == "0"
    assert session.run([np.ones((1, 4), np.float32)])[0][0, 0] == 2.0


def test_onnxruntime_that_falls_back_to_the_processor_is_not_taken_for_the_device(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    real = onnxruntime.InferenceSession
    monkeypatch.setattr(
        onnxruntime,
        "InferenceSession",
        lambda graph, options, providers: real(graph, options, providers=["CPUExecutionProvider"]),
    )
    monkeypatch.setattr(onnxruntime, "get_available_providers", lambda: ["CUDAExecutionProvider"])
    report = CudaPlugin().probe()
    assert not report.is_available
    assert "could not start CUDAExecutionProvider and fell back to the processor" in report.reason
    with pytest.raises(PluginUnavailableError):
        CudaPlugin().load(TINY_MODEL)


def test_a_graph_that_is_refused_is_named_with_the_provider(asked: list[Any]) -> None:
    with pytest.raises(ProgramIncompatibleError, match="with CUDAExecutionProvider"):
        CudaPlugin().load(b"no model")
