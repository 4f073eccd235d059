"""The verb ``penstock plugins`` and its comparison, with probes that are answered at once."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from onnx import TensorProto, helper

from app.main import main
from app.plugin_comparison import compare_plugins, random_frames
from engine.dfp import Dfp, ModelEntry, pack_dfp
from engine.errors import DeviceError
from engine.plugins import PluginRegistry
from engine.plugins.api import ProbeReport
from engine.plugins.onnxruntime_cpu import OnnxRuntimeCpuPlugin, OnnxRuntimeSession
from engine.plugins.probing import ProbeAnswer
from engine.protocol import TensorInfo

WORKING = ("onnxruntime-cpu", "onnx-reference")


@pytest.fixture(autouse=True)
def probes(monkeypatch: pytest.MonkeyPatch) -> None:
    def answer(keys: Any, *, timeout_s: float) -> Any:
        for key in keys:
            works = key in WORKING
            yield key, ProbeAnswer(ProbeReport(works, "" if works else "it is not installed"))

    monkeypatch.setattr("engine.plugins.registry.probe_in_children", answer)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """A program: y = x + x, with a free batch."""
    values = [helper.make_tensor_value_info(n, TensorProto.FLOAT, ["n", 4]) for n in "xy"]
    graph = helper.make_graph([helper.make_node("Add", ["x", "x"], ["y"])], "g", *zip(values))
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    entry = ModelEntry(
        name="double",
        main="main.onnx",
        inputs=(TensorInfo("x", (0, 4), "float32"),),
        outputs=(TensorInfo("y", (0, 4), "float32"),),
    )
    path = tmp_path / "double.dfp"
    graphs = {"main.onnx": model.SerializeToString()}
    path.write_bytes(pack_dfp(name="double", models=[entry], graphs=graphs))
    return path


def test_the_list_needs_no_further_word(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["plugins", "--json"]) == 0
    states = json.loads(capsys.readouterr().out)
    assert [state["key"] for state in states] == list(PluginRegistry().keys)


def test_the_list_says_why_a_plugin_is_not_available(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["plugins"]) == 0
    told = capsys.readouterr().out
    assert "onnxruntime-cpu" in told
    assert ("it is not installed" in told) == (len(PluginRegistry().keys) > len(WORKING))


def test_the_comparison_measures_every_available_plugin(
    file: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["plugins", "compare", str(file), "--json", "--seconds", "0", "--size", "3"]) == 0
    found = json.loads(capsys.readouterr().out)
    plugins = {plugin["key"]: plugin for plugin in found["plugins"]}
    for key in WORKING:
        assert plugins[key]["problem"] == ""
        assert plugins[key]["max_difference"] == 0
        assert plugins[key]["frames_per_s"] > 0
        assert plugins[key]["latency_ms_p95"] >= plugins[key]["latency_ms_p50"] > 0
    others = plugins.keys() - set(WORKING)
    assert {plugins[key]["problem"] for key in others} <= {"it is not installed"}
    assert (found["model"], found["frames"]) == ("double", 3)
    assert 1 < found["max_magnitude"] <= 2


def test_the_comparison_is_a_table_too(file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["plugins", "compare", str(file), "--seconds", "0"]) == 0
    told = capsys.readouterr().out
    assert "double: 3 random frames" in told
    assert "largest difference" in told


def test_a_model_that_is_not_there_is_one_line(
    file: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["plugins", "compare", str(file), "--model", "1"]) != 0
    assert "models 0 to 0, not 1" in capsys.readouterr().err


def test_a_program_that_is_not_there_is_one_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["plugins", "compare", str(tmp_path / "no.dfp")]) == 4
    assert "no.dfp" in capsys.readouterr().err


class _Wrong:
    """A session that is off by a known amount, or broken."""

    def __init__(self, session: Any, error: float) -> None:
        self.inputs, self.outputs = session.inputs, session.outputs
        self._session, self._error = session, error

    def run(self, inputs: Sequence[np.ndarray]) -> list[np.ndarray]:
        outputs = [output.copy() for output in self._session.run(inputs)]
        outputs[0][0, 0] += self._error
        return outputs

    def close(self) -> None:
        self._session.close()


def compare(file: Path) -> dict[str, Any]:
    dfp = Dfp(file)
    registry = PluginRegistry()
    registry.probe_all()
    frames = random_frames(dfp.models[0].inputs, count=2, free_size=2)
    found = compare_plugins(dfp, registry, model_idx=0, frames=frames, seconds=0)
    return {plugin.key: plugin for plugin in found.plugins}


def test_a_difference_is_the_largest_of_all_frames(
    file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    load = OnnxRuntimeCpuPlugin.load
    monkeypatch.setattr(
        OnnxRuntimeCpuPlugin, "load", lambda plugin, graph: _Wrong(load(plugin, graph), 0.25)
    )
    found = compare(file)
    assert found["onnxruntime-cpu"].max_difference == pytest.approx(0.25, abs=1e-6)
    assert found["onnx-reference"].max_difference == 0


def test_a_plugin_that_fails_hides_no_other(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(session: OnnxRuntimeSession, inputs: Any) -> Any:
        raise DeviceError("the device is on fire")

    monkeypatch.setattr(OnnxRuntimeSession, "run", fail)
    found = compare(file)
    assert found["onnxruntime-cpu"].problem == "the device is on fire"
    assert found["onnx-reference"].problem == ""


def test_frames_are_the_same_every_time() -> None:
    inputs = [
        TensorInfo("a", (1, 0, 3), "float16"),
        TensorInfo("b", (2,), "uint8"),
        TensorInfo("c", (5,), "bool"),
        TensorInfo("d", (), "int64"),
    ]
    first, second = (random_frames(inputs, count=2, free_size=4) for _ in range(2))
    for one, other in zip(first, second, strict=True):
        for array, twin, info in zip(one, other, inputs, strict=True):
            np.testing.assert_array_equal(array, twin)
            assert array.dtype == info.dtype
    assert [array.shape for array in first[0]] == [(1, 4, 3), (2,), (5,), ()]
    assert not np.array_equal(first[0][0], first[1][0])
