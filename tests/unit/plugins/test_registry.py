import tomllib
import uuid
from pathlib import Path
from typing import Any

import pytest

from engine.errors import PluginNotFoundError, PluginUnavailableError
from engine.plugins import PluginRegistry, ProbeReport, discovery, probe_children
from engine.plugins.discovery import find_plugins, import_plugin
from engine.plugins.probing import ProbeAnswer
from engine.protocol import PluginAvailability

ROOT = Path(__file__).resolve().parents[3]
BUILT_IN = (
    "onnxruntime-cpu",
    "mx3",
    "onnxruntime-coreml",
    "onnxruntime-cuda",
    "onnxruntime-directml",
    "onnxruntime-tensorrt",
    "openvino-cpu",
    "openvino-cpu-bf16",
    "simulator",
    "onnx-reference",
)


@pytest.fixture
def probed(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Let every probe come back badly, and note which plugins were probed."""
    asked: list[str] = []

    def probe(keys: Any, *, timeout_s: float) -> Any:
        for key in keys:
            asked.append(key)
            yield key, ProbeAnswer(ProbeReport(False, "not here"))

    monkeypatch.setattr("engine.plugins.registry.probe_in_children", probe)
    return asked


def test_built_in_plugins_come_in_order_of_preference() -> None:
    keys = PluginRegistry().keys
    assert keys[0] == "onnxruntime-cpu"
    assert keys[-1] == "onnx-reference"


def test_built_in_plugins_are_found_without_distribution_metadata(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(discovery, "entry_points", lambda group: ())
    registry = PluginRegistry()
    assert registry.keys == BUILT_IN
    assert registry.choose().key == "onnxruntime-cpu"


def test_what_is_known_before_the_probe_is_what_the_plugins_say() -> None:
    for place in find_plugins().values():
        plugin = import_plugin(place)
        assert (plugin.key, plugin.plugin_id, plugin.name) == (
            place.key,
            place.plugin_id,
            place.name,
        )
        uuid.UUID(plugin.plugin_id)


def test_a_registry_starts_with_unknown_states_and_imports_nothing() -> None:
    states = PluginRegistry(disabled=["onnx-reference", "not-installed"]).states()
    assert {state.availability for state in states} == {PluginAvailability.UNKNOWN}
    assert {state.key for state in states if not state.is_enabled} == {"onnx-reference"}


def test_the_preferred_plugin_is_chosen_and_built_once() -> None:
    registry = PluginRegistry()
    assert registry.choose("onnx-reference").key == "onnx-reference"
    assert registry.choose("onnx-reference") is registry.choose("onnx-reference")


@pytest.mark.usefixtures("probed")
def test_a_plugin_that_is_switched_off_is_passed_over_and_refused_by_name() -> None:
    registry = PluginRegistry()
    registry.set_enabled("onnxruntime-cpu", False)
    assert registry.choose().key == "onnx-reference"
    with pytest.raises(PluginUnavailableError, match="switched off"):
        registry.choose("onnxruntime-cpu")
    registry.set_enabled("onnxruntime-cpu", True)
    assert registry.choose().key == "onnxruntime-cpu"


@pytest.mark.usefixtures("probed")
def test_without_any_usable_plugin_the_reasons_are_named() -> None:
    registry = PluginRegistry(disabled=["onnxruntime-cpu", "onnx-reference"])
    with pytest.raises(PluginUnavailableError, match=r"'onnxruntime-cpu'.*'onnx-reference'"):
        registry.choose()


@pytest.mark.parametrize("call", ["choose", "set_enabled"])
def test_an_unknown_key_is_named_with_the_known_ones(call: Any) -> None:
    registry = PluginRegistry()
    arguments = ("nope",) if call == "choose" else ("nope", True)
    with pytest.raises(PluginNotFoundError, match="no plugin 'nope'; installed are onnxruntime"):
        getattr(registry, call)(*arguments)


def test_what_is_installed_and_what_is_named_in_the_source_are_the_same_plugins() -> None:
    declared = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    targets = {key: place.target for key, place in find_plugins().items() if place.is_built_in}
    assert declared["entry-points"]["penstock.plugins"] == targets


def test_what_simulates_or_computes_in_less_than_float32_is_never_chosen_by_itself(
    probed: list[str],
) -> None:
    registry = PluginRegistry(disabled=["onnxruntime-cpu", "onnx-reference"])
    with pytest.raises(PluginUnavailableError):
        registry.choose()
    assert not set(probed) & {"simulator", "mx3", "openvino-cpu-bf16", "onnxruntime-coreml"}
    assert "openvino-cpu" in probed


def test_a_plugin_that_may_not_work_here_is_probed_before_it_is_used(probed: list[str]) -> None:
    with pytest.raises(PluginUnavailableError, match=r"'openvino-cpu' does not work.*not here"):
        PluginRegistry().choose("openvino-cpu")
    assert probed == ["openvino-cpu"]


def test_the_simulator_is_used_when_it_is_named() -> None:
    assert PluginRegistry().choose("simulator").key == "simulator"


def test_a_plugin_that_plainly_lacks_something_is_refused_without_starting_a_process(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    started: list[str] = []
    real = probe_children._Child

    def start(key: str) -> Any:
        started.append(key)
        return real(key)

    monkeypatch.setattr(probe_children, "_Child", start)
    monkeypatch.setattr("engine.plugins.prerequisites.PathFinder.find_spec", lambda name: None)
    states = {state.key: state for state in PluginRegistry().probe_all()}
    assert states["openvino-cpu"].reason.endswith("pip install openvino")
    assert states["mx3"].availability is PluginAvailability.UNAVAILABLE
    assert set(started) == {"onnxruntime-cpu", "onnx-reference", "simulator"}
