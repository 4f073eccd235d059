import uuid
from typing import Any

import pytest

from engine.errors import PluginNotFoundError, PluginUnavailableError
from engine.plugins import PluginRegistry, discovery
from engine.plugins.discovery import find_plugins, import_plugin
from engine.protocol import PluginAvailability


def test_built_in_plugins_come_in_order_of_preference() -> None:
    keys = PluginRegistry().keys
    assert keys[0] == "onnxruntime-cpu"
    assert keys[-1] == "onnx-reference"


def test_built_in_plugins_are_found_without_distribution_metadata(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(discovery, "entry_points", lambda group: ())
    registry = PluginRegistry()
    assert registry.keys == ("onnxruntime-cpu", "onnx-reference")
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
    assert [state.is_enabled for state in states] == [True, False]


def test_the_preferred_plugin_is_chosen_and_built_once() -> None:
    registry = PluginRegistry()
    assert registry.choose("onnx-reference").key == "onnx-reference"
    assert registry.choose("onnx-reference") is registry.choose("onnx-reference")


def test_a_plugin_that_is_switched_off_is_passed_over_and_refused_by_name() -> None:
    registry = PluginRegistry()
    registry.set_enabled("onnxruntime-cpu", False)
    assert registry.choose().key == "onnx-reference"
    with pytest.raises(PluginUnavailableError, match="switched off"):
        registry.choose("onnxruntime-cpu")
    registry.set_enabled("onnxruntime-cpu", True)
    assert registry.choose().key == "onnxruntime-cpu"


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
