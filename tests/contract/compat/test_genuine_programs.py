"""Genuine DFPs run through the accelerator classes where the vendor's runtime is."""

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from engine.accelerator import AsyncAccl, SyncAccl
from engine.errors import DeviceNotFoundError, ProgramIncompatibleError
from engine.plugins import Device, ProbeReport
from engine.plugins.mx3 import vendor
from engine.plugins.probing import ProbeAnswer
from tests.support.genuine_files import port, raw, two_model_file, v6_file
from tests.support.tiny_programs import plus_hundred

STAND_INS = Path(__file__).resolve().parents[2] / "support" / "stand_ins"


@pytest.fixture
def card(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Have a vendor's runtime and a card that answered the probe."""

    def probe(keys: Any, *, timeout_s: float) -> Any:
        for key in keys:
            yield key, ProbeAnswer(ProbeReport(True, devices=(Device(0, "accelerator", "card"),)))

    monkeypatch.setattr("engine.plugins.registry.probe_in_children", probe)
    monkeypatch.syspath_prepend(STAND_INS / "memryx")
    yield
    vendor._kept.clear()
    for name in [name for name in sys.modules if name.split(".")[0] == "memryx"]:
        del sys.modules[name]


def picture_file(**changes: Any) -> bytes:
    """Return a file whose model takes (1, 3, 4, 5) and gives the same."""
    shape = raw(1, 3, 4, 5) if changes.get("dfp_sub_version", 1) else {}
    return v6_file(
        inport_info=[port(0, "image", (4, 5, 1, 3), **shape)],
        outport_info=[port(0, "same", (4, 5, 1, 3), **shape)],
        **changes,
    )


@pytest.mark.usefixtures("card")
def test_a_genuine_program_runs_through_the_vendors_runtime() -> None:
    picture = np.arange(60, dtype=np.float32).reshape(1, 3, 4, 5)
    with SyncAccl(picture_file()) as accl:
        assert accl.inport_assignment() == {0: "image"}
        np.testing.assert_array_equal(accl.run(picture), picture + 1)
        np.testing.assert_array_equal(accl.run(picture[0]), picture + 1)


@pytest.mark.usefixtures("card")
def test_frames_and_results_may_have_the_shape_of_the_device() -> None:
    picture = np.arange(60, dtype=np.float32).reshape(4, 5, 1, 3)
    with SyncAccl(picture_file(), use_model_shape=(False, False)) as accl:
        np.testing.assert_array_equal(accl.run(picture), picture + 1)


@pytest.mark.usefixtures("card")
def test_an_older_file_gives_results_without_the_depth() -> None:
    picture = np.zeros((4, 5, 1, 3), np.float32)
    with SyncAccl(picture_file(dfp_sub_version=None)) as accl:
        assert accl.run(picture).shape == (4, 5, 3)


@pytest.mark.usefixtures("card")
def test_results_of_a_stream_come_in_the_order_of_its_frames() -> None:
    program = v6_file(
        inport_info=[port(0, "x", (1, 1, 1, 4), **raw(1, 4))],
        outport_info=[port(0, "y", (1, 1, 1, 4), **raw(1, 4))],
    )
    seen: list[float] = []
    frames = iter([np.full((1, 4), number, np.float32) for number in range(200)])
    with AsyncAccl(program) as accl:
        accl.connect_input(lambda: next(frames))
        accl.connect_output(lambda y: seen.append(float(y[0, 0])))
        accl.wait()
    assert seen == [number + 1.0 for number in range(200)]


@pytest.mark.usefixtures("card")
def test_a_post_processing_model_runs_on_the_host() -> None:
    program = v6_file(
        inport_info=[port(0, "x", (1, 1, 1, 4), **raw(1, 4))],
        outport_info=[port(0, "y", (1, 1, 1, 4), **raw(1, 4))],
    )
    with SyncAccl(program) as accl:
        accl.set_postprocessing_model(plus_hundred())
        assert accl.run(np.zeros((1, 4), np.float32))[0, 0] == 101.0


@pytest.mark.usefixtures("card")
def test_models_of_a_genuine_program_have_the_ports_that_it_says() -> None:
    with SyncAccl(two_model_file()) as accl:
        assert accl.inport_assignment(0) == {2: "flat"}
        assert accl.inport_assignment(1) == {0: "wide"}
        assert accl.outport_assignment(0) == {0: "late", 3: "other"}


@pytest.mark.usefixtures("card")
def test_a_card_that_is_not_there_is_refused_by_its_number() -> None:
    with pytest.raises(DeviceNotFoundError, match="no device 3"):
        SyncAccl(picture_file(), device_ids=3)


def test_without_a_card_the_error_says_what_is_needed_and_what_is_missing() -> None:
    with pytest.raises(ProgramIncompatibleError) as caught:
        SyncAccl(picture_file())
    assert "penstock compile --for" in caught.value.message
    assert "MemryX runtime is not installed" in caught.value.message
