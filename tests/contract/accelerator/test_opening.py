"""How accelerators are made, what they say about the program, and how they end."""

import logging
import struct
import weakref
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from engine import AsyncAccl, ClientOptions, Dfp, MultiStreamAsyncAccl, SchedulerOptions, SyncAccl
from engine.errors import DeviceNotFoundError, ProgramError
from tests.support.genuine_files import v5_file, v6_file

ALL = [SyncAccl, AsyncAccl, MultiStreamAsyncAccl]


@pytest.mark.parametrize("kind", [str, Path, bytes, bytearray, memoryview, Dfp])
def test_dfp_is_a_path_bytes_or_a_dfp_object(
    kind: Any, identity: bytes, tmp_path: Path, frame: Any
) -> None:
    path = tmp_path / "identity.dfp"
    path.write_bytes(identity)
    source = kind(str(path)) if kind in (str, Path) else kind(identity)
    with SyncAccl(source) as accl:
        assert accl.inport_assignment() == {0: "x"}
        np.testing.assert_array_equal(accl.run(frame(3)), frame(3))


@pytest.mark.parametrize("cls", ALL)
def test_a_dfp_that_cannot_be_used_is_a_runtime_error_naming_it(cls: Any, tmp_path: Path) -> None:
    with pytest.raises(ProgramError, match=r"missing\.dfp") as caught:
        cls(tmp_path / "missing.dfp")
    assert isinstance(caught.value, RuntimeError)
    with pytest.raises(ProgramError, match="not a DFP"):
        cls(b"PK not really")


@pytest.mark.parametrize(
    "data",
    [
        struct.pack("<Q", 4) + bytes(64),
        struct.pack("<Q", 7) + bytes(64),
        struct.pack("<Q", 6),
        v6_file()[:100],
        v5_file()[:40],
        b"",
    ],
    ids=["version 4", "version 7", "version 6 and no more", "cut v6", "cut v5", "empty"],
)
@pytest.mark.parametrize("cls", ALL)
def test_a_file_of_an_unknown_version_or_cut_off_is_a_runtime_error_with_a_sentence(
    cls: Any, data: bytes
) -> None:
    with pytest.raises(RuntimeError, match=r"^(DFP )?in memory .+; |is not a DFP") as caught:
        cls(data)
    assert isinstance(caught.value, ProgramError)


@pytest.mark.parametrize("cls", ALL)
@pytest.mark.parametrize("device_ids", [0, [0], [0, 0], (0,), np.int64(0)])
def test_device_ids_is_a_number_or_a_list_of_numbers(
    cls: Any, device_ids: Any, identity: bytes
) -> None:
    with cls(identity, device_ids) as accl:
        assert accl.device_ids == [0]


@pytest.mark.parametrize("cls", ALL)
@pytest.mark.parametrize("device_ids", [-1, [0, -1], "0", 1.5, [1.5], None])
def test_device_ids_must_be_numbers_from_zero(cls: Any, device_ids: Any, identity: bytes) -> None:
    with pytest.raises(TypeError, match="devices are numbered 0, 1, 2"):
        cls(identity, device_ids)


def test_no_device_is_refused(identity: bytes) -> None:
    with pytest.raises(ValueError, match="device_ids is empty"):
        SyncAccl(identity, [])


def test_a_device_that_is_not_there_is_named(identity: bytes) -> None:
    with pytest.raises(DeviceNotFoundError, match="no device 7"):
        SyncAccl(identity, [7])


@pytest.mark.parametrize("cls", ALL)
def test_local_mode_uses_one_device_only(cls: Any, identity: bytes) -> None:
    with pytest.raises(RuntimeError, match="local mode uses one device"):
        cls(identity, device_ids=[0, 1], local_mode=True)


def test_group_id_is_accepted_as_the_old_name_of_device_ids(identity: bytes) -> None:
    with pytest.warns(DeprecationWarning, match="device_ids"):
        accl = SyncAccl(identity, group_id=0)
    assert accl.device_ids == [0]
    accl.shutdown()


@pytest.mark.parametrize("options", [{}, {"local_mode": True}, {"ignore_manager": True}])
def test_where_it_runs_is_said_once_in_the_log(
    options: Any, mode: str, identity: bytes, caplog: pytest.LogCaptureFixture, request: Any
) -> None:
    wanted = "shared" if mode == "shared" and not options else "local"
    with caplog.at_level(logging.INFO, "engine.accelerator"), SyncAccl(identity, **options):
        pass
    told = [r.getMessage() for r in caplog.records if "running in" in r.getMessage()]
    assert told == [f"running in {wanted} mode on device [0]"]


