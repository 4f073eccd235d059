"""Questions about processing plugins, and switching them on and off."""

import uuid
from typing import Any

import numpy as np
import pytest

from engine.handle import Handle, Model, ProcessingContext, _plugins
from engine.plugins.api import ProbeReport
from engine.plugins.probing import ProbeAnswer
from engine.plugins.registry import PluginRegistry


class Probes:
    """Answers probes at once: only the plugins in `working` work here."""

    def __init__(self) -> None:
        self.working = {"onnxruntime-cpu", "onnx-reference"}
        self.asked: list[str] = []

    def answer(self, keys: Any, *, timeout_s: float) -> Any:
        for key in keys:
            self.asked.append(key)
            works = key in self.working
            yield key, ProbeAnswer(ProbeReport(works, "" if works else "no such instruction"))


@pytest.fixture
def probes(monkeypatch: pytest.MonkeyPatch) -> Probes:
    control = Probes()
    monkeypatch.setattr("engine.plugins.registry.probe_in_children", control.answer)
    return control


def test_the_count_is_that_of_the_plugins_that_were_found(handle: Handle) -> None:
    assert handle.processingPluginCount() == len(PluginRegistry().keys)
    assert type(handle.processingPluginCount()) is int


def test_an_id_is_a_uuid_as_text(handle: Handle, probes: Probes) -> None:
    ids = [handle.processingPluginId(i) for i in range(handle.processingPluginCount())]
    assert [str(uuid.UUID(one)) for one in ids] == ids
    assert len(set(ids)) == len(ids)


def test_the_index_stays_the_same(handle: Handle, probes: Probes) -> None:
    count = handle.processingPluginCount()
    ids = [handle.processingPluginId(i) for i in range(count)]
    handle.processingPluginSetEnabled(0, False)
    assert [handle.processingPluginId(i) for i in range(count)] == ids
    assert handle.processingPluginCount() == count


def test_a_plugin_is_found_by_its_id(handle: Handle, probes: Probes) -> None:
    for index in range(handle.processingPluginCount()):
        assert handle.processingPluginIndexById(handle.processingPluginId(index)) == index


@pytest.mark.parametrize("spell", [str.upper, "{{{}}}".format, "urn:uuid:{}".format])
def test_an_id_may_be_written_in_any_way_that_parses_as_a_uuid(handle: Handle, spell: Any) -> None:
    assert handle.processingPluginIndexById(spell(handle.processingPluginId(1))) == 1


def test_an_id_that_no_plugin_has_raises_an_error(handle: Handle) -> None:
    with pytest.raises(RuntimeError, match="known are") as caught:
        handle.processingPluginIndexById(str(uuid.uuid4()))
    assert isinstance(caught.value, LookupError)


@pytest.mark.parametrize("text", ["", "garbage", "1234"])
def test_an_id_that_does_not_parse_raises_an_error(handle: Handle, text: str) -> None:
    with pytest.raises(RuntimeError, match="no UUID"):
        handle.processingPluginIndexById(text)


def test_an_id_that_is_no_text_raises_an_error(handle: Handle) -> None:
    with pytest.raises(RuntimeError, match="is a text"):
        handle.processingPluginIndexById(5)  # type: ignore[arg-type]  # on purpose


QUESTIONS = (
    "processingPluginId",
    "processingPluginName",
    "processingPluginIsAvailable",
    "processingPluginIsEnabled",
)


@pytest.mark.parametrize("question", QUESTIONS)
@pytest.mark.parametrize("index", [-1, 99, 10**30])
def test_an_index_must_be_between_0_and_one_less_than_the_count(
    handle: Handle, question: str, index: int
) -> None:
    with pytest.raises(IndexError, match="index is 0 to") as caught:
        getattr(handle, question)(index)
    assert isinstance(caught.value, RuntimeError)


@pytest.mark.parametrize("question", QUESTIONS)
@pytest.mark.parametrize("index", ["0", 0.0, None, True])
def test_an_index_must_be_a_whole_number(handle: Handle, question: str, index: Any) -> None:
    with pytest.raises(RuntimeError, match="whole number"):
        getattr(handle, question)(index)


def test_a_name_is_for_people(handle: Handle) -> None:
    names = [handle.processingPluginName(i) for i in range(handle.processingPluginCount())]
    assert names[0] == "onnxruntime (CPU)"
    assert all(isinstance(name, str) and name for name in names)


