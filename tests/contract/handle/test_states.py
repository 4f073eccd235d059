"""Models with a state: what a context carries from one block to the next, and what resets it."""

from itertools import pairwise
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from onnx import TensorProto, helper

from engine.dfp import NeuralCompiler
from engine.errors import DeviceError, ProgramMalformedError
from engine.handle import (
    Handle,
    HSICube_StorageOrder,
    Model,
    ProcessingAbortedError,
    ProcessingContext,
    PushBroomFrame_StorageOrder,
)
from engine.handle.errors import ArgumentError, HandleArgumentTypeError, SourceDataError
from tests.support.networks import model_of

Array = np.ndarray[Any, Any]

LINES, SAMPLES, BANDS = 40, 3, 2
BIP = HSICube_StorageOrder.BIP


def value(name: str, *shape: int | str) -> Any:
    return helper.make_tensor_value_info(name, TensorProto.FLOAT, shape)


def running_sum(programs: Any, **metadata: str) -> bytes:
    """total = x + before; the next before is the total"""
    return programs.pack(
        [
            helper.make_node("Add", ["x", "before"], ["total"]),
            helper.make_node("Identity", ["total"], ["after"]),
        ],
        [value("x", 1, 4), value("before", 1, 4)],
        [value("after", 1, 4), value("total", 1, 4)],
        metadata=metadata,
    )


def difference(programs: Any, *, many: bool, **metadata: str) -> bytes:
    """y = each line minus the one before it; one line per run, or as many as there are"""
    lines = "n" if many else 1
    nodes = [
        helper.make_node("Concat", ["before", "x"], ["all"], axis=0),
        helper.make_node("Slice", ["all", "0", "-1", "0"], ["shifted"]),
        helper.make_node("Sub", ["x", "shifted"], ["y"]),
        helper.make_node("Slice", ["x", "-1", "end", "0"], ["after"]),
    ]
    constants = {
        "0": np.array([0]),
        "-1": np.array([-1]),
        "end": np.array([2**31]),
    }
    return programs.pack(
        nodes,
        [value("x", lines, "s", BANDS), value("before", 1, "s", BANDS)],
        [value("y", lines, "s", BANDS), value("after", 1, "s", BANDS)],
        constants,
        metadata={"states": "before=after", **metadata},
    )


def cube_of(lines: int = LINES) -> Array:
    shape = (lines, SAMPLES, BANDS)
    return np.random.default_rng(lines).integers(0, 99, shape).astype(np.float32)


def differences(cube: Array) -> Array:
    return np.diff(cube, axis=0, prepend=np.zeros((1, *cube.shape[1:]), np.float32))


def processed(context: ProcessingContext, data: Array) -> Array:
    context.setSourceData(data)
    context.processNext()
    return context.outputSinkData(0).copy()


@pytest.fixture
def context(handle: Handle, programs: Any) -> ProcessingContext:
    return ProcessingContext(Model(handle, running_sum(programs, states="before=after")))


ONES = np.ones((1, 4), np.float32)


def test_the_state_goes_from_call_to_call(context: ProcessingContext) -> None:
    assert [processed(context, ONES)[0, 0] for _ in range(3)] == [1, 2, 3]


def test_the_state_is_neither_given_nor_shown(context: ProcessingContext) -> None:
    assert context.numOutputSinks() == 1
    assert context.outputSinkMetaInfo(0).name == "total"
    with pytest.raises(SourceDataError, match="1 inputs"):
        context.setSourceData([ONES, ONES])


def test_after_reset_the_same_data_give_the_same_results(context: ProcessingContext) -> None:
    first = [processed(context, ONES) for _ in range(3)]
    context.resetState()
    with pytest.raises(RuntimeError, match="no results"):
        context.outputSinkData(0)
    assert [result.tolist() for result in first] == [
        processed(context, ONES).tolist() for _ in range(3)
    ]


def test_every_context_has_a_state_of_its_own(handle: Handle, programs: Any) -> None:
    model = Model(handle, running_sum(programs, states="before=after"))
    one, other = ProcessingContext(model), ProcessingContext(model)
    assert [processed(one, ONES)[0, 0] for _ in range(3)] == [1, 2, 3]
    assert processed(other, ONES)[0, 0] == 1


