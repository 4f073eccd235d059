"""The list of devices: which plugins it asks, what it remembers, and how a device is taken."""

import threading
from importlib.metadata import EntryPoint
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from engine.errors import DeviceNotFoundError, PluginNotFoundError, PluginUnavailableError
from engine.plugins import (
    ChosenDevice,
    Device,
    DeviceTelemetry,
    PluginRegistry,
    ProbeReport,
    ProcessingPlugin,
    discovery,
    find_devices,
    list_devices,
    load_on,
    probe_memory,
)
from engine.plugins.device_list import ENVIRONMENT, choice_of_user, find_named
from engine.plugins.onnxruntime_cpu import TINY_MODEL, OnnxRuntimeCpuPlugin
from engine.plugins.probe_children import TIMED_OUT
from engine.plugins.probing import ProbeAnswer
from engine.plugins.simulator import SimulatorPlugin, SimulatorSettings, SteppedClock

FRAME = np.full((1, 4), 3.0, np.float32)


class Probes:
    """Answers for plugins in place of their probes, and notes who was asked."""

    def __init__(self) -> None:
        self.asked: list[str] = []
        self.found = {
            "openvino-cpu": (Device(0, "cpu", "A processor", 1 << 30),),
            "simulator": (Device(0, "simulated", "one"), Device(1, "simulated", "two")),
        }
        self.reason = "not here"

    def answer(self, keys: Any, *, timeout_s: float) -> Any:
        for key in keys:
            self.asked.append(key)
            devices = self.found.get(key, ())
            report = ProbeReport(bool(devices), "" if devices else self.reason, devices=devices)
            yield key, ProbeAnswer(report)


@pytest.fixture
def probes(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Probes:
    control = Probes()
    tmp_path.chmod(0o700)
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path))  # nothing is remembered there
    monkeypatch.delenv(ENVIRONMENT, raising=False)
    monkeypatch.setattr("engine.plugins.registry.probe_in_children", control.answer)
    return control


def keys(registry: PluginRegistry, **options: Any) -> list[str]:
    listed = list_devices(registry, choice_of_user(), **options)
    assert [device.id for device in listed] == list(range(len(listed)))
    return [f"{device.plugin}:{device.index}" for device in listed]


ALL = ["onnxruntime-cpu:0", "openvino-cpu:0", "simulator:0", "simulator:1", "onnx-reference:0"]


@pytest.mark.usefixtures("probes")
def test_every_device_of_every_plugin_that_works_is_listed_once() -> None:
    assert keys(PluginRegistry()) == ALL
    device = list_devices(PluginRegistry())[1]
    assert (device.kind, device.name, device.memory_bytes) == ("cpu", "A processor", 1 << 30)


@pytest.mark.usefixtures("probes")
def test_a_plugin_that_is_switched_off_contributes_nothing() -> None:
    registry = PluginRegistry(disabled=["openvino-cpu", "onnxruntime-cpu"])
    assert keys(registry) == ["simulator:0", "simulator:1", "onnx-reference:0"]


def test_what_works_everywhere_is_not_probed(probes: Probes) -> None:
    keys(PluginRegistry())
    assert "openvino-cpu" in probes.asked
    assert not {"onnxruntime-cpu", "onnx-reference"} & set(probes.asked)


def test_another_process_does_not_probe_again_what_one_has_found(probes: Probes) -> None:
    first = keys(PluginRegistry())
    probes.asked.clear()
    assert keys(PluginRegistry()) == first
    assert probes.asked == []


def test_a_fresh_list_is_probed_again_and_remembered(probes: Probes) -> None:
    keys(PluginRegistry())
    del probes.found["openvino-cpu"]
    assert "openvino-cpu:0" not in keys(PluginRegistry(), is_fresh=True)
    probes.asked.clear()
    assert "openvino-cpu:0" not in keys(PluginRegistry())
    assert probes.asked == []


