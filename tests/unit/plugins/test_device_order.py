"""In which order devices are numbered, and how a user names others."""

import itertools
from typing import Any

import pytest

from engine.errors import DeviceNotFoundError, InvalidArgumentError
from engine.plugins.device_order import (
    ListedDevice,
    PluginDevices,
    arrange,
    describe,
    parse_choice,
    select,
)
from engine.plugins.discovery import PluginPlace, find_plugins
from engine.protocol import PluginDevice

BUILT_IN = {key: place for key, place in find_plugins().items() if place.is_built_in}
PRECISIONS = {
    "openvino-cpu-bf16": "bfloat16",
    "onnxruntime-tensorrt": "tf32",
    "onnxruntime-coreml": "float16",
    "mx3": "bfloat16",
}


def of(key: str, *kinds: str, precision: str = "") -> PluginDevices:
    place = BUILT_IN.get(key) or PluginPlace(key, f"{key}:Plugin")
    kinds = kinds or (place.kind,)
    devices = tuple(PluginDevice(index, kind, f"{key} {index}") for index, kind in enumerate(kinds))
    return PluginDevices(place, precision or PRECISIONS.get(key, "float32"), devices)


def order(*found: PluginDevices) -> list[tuple[str, int]]:
    listed = arrange(found)
    assert [device.id for device in listed] == list(range(len(listed)))
    return [(device.plugin, device.index) for device in listed]


def test_all_built_in_plugins_have_one_order_whatever_order_they_are_found_in() -> None:
    wanted = [
        "onnxruntime-cuda",
        "onnxruntime-directml",
        "onnxruntime-tensorrt",
        "onnxruntime-cpu",
        "openvino-cpu",
        "onnxruntime-coreml",
        "openvino-cpu-bf16",
        "mx3",
        "simulator",
        "onnx-reference",
    ]
    assert [key for key, _ in order(*(of(key) for key in BUILT_IN))] == wanted


def test_what_has_an_accelerator_comes_before_processors() -> None:
    found = [of("chip", "accelerator"), of("card", "gpu"), of("unit", "npu"), of("x", "odd")]
    for some in itertools.permutations([*found, of("onnxruntime-cpu")]):
        assert [key for key, _ in order(*some)] == ["chip", "card", "unit", "x", "onnxruntime-cpu"]


def test_processors_in_full_precision_come_before_those_in_less() -> None:
    less = of("other", "cpu", precision="bfloat16")
    assert order(less, of("openvino-cpu")) == [("openvino-cpu", 0), ("other", 0)]


def test_of_equals_those_that_came_with_penstock_are_first() -> None:
    assert order(of("a", "cpu"), of("onnxruntime-cpu")) == [("onnxruntime-cpu", 0), ("a", 0)]


def test_nothing_real_comes_after_a_simulated_device_or_the_reference() -> None:
    found = [
        of("onnx-reference"),
        of("simulator", "simulated", "simulated"),
        of("pretender", "simulated"),
        of("mx3", "accelerator", "accelerator"),
        of("slow", "cpu", precision="int8"),
    ]
    for some in itertools.permutations(found):
        keys = [key for key, _ in order(*some)]
        assert keys[:3] == ["slow", "mx3", "mx3"]
        assert keys[-1] == "onnx-reference"


def test_cards_that_run_only_their_vendor_s_programs_are_never_the_first_device() -> None:
    assert order(of("mx3"), of("onnxruntime-cpu"))[0] == ("onnxruntime-cpu", 0)


def test_devices_of_a_plugin_keep_their_own_order_except_where_their_kinds_differ() -> None:
    found = of("mixed", "cpu", "gpu", "gpu")
    assert order(found) == [("mixed", 1), ("mixed", 2), ("mixed", 0)]


def test_a_device_keeps_what_its_plugin_says_of_it() -> None:
    place = BUILT_IN["onnxruntime-cuda"]
    (device,) = arrange([PluginDevices(place, "float32", (PluginDevice(0, "gpu", "A", 5),))])
    assert device == ListedDevice(0, "onnxruntime-cuda", 0, "gpu", "A", 5, "float32")


DEVICES = arrange([of("onnxruntime-cpu"), of("simulator", "simulated", "simulated"), of("mx3")])


def chosen(text: str) -> list[str]:
    return [f"{one.plugin}:{one.index}" for one in select(DEVICES, parse_choice(text))]


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("simulator", ["simulator:0", "simulator:1"]),
        ("simulator:1", ["simulator:1"]),
        ("simulator:1,onnxruntime-cpu", ["simulator:1", "onnxruntime-cpu:0"]),
        (" simulator:1 , simulator ", ["simulator:1", "simulator:0"]),
        ("mx3,*", ["mx3:0", "onnxruntime-cpu:0", "simulator:0", "simulator:1"]),
        ("*", ["onnxruntime-cpu:0", "mx3:0", "simulator:0", "simulator:1"]),
        ("onnxruntime-cpu,onnxruntime-cpu:0,onnxruntime-cpu", ["onnxruntime-cpu:0"]),
    ],
)
def test_a_choice_names_devices_in_their_order_each_once(text: str, wanted: Any) -> None:
    assert chosen(text) == wanted


@pytest.mark.parametrize("text", ["", ",", "simulator,", ":1", "simulator:", "simulator:x", "a:-1"])
def test_a_choice_that_cannot_be_read_is_quoted_with_an_example(text: str) -> None:
    with pytest.raises(InvalidArgumentError, match=r"is no choice of devices.*write for example"):
        parse_choice(text)


@pytest.mark.parametrize("text", ["simulator:2", "nothing", "onnxruntime-cpu,nothing"])
def test_a_choice_of_what_is_not_there_names_what_is(text: str) -> None:
    with pytest.raises(DeviceNotFoundError, match=r"no device .*3 \(simulator:1\)"):
        chosen(text)


def test_devices_are_described_by_number_and_place() -> None:
    assert describe(DEVICES) == "0 (onnxruntime-cpu), 1 (mx3), 2 (simulator), 3 (simulator:1)"
    assert describe(()) == "none"
