"""What programs that share devices may rely on."""

import os
import socket
import stat
import threading
import time
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from onnx import TensorProto, helper

from engine import AsyncAccl, ClientOptions, MultiStreamAsyncAccl, SchedulerOptions, SyncAccl
from engine.dfp import ModelEntry, pack_dfp
from engine.errors import DeviceNotFoundError, InvalidArgumentError, ProgramError
from engine.manager.address import ManagerAddress
from engine.manager.line import Line
from engine.manager.messages import Hello, Open, Refused
from engine.manager.sharing import ShareSettings
from engine.manager.starting import connect
from engine.protocol import TensorInfo
from tests.support.manager_rig import Poll, Rig, frame, heard, identity_program


def test_all_three_classes_run_through_the_manager_by_default(managed: Rig) -> None:
    got: list[int] = []
    with (
        SyncAccl(managed.dfp, **managed.place) as sync,
        AsyncAccl(managed.dfp, **managed.place) as asynchronous,
        MultiStreamAsyncAccl(managed.dfp, **managed.place) as multi,
    ):
        assert len(managed.client_pids) == 3
        assert sync.run(frame(3))[0, 0] == 3
        asynchronous.connect_input(lambda: iter([frame(4)]))
        asynchronous.connect_output(lambda y: got.append(int(y[0, 0])))
        asynchronous.wait()
        sources = [iter([5]), iter([6])]
        multi.connect_streams(
            lambda i: frame(next(sources[i])), lambda i, y: got.append(int(y[0, 0])), 2
        )
        multi.wait()
    assert sorted(got) == [4, 5, 6]


def test_results_of_one_stream_over_two_devices_come_in_order_and_none_is_lost(
    managed: Rig,
) -> None:
    numbers = iter(range(1500))
    got: list[int] = []
    with AsyncAccl(managed.dfp, [0, 1], **managed.place) as accl:
        accl.connect_input(lambda: frame(next(numbers)))
        accl.connect_output(lambda y: got.append(int(y[0, 0])))
        accl.wait()
        used = [device.clients[0].frames for device in managed.status.devices]
    assert got == list(range(1500))
    assert sum(used) == 1500
    assert min(used) > 100


def test_identical_programs_are_loaded_once_and_results_stay_apart(managed: Rig) -> None:
    data = managed.dfp.read_bytes()
    with (
        SyncAccl(managed.dfp, **managed.place) as first,
        SyncAccl(data, **managed.place) as second,
        SyncAccl(identity_program(factor=2), **managed.place) as other,
    ):
        for number in range(100):
            if number < 20:
                first.send(frame(number))
            assert second.run(frame(-number))[0, 0] == -number
            assert other.run(frame(number))[0, 0] == 2 * number
        assert [first.receive()[0, 0] for _ in range(20)] == list(range(20))
        programs = [client.program for client in managed.status.devices[0].clients]
    assert len(programs) == 3
    assert len(set(programs)) == 2


@pytest.mark.slow
def test_two_programs_take_turns_and_both_get_on(managed: Rig) -> None:
    swaps = managed.status.devices[0].swaps
    counts = [0, 0]
    options = SchedulerOptions(frame_limit=10)
    done = threading.Event()

    def source(which: int) -> Any:
        return None if done.is_set() else frame(which)

    def sink(which: int) -> None:
        counts[which] += 1
        if min(counts) > 300:
            done.set()

    with (
        AsyncAccl(identity_program(), scheduler_options=options, **managed.place) as a,
        AsyncAccl(identity_program(factor=3), scheduler_options=options, **managed.place) as b,
    ):
        for which, accl in enumerate((a, b)):
            accl.connect_input(partial(source, which))
            accl.connect_output(partial(lambda which, _y: sink(which), which))
        assert done.wait(20)
        for accl in (a, b):
            accl.wait()
        assert managed.status.devices[0].swaps > swaps + 10


@pytest.mark.slow
def test_weights_of_70_and_30_divide_the_device(own: Rig) -> None:
    own.start()
    own.device.takes_s = 0.004
    counts = [0, 0]
    done = threading.Event()
    accls = []
    for weight in (70, 30):
        options = SchedulerOptions()
        options.weight = weight
        accls.append(AsyncAccl(own.dfp, scheduler_options=options, **own.place))

    def count(which: int) -> None:
        counts[which] += 1
        if sum(counts) >= 1000:
            done.set()

    for which, accl in enumerate(accls):
        accl.connect_input(lambda: frame(1))
        accl.connect_output(partial(lambda which, _y: count(which), which))
    assert done.wait(30)
    shares = [client.share for client in own.status.devices[0].clients]
    weights = [client.weight for client in own.status.devices[0].clients]
    for accl in accls:
        accl.shutdown()
    assert counts[0] / sum(counts) == pytest.approx(0.7, abs=0.05)
    assert weights == [70, 30]
    assert shares[0] == pytest.approx(0.7, abs=0.08)


def test_smoothing_holds_the_rate(managed: Rig, poll_for: Poll) -> None:
    options = ClientOptions(smoothing=True, fps_target=100)
    numbers = iter(range(30))
    with AsyncAccl(managed.dfp, client_options=options, **managed.place) as accl:
        begun = threading.Event()
        accl.connect_input(lambda: frame(next(numbers)))
        accl.connect_output(lambda _y: begun.set())
        started = time.monotonic()
        accl.wait()
        assert time.monotonic() - started >= 0.28


@pytest.mark.parametrize("size", [1, 0, 1000, 300_000])
def test_frames_of_any_size_pass_where_the_model_leaves_it_open(managed: Rig, size: int) -> None:
    with SyncAccl(_free_program(), **managed.place) as accl:
        for length in (size, 7, size):
            data = np.arange(length, dtype=np.float32)[np.newaxis]
            np.testing.assert_array_equal(accl.run(data), data)


