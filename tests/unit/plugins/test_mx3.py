"""The plugin for the vendor's cards, with a stand-in for the vendor's runtime."""

import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from engine.compat import install, remove
from engine.dfp import Dfp
from engine.errors import ClosedError, DeviceError, ProgramError, ProgramIncompatibleError
from engine.plugins import ForeignPrograms, HasTelemetry, ProcessingPlugin
from engine.plugins.mx3 import Mx3Plugin, Mx3Session, vendor
from tests.support.genuine_files import port, raw, v6_file

STAND_INS = Path(__file__).resolve().parents[2] / "support" / "stand_ins"

PROGRAM = Dfp(
    v6_file(
        models=["a.onnx", "b.onnx"],
        inport_info=[
            port(0, "x", (1, 1, 1, 4), **raw(1, 4)),
            port(1, "p", (1, 1, 1, 2), model_index=1, **raw(1, 2)),
            port(2, "q", (1, 1, 1, 2), model_index=1, **raw(1, 2)),
        ],
        outport_info=[
            port(0, "y", (1, 1, 1, 4), **raw(1, 4)),
            port(1, "p_out", (1, 1, 1, 2), model_index=1, **raw(1, 2)),
            port(2, "q_out", (1, 1, 1, 2), model_index=1, **raw(1, 2)),
        ],
    )
)


