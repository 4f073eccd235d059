"""Providers of onnxruntime for graphics processors: a reason where they are not there."""

from typing import Any

import numpy as np
import onnxruntime
import pytest

from engine.errors import PluginUnavailableError, ProgramIncompatibleError
from engine.plugins import ProcessingPlugin
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
    assert asked == [[(kind.provider, dict(kind.options)), "CPUExecutionProvider"]]


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
