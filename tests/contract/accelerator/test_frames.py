"""Shapes, value types, and who owns which array."""

from typing import Any

import numpy as np
import pytest
from onnx import TensorProto

from engine import AsyncAccl, SyncAccl
from engine.dfp import ModelEntry, pack_dfp
from engine.errors import ProgramMalformedError
from engine.protocol import TensorInfo


@pytest.fixture
def picture() -> Any:
    return np.random.default_rng(1).random((6, 8, 3)).astype(np.float32)  # height, width, channels


@pytest.mark.parametrize(
    "given",
    [
        lambda p: p.transpose(2, 0, 1)[np.newaxis],  # the model's own shape
        lambda p: p.transpose(2, 0, 1),  # without a batch
        lambda p: p,  # channels last
        lambda p: p[np.newaxis],
        lambda p: p[:, :, np.newaxis],  # height, width, 1, channels
        lambda p: p[np.newaxis, :, :, np.newaxis],
    ],
)
@pytest.mark.parametrize("use_model_shape", [(True, True), (False, True)])
def test_a_planar_model_takes_its_own_shape_and_channels_last(
    given: Any, use_model_shape: Any, picture: Any, program: Any, models: Any
) -> None:
    dfp = program(models.picture_to_scores((1, 3, 6, 8), (2, 3)))
    with SyncAccl(dfp, use_model_shape=use_model_shape) as accl:
        np.testing.assert_allclose(
            accl.run(given(picture)), picture.mean((0, 1))[np.newaxis], rtol=1e-5
        )


@pytest.mark.parametrize(
    "given", [lambda p: p[np.newaxis], lambda p: p, lambda p: p[:, :, np.newaxis]]
)
def test_a_channels_last_model_takes_a_frame_with_and_without_batch(
    given: Any, picture: Any, program: Any, models: Any
) -> None:
    dfp = program(models.picture_to_scores((1, 6, 8, 3), (1, 2)), layout="nhwc")
    with SyncAccl(dfp) as accl:
        np.testing.assert_allclose(
            accl.run(given(picture)), picture.mean((0, 1))[np.newaxis], rtol=1e-5
        )


def test_outputs_have_the_model_s_shape_by_default(picture: Any, program: Any, models: Any) -> None:
    with SyncAccl(program(models.identity((1, 3, 6, 8)))) as accl:
        assert accl.run(picture).shape == (1, 3, 6, 8)


def test_outputs_have_the_device_s_shape_when_asked_for(
    picture: Any, program: Any, models: Any
) -> None:
    with SyncAccl(program(models.identity((1, 3, 6, 8))), use_model_shape=[True, False]) as accl:
        output = accl.run(picture)
    np.testing.assert_array_equal(output, picture[:, :, np.newaxis])
    assert output.flags.c_contiguous


def test_scores_have_four_axes_in_the_device_s_shape(identity: bytes, frame: Any) -> None:
    with SyncAccl(identity, use_model_shape=(False, False)) as accl:
        assert accl.run(frame(1).reshape(1, 1, 1, 4)).shape == (1, 1, 1, 4)


@pytest.mark.parametrize("shape", [(2, 4), (5,), (4, 1), (1, 1, 4, 1)])
def test_a_wrong_shape_or_batch_is_a_value_error_naming_both_shapes(
    shape: Any, identity: bytes
) -> None:
    with SyncAccl(identity) as accl, pytest.raises(ValueError, match=r"shape \(1, 4\)") as caught:
        accl.run(np.zeros(shape, np.float32))
    assert str(shape) in str(caught.value)
    assert isinstance(caught.value, RuntimeError)


@pytest.mark.parametrize("dtype", [np.uint8, np.float64, np.int32])
def test_a_wrong_value_type_is_never_converted_silently(dtype: Any, identity: bytes) -> None:
    with SyncAccl(identity) as accl, pytest.raises(TypeError, match="takes float32 values"):
        accl.run(np.zeros((1, 4), dtype))


def test_a_model_of_bytes_takes_bytes(program: Any, models: Any) -> None:
    dfp = program(models.identity(dtype=TensorProto.UINT8))
    data = np.arange(4, dtype=np.uint8)
    with SyncAccl(dfp) as accl:
        np.testing.assert_array_equal(accl.run(data), data[np.newaxis])


def test_the_number_of_arrays_must_be_the_number_of_inputs(two_ports: bytes, frame: Any) -> None:
    with SyncAccl(two_ports) as accl:
        for data in (frame(1), [frame(1)], [frame(1)] * 3):
            with pytest.raises(RuntimeError, match="has 2 inputs"):
                accl.send(data)


@pytest.mark.parametrize("data", [None, 3, "frame", [[1.0]], {"x": 1}, [None]])
def test_a_frame_is_an_array_or_a_sequence_of_arrays(data: Any, identity: bytes) -> None:
    with SyncAccl(identity) as accl, pytest.raises(TypeError, match="NumPy array"):
        accl.send(data)


def test_an_array_may_be_overwritten_as_soon_as_send_returned(
    identity: bytes, frame: Any, device: Any
) -> None:
    device.hold()
    with SyncAccl(identity) as accl:
        buffer = frame(0)
        for number in range(5):
            buffer[:] = number
            accl.send(buffer)
        buffer[:] = -1
        device.release()
        assert [accl.receive()[0, 0] for _ in range(5)] == [0, 1, 2, 3, 4]


def test_an_array_may_be_overwritten_at_the_next_call_of_the_input_callback(
    identity: bytes, frame: Any
) -> None:
    buffer = frame(0)
    numbers = iter(range(200))

    def source() -> Any:
        buffer[:] = next(numbers)
        return buffer

    got = []
    with AsyncAccl(identity) as accl:
        accl.connect_input(source)
        accl.connect_output(lambda y: got.append(y[0, 0]))
        accl.wait()
    assert got == list(range(200))


def test_outputs_belong_to_the_caller(identity: bytes, frame: Any) -> None:
    with SyncAccl(identity) as accl:
        outputs = [accl.run(frame(number)) for number in range(100)]
    for number, output in enumerate(outputs):
        assert (output == number).all()
        assert output.flags.c_contiguous
        assert output.flags.writeable
        output[:] = -1


def test_ports_follow_the_program_even_where_the_graph_has_another_order(
    models: Any, frame: Any
) -> None:
    graph = models.sum_and_difference().SerializeToString()
    tensors = {
        name: TensorInfo(name, (1, 4), "float32", port)
        for port, name in [(0, "b"), (1, "a"), (0, "difference"), (1, "total")]
    }
    entry = ModelEntry(
        name="swapped",
        main="m.onnx",
        inputs=(tensors["b"], tensors["a"]),
        outputs=(tensors["difference"], tensors["total"]),
    )
    dfp = pack_dfp(name="swapped", models=[entry], graphs={"m.onnx": graph})
    with SyncAccl(dfp) as accl:
        assert accl.inport_assignment() == {0: "b", 1: "a"}
        difference, total = accl.run([frame(3), frame(5)])
    assert (difference[0, 0], total[0, 0]) == (2, 8)


def test_a_program_whose_tensors_are_not_those_of_its_graph_is_refused(models: Any) -> None:
    entry = ModelEntry(
        name="wrong",
        main="m.onnx",
        inputs=(TensorInfo("picture", (1, 4), "float32"),),
        outputs=(TensorInfo("y", (1, 4), "float32"),),
    )
    graph = models.identity().SerializeToString()
    dfp = pack_dfp(name="wrong", models=[entry], graphs={"m.onnx": graph})
    with pytest.raises(ProgramMalformedError, match="different tensors, picture and x"):
        SyncAccl(dfp)