@pytest.fixture
def runtime(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Put the stand-in where Python looks for packages."""
    monkeypatch.syspath_prepend(STAND_INS / "memryx")
    yield
    vendor._kept.clear()
    for name in [name for name in sys.modules if name.split(".")[0] == "memryx"]:
        del sys.modules[name]


@pytest.fixture
def plugin(tmp_path: Path, runtime: None) -> Mx3Plugin:
    made = Mx3Plugin()
    made.device_folder = tmp_path
    (tmp_path / "memx0").touch()
    return made


def opened() -> list[Any]:
    with vendor.vendor_names():
        from memryx import mxa

        found: list[Any] = mxa.OPENED
        return found


def load(plugin: Mx3Plugin, model_idx: int = 0) -> Any:
    places = [i for i, p in PROGRAM.input_ports.items() if p["model_index"] == model_idx]
    inputs = tuple(PROGRAM.input_tensors[place] for place in places)
    outputs = tuple(PROGRAM.output_tensors[place] for place in places)
    return plugin.load_foreign(PROGRAM.data, model_idx, inputs, outputs)


def frame(number: float, size: int = 4) -> Any:
    return np.full((1, size), number, np.float32)


# -- what is there


def test_without_the_vendors_package_it_says_where_that_comes_from() -> None:
    report = Mx3Plugin().probe()
    assert not report.is_available
    assert "MemryX runtime is not installed; it comes from the vendor" in report.reason


def test_without_a_card_it_names_the_missing_device(plugin: Mx3Plugin, tmp_path: Path) -> None:
    (tmp_path / "memx0").unlink()
    report = plugin.probe()
    assert not report.is_available
    assert f"{tmp_path / 'memx0'} does not exist" in report.reason


def test_cards_are_listed_by_number_and_labeled_as_untried(
    plugin: Mx3Plugin, tmp_path: Path
) -> None:
    for name in ("memx10", "memx2", "memx0_feature"):
        (tmp_path / name).touch()
    report = plugin.probe()
    assert report.is_available
    assert [device.name for device in report.devices] == [
        f"MemryX MX3 {name} (not yet run on a card)" for name in ("memx0", "memx2", "memx10")
    ]
    assert "2.1.0" in report.version
    assert "not yet run on a card" in plugin.name


@pytest.mark.usefixtures("runtime")
def test_a_vendors_package_that_cannot_be_imported_is_a_reason(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "memryx.py").write_text("raise OSError('libmx_accl.so: wrong ELF class')")
    monkeypatch.syspath_prepend(tmp_path)
    assert "OSError: libmx_accl.so: wrong ELF class" in Mx3Plugin().probe().reason


def test_it_is_a_plugin_for_foreign_programs_and_refuses_others(plugin: Mx3Plugin) -> None:
    assert isinstance(plugin, ProcessingPlugin)
    assert isinstance(plugin, ForeignPrograms)
    assert isinstance(plugin, HasTelemetry)
    with pytest.raises(ProgramIncompatibleError, match="only DFP files of its vendor's compiler"):
        plugin.load(b"onnx")


# -- frames


def test_a_frame_goes_through_the_vendors_runtime(plugin: Mx3Plugin) -> None:
    session = load(plugin)
    found = session.run([frame(3)])
    assert found[0].tolist() == [[4.0] * 4]
    assert found[0].flags.writeable
    session.close()


def test_several_inputs_and_outputs_keep_the_order_of_the_ports(plugin: Mx3Plugin) -> None:
    session = load(plugin, 1)
    first, second = session.run([frame(1, 2), frame(5, 2)])
    assert (first[0, 0], second[0, 0]) == (2.0, 6.0)
    session.close()


class HeldSession(Mx3Session):
    """Holds the thread of frame 0 between sending the frame and taking its outputs."""

    def __init__(self, *arguments: Any) -> None:
        super().__init__(*arguments)
        self.gate = threading.Event()

    def _send(self, inputs: Any) -> int:
        number = super()._send(inputs)
        if number == 0:
            self.gate.wait(10)
        return number


def test_a_quick_thread_does_not_take_the_outputs_of_a_slow_one(
    plugin: Mx3Plugin, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("engine.plugins.mx3.plugin.Mx3Session", HeldSession)
    session = load(plugin)
    found: dict[int, float] = {}

    def work(number: int) -> None:
        found[number] = float(session.run([frame(number)])[0][0, 0])

    slow, quick = (threading.Thread(target=work, args=(number,)) for number in (10, 20))
    slow.start()
    while session._sent == 0:
        slow.join(0.001)
    quick.start()
    quick.join(0.2)
    assert found == {}
    session.gate.set()
    slow.join(10)
    quick.join(10)
    assert found == {10: 11.0, 20: 21.0}
    session.close()


def test_threads_keep_several_frames_under_way(plugin: Mx3Plugin) -> None:
    session = load(plugin)
    found: dict[int, float] = {}

    def work(first: int) -> None:
        for number in range(first, first + 50):
            found[number] = float(session.run([frame(number)])[0][0, 0])

    threads = [threading.Thread(target=work, args=(1000 * i,)) for i in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(20)
    session.close()
    assert len(found) == 400
    assert all(value == number + 1 for number, value in found.items())


def test_models_of_a_program_share_it_and_the_last_one_frees_the_card(plugin: Mx3Plugin) -> None:
    first, second = load(plugin), load(plugin, 1)
    (accl,) = opened()
    first.close()
    first.close()
    assert not accl.is_shut_down
    second.close()
    assert accl.is_shut_down
    with pytest.raises(ClosedError, match="was closed"):
        first.run([frame(1)])


def test_the_program_goes_to_the_cards_that_were_asked_for(plugin: Mx3Plugin) -> None:
    tensors = (PROGRAM.input_tensors[0],), (PROGRAM.output_tensors[0],)
    session = plugin.load_foreign(PROGRAM.data, 0, *tensors, device_ids=(1, 2))
    assert opened()[-1].device_ids == [1, 2]
    session.close()


def test_outputs_get_the_shape_that_the_file_says(plugin: Mx3Plugin) -> None:
    inputs = (PROGRAM.input_tensors[0],)
    output = PROGRAM.output_tensors[0].__class__("y", (4,), "float32")
    session = plugin.load_foreign(PROGRAM.data, 0, inputs, (output,))
    assert session.run([frame(0)])[0].shape == (4,)
    session.close()


# -- failures


def test_a_runtime_that_does_not_start_is_a_program_error(
    plugin: Mx3Plugin, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("STAND_IN_CARD", "absent")
    with pytest.raises(ProgramError, match="did not take the program: Init DFP Runner failed!"):
        load(plugin)


def test_after_a_failure_no_frame_gets_outputs_of_another(
    plugin: Mx3Plugin, monkeypatch: pytest.MonkeyPatch
) -> None:
    session = load(plugin)
    monkeypatch.setenv("STAND_IN_CARD", "breaks")
    with pytest.raises(DeviceError, match="Driver stream input function error"):
        session.run([frame(1)])
    monkeypatch.delenv("STAND_IN_CARD")
    with pytest.raises(DeviceError, match="failed before: Driver stream"):
        session.run([frame(1)])
    session.close()


def test_telemetry_is_the_runtimes_while_a_program_is_loaded(plugin: Mx3Plugin) -> None:
    assert plugin.telemetry().temperature_c is None
    session = load(plugin)
    told = plugin.telemetry()
    assert (told.temperature_c, told.power_w, told.utilization) == (61.5, 7.6, 0.8)
    session.close()


def test_what_a_dead_card_shows_is_not_a_temperature(
    plugin: Mx3Plugin, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("STAND_IN_CARD", "cold")
    session = load(plugin)
    told = plugin.telemetry()
    assert (told.temperature_c, told.power_w) == (None, None)
    session.close()


# -- beside our own modules of that name


def test_the_vendors_runtime_works_where_penstock_serves_its_name(plugin: Mx3Plugin) -> None:
    install(for_children=False)
    try:
        import memryx

        ours = memryx.SyncAccl
        session = load(plugin)
        assert session.run([frame(1)])[0][0, 0] == 2.0
        session.close()
        import memryx.accl

        assert memryx.accl.SyncAccl is ours
        assert sys.modules["memryx"].__spec__.origin == "served by Penstock"  # type: ignore[union-attr]
    finally:
        remove()
