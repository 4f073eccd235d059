"""What a manager's numbers stand for, and under which name a device is locked."""

import pytest

from engine.errors import DeviceNotFoundError
from engine.manager.devices import devices_from, lock_name, lock_names, numbers_of
from engine.manager.status import DeviceInfo
from engine.plugins.device_list import ENVIRONMENT

DEVICES = (
    DeviceInfo(0, "onnxruntime-cpu"),
    DeviceInfo(1, "simulator", 0),
    DeviceInfo(2, "simulator", 1),
)


@pytest.fixture(autouse=True)
def no_choice(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(ENVIRONMENT, raising=False)


def test_without_a_choice_numbers_are_those_of_the_manager() -> None:
    assert numbers_of(DEVICES, [2, 0]) == [2, 0]


@pytest.mark.parametrize(
    ("choice", "numbers"),
    [
        ("simulator", [1, 2]),
        ("simulator:1,onnxruntime-cpu", [2, 0]),
        ("simulator:1,*", [2, 0, 1]),
    ],
)
def test_a_choice_counts_over_what_the_manager_shares(
    choice: str, numbers: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(ENVIRONMENT, choice)
    assert numbers_of(DEVICES, range(len(numbers))) == numbers
    with pytest.raises(DeviceNotFoundError, match=f"no device {len(numbers)}; the device manager"):
        numbers_of(DEVICES, [len(numbers)])


def test_a_choice_that_is_not_shared_names_what_is(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(ENVIRONMENT, "openvino-cpu")
    with pytest.raises(DeviceNotFoundError, match=r"no device openvino-cpu; .*2 \(simulator:1\)"):
        numbers_of(DEVICES, [0])


def test_a_lock_is_named_after_the_device_and_not_after_its_number() -> None:
    assert lock_names(DEVICES) == {
        0: "onnxruntime-cpu-0",
        1: "simulator-0",
        2: "simulator-1",
    }
    assert lock_names(DEVICES[1:])[2] == lock_name("simulator", 1)


def test_a_device_that_is_shared_twice_has_a_lock_for_each() -> None:
    twice = [DeviceInfo(number, "onnxruntime-cpu") for number in range(3)]
    assert list(lock_names(twice).values()) == [
        "onnxruntime-cpu-0",
        "onnxruntime-cpu-0+1",
        "onnxruntime-cpu-0+2",
    ]


def test_a_lock_s_name_is_a_file_s_name_whatever_a_plugin_is_called() -> None:
    assert lock_name("../a b", 1) == ".._a_b-1"


def test_devices_are_numbered_in_the_order_they_are_named() -> None:
    found = devices_from(["onnx-reference:0", "onnxruntime-cpu", "onnx-reference:0"])
    assert [(one.index, one.plugin, one.plugin_index) for one in found] == [
        (0, "onnx-reference", 0),
        (1, "onnxruntime-cpu", 0),
        (2, "onnx-reference", 0),
    ]
