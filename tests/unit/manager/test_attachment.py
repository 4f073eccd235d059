"""Frames of one client are executed from shared memory into shared memory."""

from collections.abc import Callable, Iterator
from contextlib import closing
from typing import Any

import numpy as np
import pytest
from onnx import TensorProto, helper

from engine.manager.attachment import Attachment, LoadedProgram
from engine.manager.messages import Done, Failed, Run
from engine.manager.slots import FrameSlots, Placed
from engine.plugins.onnxruntime_cpu import OnnxRuntimeCpuPlugin
from engine.shm import SlotRing

LINKS = 2


class Client:
    """The other end of an attachment: writes frames, reads results."""

    def __init__(self, operator: str, inputs: list[Any], outputs: list[Any]) -> None:
        graph = helper.make_graph(
            [helper.make_node(operator, ["x"], ["y"])],
            "test",
            [helper.make_tensor_value_info("x", TensorProto.FLOAT, inputs)],
            [helper.make_tensor_value_info("y", _OUTPUT.get(operator, 1), outputs)],
        )
        model = helper.make_model(
            graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8
        ).SerializeToString()
        self.program = LoadedProgram.load("key", "test", [model], OnnxRuntimeCpuPlugin())
        self.attachment = Attachment(1, self.program, LINKS)
        ports = self.program.ports[0]
        requests = SlotRing.attach(self.attachment.requests.name)
        replies = SlotRing.attach(self.attachment.replies.name)
        self._requests = FrameSlots(requests, [ports.inputs])
        self._replies = FrameSlots(replies, [ports.outputs])

    def execute(self, *values: Any) -> Any:
        placed = self._requests.write(0, [np.array(values, np.float32)])
        result = self.attachment.execute(Run(0, placed.slot, placed.shapes, placed.spill))
        if isinstance(result, Failed):
            return result.error
        assert isinstance(result, Done)
        views = self._replies.read(0, Placed(result.slot, result.shapes, result.spill))
        values = views[0].tolist()
        self._replies.release(result.slot)
        return values

    def close(self) -> None:
        self._requests.close()
        self._replies.close()
        self.attachment.close_links()
        self.attachment.free()
        self.program.close()


_OUTPUT = {"NonZero": TensorProto.INT64}


@pytest.fixture
def client_of() -> Iterator[Callable[..., Client]]:
    clients: list[Client] = []

    def make(operator: str, inputs: list[Any], outputs: list[Any]) -> Client:
        clients.append(Client(operator, inputs, outputs))
        return clients[-1]

    yield make
    for client in clients:
        client.close()


def test_results_are_those_of_each_frame(client_of: Callable[..., Client]) -> None:
    client = client_of("Neg", [1, 3], [1, 3])
    for number in range(3 * LINKS):
        assert client.execute([number, 1, 2]) == [[-number, -1, -2]]


def test_outputs_that_are_not_as_the_model_says_come_as_they_are(
    client_of: Callable[..., Client],
) -> None:
    client = client_of("NonZero", [4], [1, 4])
    assert client.execute(1, 0, 1, 0) == [[0, 2]]
    assert client.execute(1, 1, 1, 1) == [[0, 1, 2, 3]]
    assert client.execute(0, 0, 0, 0) == [[]]


def test_axes_that_are_free_may_have_any_size(client_of: Callable[..., Client]) -> None:
    client = client_of("Neg", ["n", 2], ["n", 2])
    assert client.execute([1, 2]) == [[-1, -2]]
    assert client.execute([1, 2], [3, 4]) == [[-1, -2], [-3, -4]]


def test_a_frame_for_a_model_that_is_not_there_fails_alone() -> None:
    with closing(Client("Neg", [1, 3], [1, 3])) as client:
        result = client.attachment.execute(Run(1, 0))
        assert isinstance(result, Failed)
        assert "no model 1" in result.error.message
        assert client.execute([1, 2, 3]) == [[-1, -2, -3]]


def test_a_program_learns_how_long_its_models_take(client_of: Callable[..., Client]) -> None:
    program = client_of("Neg", [1, 3], [1, 3]).program
    assert program.usual_ns(0) == program.usual_ns(7) == float("inf")
    program.note(0, 1000)
    assert program.usual_ns(0) == 1000
    program.note(0, 9000)
    assert 1000 < program.usual_ns(0) < 9000
    program.note(7, 1)  # a client's mistake
    assert program.usual_ns(7) == float("inf")