def test_the_state_may_be_named_when_loading(handle: Handle, programs: Any) -> None:
    model = Model(handle, running_sum(programs), states={"before": "after"})
    assert model.states == {"before": "after"}
    context = ProcessingContext(model)
    assert [processed(context, ONES)[0, 0] for _ in range(2)] == [1, 2]


def test_without_a_word_of_it_a_model_has_no_state(handle: Handle, programs: Any) -> None:
    context = ProcessingContext(Model(handle, running_sum(programs)))
    context.setSourceData([ONES, ONES])
    context.processNext()
    context.processNext()
    assert context.numOutputSinks() == 2
    assert context.outputSinkData(0)[0, 0] == 2


def test_a_batch_is_processed_in_order(handle: Handle, programs: Any) -> None:
    handle.createProcessingThreads(3)
    context = ProcessingContext(
        Model(handle, running_sum(programs, states="before=after")), splitsBatch=True
    )
    batch = np.ones((200, 4), np.float32)
    assert processed(context, batch)[:, 0].tolist() == list(range(1, 201))
    assert processed(context, batch)[0, 0] == 201


@pytest.mark.parametrize("many", [False, True])
@pytest.mark.parametrize("threads", [1, 3])
def test_lines_of_a_cube_are_processed_in_order(
    handle: Handle, programs: Any, many: bool, threads: int
) -> None:
    handle.createProcessingThreads(threads)
    cube = cube_of(3000)
    model = Model(handle, difference(programs, many=many))
    context = ProcessingContext.createHSICube(model, BIP, cube.dtype, cube.shape)
    np.testing.assert_array_equal(processed(context, cube), differences(cube))


@settings(deadline=None, max_examples=15, suppress_health_check=list(HealthCheck))
@given(cuts=st.lists(st.integers(1, LINES - 1), max_size=5), many=st.booleans())
def test_property_pieces_of_a_cube_give_the_same_as_the_whole(
    handle: Handle, programs: Any, cuts: list[int], many: bool
) -> None:
    cube = cube_of()
    model = Model(handle, difference(programs, many=many))
    context = ProcessingContext.createHSICube(
        model, BIP, cube.dtype, (LINES, SAMPLES, BANDS), variableSpatialSize=False
    )
    whole = processed(context, cube)
    frames = ProcessingContext.createPushBroomFrame(
        model, PushBroomFrame_StorageOrder.LambdaX, cube.dtype, (SAMPLES, BANDS)
    )
    lines = np.concatenate([processed(frames, line) for line in cube])
    np.testing.assert_array_equal(lines, whole)
    edges = [0, *sorted(set(cuts)), LINES]
    for begin, end in pairwise(edges):
        piece = cube[begin:end]
        part = ProcessingContext.createHSICube(model, BIP, cube.dtype, piece.shape)
        expected = differences(cube)[begin:end].copy()
        expected[0] = piece[0]  # a new context knows nothing of the line before
        np.testing.assert_array_equal(processed(part, piece), expected)


def test_a_state_of_free_size_needs_a_fixed_number_of_samples(
    handle: Handle, programs: Any
) -> None:
    model = Model(handle, difference(programs, many=True))
    with pytest.raises(ArgumentError, match="axis of free size"):
        ProcessingContext.createHSICube(
            model, BIP, np.float32, (4, SAMPLES, BANDS), variableSpatialSize=True
        )
    with pytest.raises(ArgumentError, match="axis of free size"):
        ProcessingContext(model)


def test_a_model_says_how_far_its_results_lag_behind(handle: Handle, programs: Any) -> None:
    program = difference(programs, many=True, output_delay_lines="7")
    context = ProcessingContext.createHSICube(
        Model(handle, program), BIP, np.float32, (4, SAMPLES, BANDS)
    )
    assert context.outputSinkMetaInfo(0).outputDelay == 7


# -- what goes wrong leaves the state alone