def test_what_was_found_is_forgotten_after_a_day_and_a_refusal_after_minutes(
    probes: Probes, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = probe_memory.time.time()
    keys(PluginRegistry())
    for later_s, wanted in ((299, False), (400, False), (25 * 3600, True)):
        probes.asked.clear()
        with monkeypatch.context() as later:
            later.setattr(probe_memory.time, "time", lambda s=later_s: now + s)
            keys(PluginRegistry())
        assert ("openvino-cpu" in probes.asked) == wanted
        assert ("mx3" in probes.asked) == (later_s > 300)


@pytest.mark.parametrize("variable", ["PENSTOCK_SIMULATOR", "CUDA_VISIBLE_DEVICES", "PYTHONPATH"])
def test_nothing_is_remembered_when_what_plugins_look_at_has_changed(
    probes: Probes, monkeypatch: pytest.MonkeyPatch, variable: str
) -> None:
    keys(PluginRegistry())
    probes.asked.clear()
    monkeypatch.setenv(variable, "/somewhere/else")
    keys(PluginRegistry())
    assert "openvino-cpu" in probes.asked


def test_a_memory_that_is_damaged_is_none(probes: Probes, tmp_path: Path) -> None:
    keys(PluginRegistry())
    (file,) = (tmp_path / "penstock").glob("plugins-*.json")
    assert file.stat().st_mode & 0o077 == 0
    file.write_bytes(b"{]")
    assert keys(PluginRegistry()) == ALL


def test_a_plugin_of_ours_that_was_too_slow_to_answer_is_asked_again_by_the_next(
    probes: Probes,
) -> None:
    found = probes.found.pop("openvino-cpu")
    probes.reason = f"{TIMED_OUT} 10 s"
    assert "openvino-cpu:0" not in keys(PluginRegistry())
    probes.found["openvino-cpu"] = found
    assert keys(PluginRegistry()) == ALL


def test_a_plugin_of_others_that_hangs_is_not_waited_for_again_by_each_process(
    probes: Probes, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = discovery.entry_points
    point = EntryPoint("hanging", "hanging:Plugin", discovery.GROUP)
    monkeypatch.setattr(discovery, "entry_points", lambda group: [*real(group=group), point])
    probes.reason = f"{TIMED_OUT} 10 s"
    for _ in range(2):
        assert find_devices(PluginRegistry(), [0])[0].key == "onnxruntime-cpu"
    assert probes.asked.count("hanging") == 1


def test_without_a_private_folder_it_goes_without_a_memory(probes: Probes, tmp_path: Path) -> None:
    (tmp_path / "penstock").mkdir(mode=0o755)
    (tmp_path / "penstock").chmod(0o755)
    assert keys(PluginRegistry()) == keys(PluginRegistry()) == ALL


def test_processes_that_remember_at_once_leave_a_whole_file(probes: Probes) -> None:
    threads = [
        threading.Thread(target=lambda: list_devices(PluginRegistry(), is_fresh=True))
        for _ in range(8)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    probes.asked.clear()
    assert keys(PluginRegistry()) == ALL
    assert probes.asked == []


def test_the_user_s_choice_is_the_list(probes: Probes, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(ENVIRONMENT, "simulator:1,onnxruntime-cpu")
    assert keys(PluginRegistry()) == ["simulator:1", "onnxruntime-cpu:0"]
    assert probes.asked == ["simulator"]
    monkeypatch.setenv(ENVIRONMENT, "simulator:1,*")
    assert keys(PluginRegistry()) == ["simulator:1", *(one for one in ALL if one != "simulator:1")]


@pytest.mark.usefixtures("probes")
def test_a_choice_that_cannot_be_had_says_why(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(ENVIRONMENT, "onnxruntime-cuda,*")
    with pytest.raises(PluginUnavailableError, match="'onnxruntime-cuda' does not work"):
        keys(PluginRegistry())
    monkeypatch.setenv(ENVIRONMENT, "nothing")
    with pytest.raises(PluginNotFoundError, match="no plugin 'nothing'; installed are onnx"):
        keys(PluginRegistry())
    monkeypatch.setenv(ENVIRONMENT, "simulator:2")
    with pytest.raises(DeviceNotFoundError, match=r"no device simulator:2.*1 \(simulator:1\)"):
        keys(PluginRegistry())
    monkeypatch.setenv(ENVIRONMENT, "openvino-cpu")
    with pytest.raises(PluginUnavailableError, match="switched off"):
        keys(PluginRegistry(disabled=["openvino-cpu"]))


def test_the_first_device_is_found_without_probing_what_cannot_come_before_it(
    probes: Probes,
) -> None:
    (device,) = find_devices(PluginRegistry(), [0])
    assert (device.key, device.index) == ("onnxruntime-cpu", 0)
    assert not {"openvino-cpu", "simulator", "mx3"} & set(probes.asked)


def test_numbers_count_over_the_list(probes: Probes) -> None:
    found = find_devices(PluginRegistry(), [3, 0])
    assert [(one.key, one.index) for one in found] == [("simulator", 1), ("onnxruntime-cpu", 0)]


@pytest.mark.usefixtures("probes")
def test_a_number_that_is_not_there_is_told_with_all_that_are() -> None:
    with pytest.raises(DeviceNotFoundError, match=r"no device 9; there are 0 \(onnx.*3 \(simul"):
        find_devices(PluginRegistry(), [0, 9])


@pytest.mark.usefixtures("probes")
def test_a_device_is_named_by_its_plugin_and_number() -> None:
    registry = PluginRegistry()
    assert find_named(registry, "simulator").index == 0
    assert find_named(registry, "simulator:1").index == 1
    with pytest.raises(PluginNotFoundError):
        find_named(registry, "nothing:1")


def test_a_chosen_device_is_a_plugin_that_has_no_other() -> None:
    plugin = SimulatorPlugin(
        [SimulatorSettings(depth=1, rate_hz=10), SimulatorSettings(depth=1, rate_hz=1000)],
        SteppedClock(),
    )
    device = ChosenDevice(plugin, 1)
    assert isinstance(device, ProcessingPlugin)
    assert device.load(TINY_MODEL).run([FRAME])[0][0, 0] == 6
    assert [one.state.frames for one in plugin.devices] == [0, 1]
    assert device.telemetry().temperature_c is not None
    with pytest.raises(DeviceNotFoundError):
        device.load(TINY_MODEL, device_index=1)


class WithoutDevices:
    """A plugin as others have written them: it knows of no `device_index`."""

    key = "old"
    plugin_id = "c0ffee00-0000-4000-8000-000000000009"
    name = "An old one"
    precision = "float32"

    def probe(self) -> ProbeReport:
        return ProbeReport(True)

    def load(self, graph: bytes, *, threads_per_lane: int = 1) -> Any:
        return OnnxRuntimeCpuPlugin().load(graph, threads_per_lane=threads_per_lane)


def test_a_plugin_without_a_choice_of_devices_is_used_on_its_first() -> None:
    plugin: Any = WithoutDevices()
    for threads in (1, 2):
        session = load_on(plugin, TINY_MODEL, threads_per_lane=threads)
        assert session.run([FRAME])[0][0, 0] == 6
    with pytest.raises(DeviceNotFoundError, match="An old one loads programs on its first device"):
        load_on(plugin, TINY_MODEL, 1)
    assert ChosenDevice(plugin).telemetry() == DeviceTelemetry()
    assert ChosenDevice(plugin).lanes == 0


def test_a_type_error_of_a_plugin_s_own_is_not_taken_for_an_old_plugin() -> None:
    class Broken(WithoutDevices):
        def load(self, graph: bytes, **options: Any) -> Any:
            raise TypeError("something else")

    with pytest.raises(TypeError, match="something else"):
        load_on(Broken(), TINY_MODEL, 1)