def test_options_are_copied_when_the_accelerator_is_made(identity: bytes, frame: Any) -> None:
    options = SchedulerOptions(ifmap_queue_size=1, ofmap_queue_size=0)
    with SyncAccl(identity, scheduler_options=options, client_options=ClientOptions()) as accl:
        options.ifmap_queue_size = 100
        accl.send(frame(1))
        with pytest.raises(TimeoutError):
            accl.send(frame(2), timeout=20)


def test_ports_are_numbered_over_the_whole_program(two_models: bytes) -> None:
    with AsyncAccl(two_models) as accl:
        assert accl.inport_assignment() == {0: "x"}
        assert accl.outport_assignment(0) == {0: "y"}
        assert accl.inport_assignment(1) == {1: "w"}
        assert accl.outport_assignment(1) == {1: "z"}
        assert accl.input_port_ids == [0, 1]
        assert accl.output_port_ids == [0, 1]


def test_models_tell_their_ports_and_shapes(two_ports: bytes) -> None:
    with SyncAccl(two_ports) as accl:
        (model,) = accl.models
        assert model.input.port_assignment == {0: "a", 1: "b"}
        assert model.output.port_ids == [0, 1]
        assert model.output.port_count == 2
        assert model.input.port_spec == [([1, 1, 1, 4], np.float32)] * 2
        assert accl.mpu_count == 1
        assert accl.chip_gen == 3.1


@pytest.mark.parametrize("index", [1, -1, 99])
@pytest.mark.parametrize(
    "call",
    [
        lambda sync, _a, _m, i: sync.send(np.zeros((1, 4), np.float32), i),
        lambda sync, _a, _m, i: sync.receive(i),
        lambda sync, _a, _m, i: sync.run(np.zeros((1, 4), np.float32), i),
        lambda sync, _a, _m, i: sync.inport_assignment(i),
        lambda sync, _a, _m, i: sync.outport_assignment(i),
        lambda sync, _a, _m, i: sync.set_preprocessing_model(b"", i),
        lambda sync, _a, _m, i: sync.set_postprocessing_model(b"", i),
        lambda _s, asynchronous, _m, i: asynchronous.connect_input(lambda: None, i),
        lambda _s, asynchronous, _m, i: asynchronous.connect_output(lambda *_: None, i),
        lambda _s, _a, multi, i: multi.connect_streams(lambda i: None, lambda i, y: None, 1, i),
    ],
)
def test_a_model_index_out_of_range_is_an_index_error(
    index: int, call: Any, identity: bytes
) -> None:
    with (
        SyncAccl(identity) as sync,
        AsyncAccl(identity) as asynchronous,
        MultiStreamAsyncAccl(identity) as multi,
        pytest.raises(IndexError, match="model_idx is 0 to 0"),
    ):
        call(sync, asynchronous, multi, index)


@pytest.mark.parametrize("cls", ALL)
def test_shutdown_may_be_called_twice_and_ends_every_use(
    cls: Any, identity: bytes, frame: Any
) -> None:
    accl = cls(identity)
    accl.shutdown()
    accl.shutdown()
    calls = {
        SyncAccl: lambda: [
            lambda: accl.run(frame(0)),
            lambda: accl.send(frame(0)),
            accl.receive,
        ],
        AsyncAccl: lambda: [
            lambda: accl.connect_input(lambda: None),
            lambda: accl.connect_output(print),
            accl.wait,
        ],
        MultiStreamAsyncAccl: lambda: [
            lambda: accl.connect_streams(lambda i: None, lambda i, y: None, 1),
            accl.wait,
        ],
    }[cls]()
    for call in [*calls, accl.inport_assignment, lambda: accl.set_preprocessing_model(b"")]:
        with pytest.raises(RuntimeError, match="was shut down"):
            call()
    if cls is not SyncAccl:
        accl.stop()


@pytest.mark.parametrize("cls", ALL)
def test_an_accelerator_that_is_forgotten_frees_its_threads(cls: Any, identity: bytes) -> None:
    accl = cls(identity)
    gone = weakref.ref(accl)
    del accl
    assert gone() is None  # the leak check of every test sees to the threads
