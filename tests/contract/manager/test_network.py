"""What programs that use a device manager over a network may rely on."""

import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any

import numpy as np
import pytest
from onnx import TensorProto, helper

from app.main import main
from engine import AsyncAccl, Dfp, MultiStreamAsyncAccl, SchedulerOptions, SyncAccl
from engine.dfp import ModelEntry, pack_dfp
from engine.errors import (
    DeviceNotFoundError,
    InvalidArgumentError,
    ProgramError,
)
from engine.manager import manager_status, stop_manager
from engine.manager.network import messages
from engine.manager.network.control import NetworkControl, NetworkPlace
from engine.manager.sharing import ShareSettings
from engine.protocol import TensorInfo
from tests.support.manager_rig import Poll, frame, identity_program
from tests.support.network_rig import NetworkRig, network_rig


@pytest.fixture(scope="module")
def away() -> Iterator[NetworkRig]:
    """Return a manager that tests share: two devices, both the processor."""
    with network_rig() as made:
        made.start("onnxruntime-cpu", "onnxruntime-cpu")
        yield made


def graph(inputs: dict[str, list[Any]], outputs: dict[str, str], kind: int) -> bytes:
    """Return a model whose outputs are the sums of an input with itself."""
    values = {n: helper.make_tensor_value_info(n, kind, shape) for n, shape in inputs.items()}
    results = [helper.make_tensor_value_info(n, kind, inputs[x]) for n, x in outputs.items()]
    nodes = [helper.make_node("Add", [x, x], [n]) for n, x in outputs.items()]
    made = helper.make_graph(nodes, "g", list(values.values()), results)
    model = helper.make_model(made, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    return model.SerializeToString()


def two_models() -> bytes:
    """Return a program: a model with two inputs and outputs, and one with one of each."""
    entries = [
        ModelEntry(
            name="pair",
            main="a.onnx",
            inputs=(TensorInfo("x", (1, 3), "float32"), TensorInfo("w", (1, 2, 5), "float32", 1)),
            outputs=(TensorInfo("y", (1, 2, 5), "float32"), TensorInfo("z", (1, 3), "float32", 1)),
        ),
        ModelEntry(
            name="single",
            main="b.onnx",
            inputs=(TensorInfo("x", (1, 4), "float32", 2),),
            outputs=(TensorInfo("y", (1, 4), "float32", 2),),
        ),
    ]
    pair = graph({"x": [1, 3], "w": [1, 2, 5]}, {"y": "w", "z": "x"}, TensorProto.FLOAT)
    single = graph({"x": [1, 4]}, {"y": "x"}, TensorProto.FLOAT)
    return pack_dfp(name="two", models=entries, graphs={"a.onnx": pair, "b.onnx": single})


def free_program() -> bytes:
    """Return a program whose frames may have any length."""
    entry = ModelEntry(
        name="free",
        main="m.onnx",
        inputs=(TensorInfo("x", (1, 0), "float32"),),
        outputs=(TensorInfo("y", (1, 0), "float32"),),
    )
    model = graph({"x": [1, "n"]}, {"y": "x"}, TensorProto.FLOAT)
    return pack_dfp(name="free", models=[entry], graphs={"m.onnx": model})


def test_results_are_those_of_the_local_way_bit_by_bit(away: NetworkRig) -> None:
    random = np.random.default_rng(3)
    program = identity_program((1, 3, 224, 224), name="picture", factor=3)
    with SyncAccl(program, **away.place) as far, SyncAccl(program, **away.local) as near:
        for _ in range(5):
            data = random.standard_normal((1, 3, 224, 224), np.float32)
            there, here = far.run(data), near.run(data)
            assert there.tobytes() == here.tobytes()
            assert there.shape == here.shape
            assert there.dtype == here.dtype
            assert there.flags.writeable


def test_a_model_with_several_inputs_and_outputs_keeps_them_apart(away: NetworkRig) -> None:
    x, w = np.ones((1, 3), np.float32), np.arange(10, dtype=np.float32).reshape(1, 2, 5)
    with SyncAccl(two_models(), **away.place) as accl:
        y, z = accl.run([x, w], model_idx=0)
        np.testing.assert_array_equal(y, 2 * w)
        np.testing.assert_array_equal(z, 2 * x)
        np.testing.assert_array_equal(accl.run(frame(4), model_idx=1), 2 * frame(4))


def test_a_thousand_frames_of_several_models_and_streams_come_in_order(away: NetworkRig) -> None:
    streams, each = 8, 125
    sources = [iter(range(each)) for _ in range(streams)]
    got: list[list[int]] = [[] for _ in range(streams)]

    def give(stream: int) -> np.ndarray[Any, Any]:
        return frame(1000 * stream + next(sources[stream]))

    def take(stream: int, y: np.ndarray[Any, Any]) -> None:
        got[stream].append(int(y[0, 0]) // 2)

    with (
        MultiStreamAsyncAccl(two_models(), [0, 1], **away.place) as accl,
        AsyncAccl(identity_program(), **away.place) as other,
    ):
        numbers, beside = iter(range(300)), list[int]()
        other.connect_input(lambda: frame(next(numbers)))
        other.connect_output(lambda y: beside.append(int(y[0, 0])))
        accl.connect_streams(give, take, streams, model_idx=1)
        pairs = iter(range(100))
        seen: list[int] = []
        x, w = np.zeros((1, 3), np.float32), np.ones((1, 2, 5), np.float32)
        accl.connect_streams(
            lambda _stream: [x + next(pairs), w],
            lambda _stream, _y, z: seen.append(int(z[0, 0]) // 2),
            1,
            model_idx=0,
        )
        accl.wait()
        other.wait()
    assert got == [[1000 * s + n for n in range(each)] for s in range(streams)]
    assert beside == list(range(300))
    assert seen == list(range(100))


@pytest.mark.parametrize("size", [1, 0, 1000, 70_000, 3_000_000])
def test_frames_of_any_size_pass_where_the_model_leaves_it_open(
    away: NetworkRig, size: int
) -> None:
    with SyncAccl(free_program(), **away.place) as accl:
        for length in (size, 7, size):
            data = np.arange(length, dtype=np.float32)[np.newaxis]
            np.testing.assert_array_equal(accl.run(data), 2 * data)


def opened(away: NetworkRig, control: NetworkControl, program: bytes) -> NetworkPlace:
    return control.open(0, Dfp(program), ShareSettings())


def test_a_frame_above_the_bound_is_refused_with_a_sentence(away: NetworkRig) -> None:
    control = NetworkControl.reach(away.network)
    try:
        place = opened(away, control, free_program())
        vast = np.broadcast_to(np.float32(0), (1, messages.MAX_FRAME_BYTES // 4 + 1))
        with pytest.raises(InvalidArgumentError, match="too large for a device manager on another"):
            place.call(place.free[0], 0, [vast])
    finally:
        control.close()


def test_a_program_travels_only_when_the_manager_does_not_have_it(away: NetworkRig) -> None:
    program = Dfp(identity_program(name="travels once"))
    controls = [NetworkControl.reach(away.network) for _ in range(2)]
    try:
        first, second = controls
        answer = first._ask_open(0, program, ShareSettings())
        assert isinstance(answer, messages.UploadWanted)
        first.open(0, program, ShareSettings())
        answer = second._ask_open(0, program, ShareSettings())
        assert isinstance(answer, messages.PlaceOpened)
        programs = [client.program for client in away.status.devices[0].clients]
        assert programs == [program.sha256] * 2
    finally:
        for control in controls:
            control.close()


def test_the_status_names_key_and_host_of_clients_here_and_there(away: NetworkRig) -> None:
    options = SchedulerOptions()
    options.weight, options.priority = 7, 2
    with SyncAccl(away.dfp, scheduler_options=options, **away.place) as accl:
        accl.run(frame(1))
        for status in (manager_status(away.address), manager_status(away.network)):
            assert status is not None
            assert status.listen == str(away.network)
            client = status.devices[0].clients[0]
            assert client.peer == "tester (127.0.0.1)"
            assert (client.weight, client.priority, client.frames) == (7, 2, 1)


def test_the_status_command_reaches_over_the_network(
    away: NetworkRig, capsys: pytest.CaptureFixture[str]
) -> None:
    port = str(away.network.port)
    with SyncAccl(away.dfp, **away.place):
        assert main(["manager", "status", "--addr", "127.0.0.1", "--port", port]) == 0
    told = capsys.readouterr().out
    assert f"listening at 127.0.0.1:{port}" in told
    assert "tester (127.0.0.1)" in told


def test_a_manager_is_not_stopped_over_the_network(
    away: NetworkRig, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(InvalidArgumentError, match="cannot be stopped over the network"):
        stop_manager(away.network)
    port = str(away.network.port)
    assert main(["manager", "stop", "--addr", "127.0.0.1", "--port", port]) != 0
    assert "on its own machine" in capsys.readouterr().err
    assert away.status.pid


def test_a_closed_accelerator_has_given_everything_back(away: NetworkRig) -> None:
    with SyncAccl(away.dfp, [0, 1], **away.place) as accl:
        accl.run(frame(1))
        assert away.peers == ["tester (127.0.0.1)"] * 2
    assert away.peers == []


def test_local_and_network_clients_with_the_same_bytes_share_a_program(away: NetworkRig) -> None:
    with SyncAccl(away.dfp, **away.place) as far, SyncAccl(away.dfp, **away.local) as near:
        for number in range(50):
            assert far.run(frame(number))[0, 0] == number
            assert near.run(frame(-number))[0, 0] == -number
        clients = away.status.devices[0].clients
        assert {client.program for client in clients} == {Dfp(away.dfp).sha256}
        assert {client.peer for client in clients} == {"", "tester (127.0.0.1)"}


def test_a_program_that_cannot_be_loaded_is_refused_with_the_device_s_words(
    away: NetworkRig,
) -> None:
    entry = ModelEntry(
        name="bad",
        main="m.onnx",
        inputs=(TensorInfo("x", (1, 4), "float32"),),
        outputs=(TensorInfo("y", (1, 4), "float32"),),
    )
    dfp = pack_dfp(name="bad", models=[entry], graphs={"m.onnx": b"rubbish"})
    with pytest.raises(ProgramError):
        SyncAccl(dfp, **away.place)
    assert away.peers == []


def test_a_frame_that_the_device_fails_on_is_an_error_and_the_next_one_passes(
    away: NetworkRig,
) -> None:
    control = NetworkControl.reach(away.network)
    try:
        place = opened(away, control, identity_program())
        with pytest.raises(InvalidArgumentError, match="takes shape"):
            place.call(place.free[0], 0, [np.zeros((2, 9, 9), np.float32)])
        np.testing.assert_array_equal(place.call(place.free[0], 0, [frame(3)])[0], frame(3))
    finally:
        control.close()


def test_a_device_that_is_not_there_is_named(away: NetworkRig) -> None:
    with pytest.raises(DeviceNotFoundError, match="no device 2"):
        SyncAccl(away.dfp, [2], **away.place)


def test_stop_in_the_middle_of_a_stream_takes_less_than_a_second(away: NetworkRig) -> None:
    with AsyncAccl(away.dfp, **away.place) as accl:
        begun = threading.Event()
        accl.connect_input(partial(frame, 1))
        accl.connect_output(lambda _y: begun.set())
        assert begun.wait(20)
        with ThreadPoolExecutor(1) as pool:
            pool.submit(accl.stop).result(10)


def test_a_telemetry_question_is_answered_over_the_network(away: NetworkRig) -> None:
    with SyncAccl(away.dfp, **away.place) as accl:
        assert accl.get_pressure(0) in ("low", "medium", "high", "full")


def test_back_pressure_reaches_the_sender(away: NetworkRig, poll_for: Poll) -> None:
    release, sent = threading.Event(), [0]

    def give() -> np.ndarray[Any, Any] | None:
        if sent[0] == 200:
            return None
        sent[0] += 1
        return frame(sent[0])

    got: list[int] = []

    def take(y: np.ndarray[Any, Any]) -> None:
        release.wait(30)
        got.append(int(y[0, 0]))

    with AsyncAccl(away.dfp, **away.place) as accl:
        accl.connect_input(give)
        accl.connect_output(take)
        poll_for(lambda: sent[0] > 4)
        seen = -1
        while seen != sent[0]:
            seen = sent[0]
            threading.Event().wait(0.3)
        assert seen < 100
        release.set()
        accl.wait()
    assert got == list(range(1, 201))