def _free_program() -> bytes:
    x, y = (helper.make_tensor_value_info(n, TensorProto.FLOAT, [1, "n"]) for n in "xy")
    graph = helper.make_graph([helper.make_node("Identity", ["x"], ["y"])], "g", [x], [y])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    entry = ModelEntry(
        name="free",
        main="m.onnx",
        inputs=(TensorInfo("x", (1, 0), "float32"),),
        outputs=(TensorInfo("y", (1, 0), "float32"),),
    )
    return pack_dfp(name="free", models=[entry], graphs={"m.onnx": model.SerializeToString()})


def test_a_program_that_cannot_be_loaded_is_refused_with_the_device_s_words(managed: Rig) -> None:
    entry = ModelEntry(
        name="bad",
        main="m.onnx",
        inputs=(TensorInfo("x", (1, 4), "float32"),),
        outputs=(TensorInfo("y", (1, 4), "float32"),),
    )
    dfp = pack_dfp(name="bad", models=[entry], graphs={"m.onnx": b"rubbish"})
    with pytest.raises(ProgramError):
        SyncAccl(dfp, **managed.place)
    assert managed.client_pids == []


def test_a_device_that_is_not_there_is_named(managed: Rig) -> None:
    with pytest.raises(
        DeviceNotFoundError, match=r"no device 2.*has 0 .onnxruntime-cpu., 1 .onnxrunt"
    ):
        SyncAccl(managed.dfp, [2], **managed.place)


@pytest.mark.parametrize(
    ("field", "value"), [("weight", 0), ("weight", -1), ("frame_limit", -5), ("time_limit", -1)]
)
def test_options_that_make_no_sense_are_refused(managed: Rig, field: str, value: int) -> None:
    options = SchedulerOptions()
    setattr(options, field, value)
    with pytest.raises(InvalidArgumentError):
        SyncAccl(managed.dfp, scheduler_options=options, **managed.place)


def test_a_device_tells_how_busy_it_is(managed: Rig) -> None:
    with SyncAccl(managed.dfp, **managed.place) as accl:
        assert accl.get_pressure(0) in ("low", "medium", "high", "full")


@pytest.mark.slow
def test_clients_of_two_processes_share_a_device(managed: Rig) -> None:
    body = (
        "accl = SyncAccl(dfp, **place); say(done=1)\n"
        "say(ok=all(accl.run(frame(n))[0, 0] == n for n in range(200)))\n"
        "say(pid=os.getpid()); forever()"
    )
    clients = [managed.client(body) for _ in range(2)]
    for client in clients:
        heard(client)
    assert all(heard(client)["ok"] for client in clients)
    assert {heard(client)["pid"] for client in clients} == set(managed.client_pids)
    managed.end_clients()


def test_the_folder_and_the_socket_are_private(managed: Rig) -> None:
    folder = Path(managed.address.folder).stat()
    place = Path(managed.address.socket_path).stat()
    assert stat.S_IMODE(folder.st_mode) == 0o700
    assert stat.S_IMODE(place.st_mode) == 0o600


@pytest.mark.parametrize(
    "rubbish",
    [b"x", b"\xc1" * 100, b"GET / HTTP/1.1\r\n\r\n", b"\x93\x01", b"\x81\xa4type\xa2\xff\xff"],
)
def test_rubbish_from_a_client_ends_its_connection_only(managed: Rig, rubbish: bytes) -> None:
    end = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    end.connect(managed.address.socket_path)
    end.settimeout(5)
    end.send(rubbish)
    assert end.recv(100) == b""
    end.close()
    with SyncAccl(managed.dfp, **managed.place) as accl:
        assert accl.run(frame(1))[0, 0] == 1


@pytest.mark.parametrize("rubbish", [b"x", b"\x94\xa1r\x63\x00\xc0", b"\x95\xa1r\x00\x63\xc0\xa0"])
def test_rubbish_on_a_link_harms_that_client_only(managed: Rig, rubbish: bytes) -> None:
    with (
        SyncAccl(managed.dfp, **managed.place) as good,
        SyncAccl(managed.dfp, **managed.place) as bad,
    ):
        worker = managed.status.devices[0].worker_pid
        place = bad._program._backend._programs[0]._places[0]  # type: ignore[attr-defined]
        place.free[0].send(rubbish)
        place.free[0].settimeout(5)
        place.free[0].recv(100)
        place.free[0].settimeout(None)
        assert [good.run(frame(n))[0, 0] for n in range(20)] == list(range(20))
        assert managed.status.devices[0].worker_pid == worker


def test_a_program_whose_bytes_are_others_than_announced_is_refused(managed: Rig) -> None:
    line = connect(managed.address)
    assert line is not None
    line.send(Hello(1))
    line.recv(5)
    fd = os.memfd_create("other")
    os.write(fd, b"something else")
    line.send(Open(7, 0, "0" * 64, "liar", ShareSettings()), [fd])
    os.close(fd)
    received = line.recv(10)
    line.close()
    assert received is not None
    assert isinstance(received[0], Refused)
    assert received[0].number == 7
    assert "not those that were announced" in received[0].error.message


def test_a_client_of_another_version_is_told_what_to_do(managed: Rig) -> None:
    line = connect(ManagerAddress(managed.address.folder))
    assert isinstance(line, Line)
    line.send(Hello(999))
    received = line.recv(5)
    line.close()
    assert received is not None
    assert isinstance(received[0], Refused)
    assert "penstock manager stop" in received[0].error.message