@pytest.mark.slow
def test_whether_a_plugin_is_available_is_found_out_on_this_system(handle: Handle) -> None:
    assert handle.processingPluginIsAvailable(0) is True


def test_a_plugin_that_cannot_work_here_is_not_available(handle: Handle, probes: Probes) -> None:
    probes.working = {"onnxruntime-cpu"}
    last = handle.processingPluginCount() - 1
    for _ in range(3):
        assert handle.processingPluginIsAvailable(0) is True
        assert handle.processingPluginIsAvailable(last) is False
    assert len(probes.asked) == len(set(probes.asked))  # probed once, not once per question


def test_all_plugins_are_enabled_by_default(handle: Handle) -> None:
    enabled = [handle.processingPluginIsEnabled(i) for i in range(handle.processingPluginCount())]
    assert enabled == [True] * len(enabled)


def test_being_enabled_does_not_depend_on_being_available(handle: Handle, probes: Probes) -> None:
    probes.working = {"onnxruntime-cpu"}
    last = handle.processingPluginCount() - 1
    assert not handle.processingPluginIsAvailable(last)
    assert handle.processingPluginIsEnabled(last) is True


def test_a_plugin_is_only_disabled_when_the_user_does_it(handle: Handle) -> None:
    handle.processingPluginSetEnabled(1, False)
    assert handle.processingPluginIsEnabled(1) is False
    assert handle.processingPluginIsEnabled(0) is True
    handle.processingPluginSetEnabled(1, True)
    assert handle.processingPluginIsEnabled(1) is True


def test_enabling_an_unavailable_plugin_has_no_effect(
    handle: Handle, probes: Probes, programs: Any
) -> None:
    probes.working = {"onnxruntime-cpu"}
    last = handle.processingPluginCount() - 1
    assert not handle.processingPluginIsAvailable(last)
    handle.processingPluginSetEnabled(last, True)
    handle.processingPluginSetEnabled(0, False)
    with pytest.raises(RuntimeError, match="does not work on this machine"):
        ProcessingContext(Model(handle, programs.double()))


@pytest.mark.parametrize("enabled", [1, 0, "yes", None])
def test_enabled_is_true_or_false(handle: Handle, enabled: Any) -> None:
    with pytest.raises(RuntimeError, match="True or False"):
        handle.processingPluginSetEnabled(0, enabled)


def test_switching_affects_newly_created_contexts_only(
    handle: Handle, probes: Probes, programs: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    chosen: list[str] = []
    choose = _plugins.PluginTable.choose

    def spy(table: _plugins.PluginTable) -> Any:
        plugin = choose(table)
        chosen.append(plugin.key)
        return plugin

    monkeypatch.setattr(_plugins.PluginTable, "choose", spy)
    model = Model(handle, programs.double())
    old = ProcessingContext(model)
    handle.processingPluginSetEnabled(0, False)
    new = ProcessingContext(model)
    assert chosen == ["onnxruntime-cpu", "onnx-reference"]
    for context in (old, new):  # the old one still works
        context.setSourceData(np.full((1, 4), 3, np.float32))
        context.processNext()
        np.testing.assert_array_equal(context.outputSinkData(0), np.full((1, 4), 6))


def test_results_do_not_depend_on_the_plugin(handle: Handle, probes: Probes, programs: Any) -> None:
    random = np.random.default_rng(1)
    model = Model(handle, programs.classes((1, 5, 7), random.normal(size=(7, 3))))
    spectra = random.normal(size=(1, 5, 7)).astype(np.float32)
    results = []
    for is_on in (True, False):
        handle.processingPluginSetEnabled(0, is_on)
        context = ProcessingContext(model)
        context.setSourceData(spectra)
        context.processNext()
        results.append(context.outputSinkData(0))
    np.testing.assert_allclose(*results, rtol=1e-5, atol=1e-6)


def test_without_any_plugin_no_context_can_be_made(handle: Handle, programs: Any) -> None:
    model = Model(handle, programs.double())
    for index in range(handle.processingPluginCount()):
        handle.processingPluginSetEnabled(index, False)
    with pytest.raises(RuntimeError, match="processingPluginSetEnabled"):
        ProcessingContext(model)


def test_a_new_handle_has_all_plugins_enabled_again(license_data: bytes) -> None:
    with Handle(license_data) as handle:
        handle.processingPluginSetEnabled(0, False)
    with Handle(license_data) as handle:
        assert handle.processingPluginIsEnabled(0) is True