def test_after_an_error_the_state_is_that_of_before_the_call(
    handle: Handle, programs: Any, device: Any
) -> None:
    context = ProcessingContext(Model(handle, running_sum(programs, states="before=after")))
    assert processed(context, ONES)[0, 0] == 1
    device.error = DeviceError("broken")
    batch = np.ones((5, 4), np.float32)
    with pytest.raises(DeviceError):
        processed(context, batch)
    device.error = None
    assert processed(context, batch)[:, 0].tolist() == [2, 3, 4, 5, 6]


def test_after_an_abort_the_state_is_that_of_before_the_call(
    handle: Handle, programs: Any, device: Any, in_thread: Any
) -> None:
    context = ProcessingContext(Model(handle, running_sum(programs, states="before=after")))
    batch = np.ones((5, 4), np.float32)
    context.setSourceData(batch)
    device.hold()
    call = in_thread(context.processNext)
    assert device.entered.acquire(timeout=20)
    context.abort()
    device.release()
    call.join()
    assert isinstance(call.error, ProcessingAbortedError)
    assert processed(context, batch)[:, 0].tolist() == [1, 2, 3, 4, 5]


# -- what cannot be a state


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("before", "no pairs input=output"),
        ("before=", "no pairs input=output"),
        ("before=after=total", "no pairs input=output"),
        ("before=after,before=total", "name an input twice"),
    ],
)
def test_metadata_that_are_no_pairs_are_named(
    handle: Handle, programs: Any, text: str, words: str
) -> None:
    with pytest.raises(ProgramMalformedError, match=words):
        ProcessingContext(Model(handle, running_sum(programs, states=text)))


@pytest.mark.parametrize(
    ("states", "words"),
    [
        ({"was": "after"}, "inputs x, before"),
        ({"before": "will"}, "outputs after, total"),
        ({"before": "after", "x": "after"}, "same output"),
        ({"before": "after", "x": "total"}, "needs an input for the data"),
    ],
)
def test_a_state_that_is_no_pair_is_named(
    handle: Handle, programs: Any, states: dict[str, str], words: str
) -> None:
    with pytest.raises(ArgumentError, match=words):
        ProcessingContext(Model(handle, running_sum(programs), states=states))


def test_a_state_of_two_sizes_is_named(handle: Handle, programs: Any) -> None:
    program = programs.pack(
        [
            helper.make_node("Add", ["x", "before"], ["y"]),
            helper.make_node("Concat", ["y", "y"], ["after"], axis=1),
        ],
        [value("x", 1, 4), value("before", 1, 4)],
        [value("y", 1, 4), value("after", 1, 8)],
    )
    with pytest.raises(ArgumentError, match="have to be equal"):
        ProcessingContext(Model(handle, program, states={"before": "after"}))


@pytest.mark.parametrize("states", ["before=after", 5, [("before", "after")], {1: "after"}])
def test_states_are_names(handle: Handle, programs: Any, states: Any) -> None:
    with pytest.raises(HandleArgumentTypeError, match="maps names"):
        Model(handle, running_sum(programs), states=states)


@pytest.mark.parametrize("text", ["-1", "1.5", "9" * 20, "five"])
def test_a_delay_is_a_number_of_lines(handle: Handle, programs: Any, text: str) -> None:
    with pytest.raises(ProgramMalformedError, match="no number of lines"):
        ProcessingContext(
            Model(handle, running_sum(programs, states="before=after", output_delay_lines=text))
        )


def test_the_compiler_keeps_what_a_model_says_about_its_state(handle: Handle) -> None:
    model = model_of(
        [
            helper.make_node("Add", ["x", "before"], ["total"]),
            helper.make_node("Identity", ["total"], ["after"]),
        ],
        {"x": (1, 4), "before": (1, 4)},
        {"total": (1, 4), "after": (1, 4)},
    )
    helper.set_model_props(model, {"states": "before=after"})
    context = ProcessingContext(Model(handle, NeuralCompiler(models=model).run()))
    assert [processed(context, ONES)[0, 0] for _ in range(3)] == [1, 2, 3]
