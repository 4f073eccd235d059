"""ProcessingContext for plain tensors: data in, results out, turns, aborting."""

import threading
from typing import Any

import numpy as np
import psutil
import pytest

from engine.handle import (
    Handle,
    Model,
    ProcessingAbortedError,
    ProcessingContext,
    ProcessingQueueSet,
)
from engine.handle.errors import (
    ContextBusyError,
    NoSourceDataError,
    OutputNotReadyError,
    SourceDataError,
)


def ones(lines: int = 1, value: float = 1) -> Any:
    return np.full((lines, 4), value, np.float32)


@pytest.fixture
def model(handle: Handle, programs: Any) -> Model:
    return Model(handle, programs.double())


@pytest.fixture
def context(model: Model) -> ProcessingContext:
    return ProcessingContext(model)


def test_data_in_results_out(context: ProcessingContext) -> None:
    context.setSourceData(ones(1, 3))
    context.processNext()
    np.testing.assert_array_equal(context.outputSinkData(0), ones(1, 6))


def test_several_inputs_and_outputs(handle: Handle, programs: Any) -> None:
    context = ProcessingContext(Model(handle, programs.sum_and_difference()))
    a, b = np.full((2, 3), 5, np.float32), np.full((2, 3), 3, np.float32)
    context.setSourceData([a, b])
    context.processNext()
    assert context.numOutputSinks() == 2
    np.testing.assert_array_equal(context.outputSinkData(0), a + b)
    np.testing.assert_array_equal(context.outputSinkData(1), a - b)


def test_processing_without_data_is_an_error(context: ProcessingContext) -> None:
    with pytest.raises(NoSourceDataError, match="setSourceData"):
        context.processNext()


def test_results_before_the_first_processing_are_an_error(context: ProcessingContext) -> None:
    context.setSourceData(ones())
    with pytest.raises(OutputNotReadyError, match="processNext"):
        context.outputSinkData(0)


def test_only_a_reference_to_the_data_is_kept(context: ProcessingContext) -> None:
    data = ones()
    context.setSourceData(data)
    data[...] = 7
    context.processNext()
    assert context.outputSinkData(0)[0, 0] == 14


def test_the_same_data_may_be_processed_again(context: ProcessingContext) -> None:
    data = ones()
    context.setSourceData(data)
    for value in (1, 2, 3):
        data[...] = value
        context.processNext()
        assert context.outputSinkData(0)[0, 0] == 2 * value


def test_a_result_is_a_view_that_the_next_processing_overwrites(
    context: ProcessingContext,
) -> None:
    context.setSourceData(ones())
    context.processNext()
    view = context.outputSinkData(0)
    context.setSourceData(ones(1, 5))
    context.processNext()
    assert view[0, 0] == 10


def test_a_result_cannot_be_written_to(context: ProcessingContext) -> None:
    context.setSourceData(ones())
    context.processNext()
    with pytest.raises(ValueError, match="read-only"):
        context.outputSinkData(0)[0, 0] = 1


@pytest.mark.parametrize(
    "wrong",
    [
        np.ones((1, 4)),
        np.ones((1, 4), np.int32),
        np.ones(4, np.float32),
        np.ones((1, 5), np.float32),
        np.ones((0, 4), np.float32),
        np.ones((1, 1, 4), np.float32),
        np.ones((1, 4), ">f4"),
        [np.ones((1, 4), np.float32)] * 2,
        [],
    ],
    ids=str,
)
def test_data_that_does_not_fit_is_refused_and_the_context_stays_usable(
    context: ProcessingContext, wrong: Any
) -> None:
    context.setSourceData(ones(1, 3))
    with pytest.raises(SourceDataError) as caught:
        context.setSourceData(wrong)
    assert isinstance(caught.value, RuntimeError)
    assert caught.value.code == "source_data"
    context.processNext()
    assert context.outputSinkData(0)[0, 0] == 6


@pytest.mark.parametrize("wrong", [None, 5, "x", [1.0], ([1.0],)])
def test_data_that_is_no_array_is_refused(context: ProcessingContext, wrong: Any) -> None:
    with pytest.raises(RuntimeError, match="NumPy array"):
        context.setSourceData(wrong)


def test_data_may_lie_in_memory_in_any_way(handle: Handle, programs: Any) -> None:
    context = ProcessingContext(Model(handle, programs.double((0, 4))))
    data = np.arange(24, dtype=np.float32).reshape(4, 6).T[:, ::1]
    for array in (data, data[::2], data[::-1]):
        context.setSourceData(array)
        context.processNext()
        np.testing.assert_array_equal(context.outputSinkData(0), 2 * array)


# -- sinks


def test_sinks_tell_what_they_hold(handle: Handle, programs: Any) -> None:
    context = ProcessingContext(Model(handle, programs.sum_and_difference()))
    info = context.outputSinkMetaInfo(1)
    assert (info.index, info.id, info.name, info.dtype) == (1, 1, "difference", "float32")
    assert (info.shape, info.storageType, info.outputDelay) == ((0, 3), "Tensor", 0)
    assert context.findOutputSink(1) == 1


@pytest.mark.parametrize("index", [-1, 1, 99])
def test_a_sink_that_is_not_there_is_an_index_error(context: ProcessingContext, index: int) -> None:
    context.setSourceData(ones())
    context.processNext()
    for question in (context.outputSinkData, context.outputSinkMetaInfo, context.findOutputSink):
        with pytest.raises(IndexError) as caught:
            question(index)
        assert isinstance(caught.value, RuntimeError)


@pytest.mark.parametrize("index", ["0", None, 0.0])
def test_a_sinks_index_is_a_whole_number(context: ProcessingContext, index: Any) -> None:
    with pytest.raises(RuntimeError, match="whole number"):
        context.outputSinkMetaInfo(index)


# -- batches


def test_a_batch_of_any_size_is_cut_into_blocks(model: Model, device: Any) -> None:
    context = ProcessingContext(model)
    data = np.arange(40, dtype=np.float32).reshape(10, 4)
    context.setSourceData(data)
    context.processNext()
    np.testing.assert_array_equal(context.outputSinkData(0), 2 * data)
    assert device.runs == 10


def test_batches_may_differ_from_call_to_call(context: ProcessingContext) -> None:
    for lines in (3, 1, 7, 7):
        context.setSourceData(ones(lines, lines))
        context.processNext()
        np.testing.assert_array_equal(context.outputSinkData(0), ones(lines, 2 * lines))


def test_a_model_that_looks_at_the_whole_batch_gets_it_whole(handle: Handle, programs: Any) -> None:
    handle.createProcessingThreads(3)
    context = ProcessingContext(Model(handle, programs.whole()), splitsBatch=False)
    context.setSourceData(ones(100_000))
    context.processNext()
    np.testing.assert_allclose(context.outputSinkData(0), ones(100_000) / 400_000, rtol=1e-6)


def test_a_larger_batch_needs_splitting(model: Model) -> None:
    context = ProcessingContext(model, splitsBatch=False)
    with pytest.raises(SourceDataError):
        context.setSourceData(ones(2))


# -- state


def test_after_reset_there_are_no_results(context: ProcessingContext) -> None:
    context.setSourceData(ones())
    context.processNext()
    before = context.outputSinkData(0).copy()
    context.resetState()
    with pytest.raises(OutputNotReadyError):
        context.outputSinkData(0)
    context.processNext()
    np.testing.assert_array_equal(context.outputSinkData(0), before)


def test_a_failed_processing_leaves_no_results(device: Any, model: Model) -> None:
    context = ProcessingContext(model)
    context.setSourceData(ones())
    context.processNext()
    device.error = ZeroDivisionError("the device broke")
    with pytest.raises(ZeroDivisionError):
        context.processNext()
    with pytest.raises(OutputNotReadyError):
        context.outputSinkData(0)


# -- aborting


def test_abort_ends_a_running_processing(
    handle: Handle, programs: Any, device: Any, in_thread: Any
) -> None:
    context = ProcessingContext(Model(handle, programs.double()))
    context.setSourceData(ones(50))
    device.hold()
    call = in_thread(context.processNext)
    device.entered.acquire(timeout=10)
    context.abort()  # does not wait
    assert call.thread.is_alive()
    device.release()
    call.join()
    assert isinstance(call.error, ProcessingAbortedError)
    assert call.error.code == "processing_aborted"
    assert device.runs == 1
    with pytest.raises(OutputNotReadyError):
        context.outputSinkData(0)
    context.processNext()
    np.testing.assert_array_equal(context.outputSinkData(0), ones(50, 2))


def test_abort_with_nothing_running_does_nothing(context: ProcessingContext) -> None:
    context.abort()
    context.setSourceData(ones())
    context.processNext()
    context.abort()
    context.processNext()
    assert context.outputSinkData(0)[0, 0] == 2


def test_abort_reaches_a_context_that_waits_for_its_turn(
    model: Model, device: Any, in_thread: Any
) -> None:
    first, second = ProcessingContext(model), ProcessingContext(model)
    for context in (first, second):
        context.setSourceData(ones())
    device.hold()
    one = in_thread(first.processNext)
    device.entered.acquire(timeout=10)
    two = in_thread(second.processNext)
    while second._processing._job is None:
        threading.Event().wait(0.001)
    second.abort()
    device.release()
    one.join()
    two.join()
    assert one.error is None
    assert isinstance(two.error, ProcessingAbortedError)


# -- several threads of the user


def test_one_queue_set_processes_one_thing_at_a_time(
    model: Model, device: Any, in_thread: Any
) -> None:
    device.takes_s = 0.002
    contexts = [ProcessingContext(model) for _ in range(4)]
    for context in contexts:
        context.setSourceData(ones(5))
    for call in [in_thread(context.processNext) for context in contexts]:
        call.join()
        assert call.error is None
    assert device.most_running == 1
    assert all(context.outputSinkData(0).sum() == 40 for context in contexts)


def test_two_queue_sets_process_at_the_same_time(
    handle: Handle, model: Model, device: Any, in_thread: Any
) -> None:
    sets = [None, ProcessingQueueSet(handle)]
    contexts = [ProcessingContext(model, queue_set) for queue_set in sets]
    device.hold()
    calls = []
    for context in contexts:
        context.setSourceData(ones())
        calls.append(in_thread(context.processNext))
    for _ in contexts:
        assert device.entered.acquire(timeout=10)  # both are inside at once
    device.release()
    for call, context in zip(calls, contexts, strict=True):
        call.join()
        assert context.outputSinkData(0).sum() == 8


def test_two_threads_inside_one_context_are_an_error(
    model: Model, device: Any, in_thread: Any
) -> None:
    context = ProcessingContext(model)
    context.setSourceData(ones())
    device.hold()
    call = in_thread(context.processNext)
    device.entered.acquire(timeout=10)
    for use in (context.processNext, context.resetState, lambda: context.setSourceData(ones())):
        with pytest.raises(ContextBusyError):
            use()
    device.release()
    call.join()
    assert call.error is None


def test_any_thread_may_process(handle: Handle, programs: Any, in_thread: Any) -> None:
    handle.createProcessingThreads(2)
    context = ProcessingContext(Model(handle, programs.double()))
    context.setSourceData(ones(9))
    call = in_thread(context.processNext)
    call.join()
    context.processNext()
    assert call.error is None


def test_a_queue_set_of_another_handle_is_refused(license_data: bytes, programs: Any) -> None:
    with Handle(license_data) as handle:
        queue_set = ProcessingQueueSet(handle)
    with (
        Handle(license_data) as handle,
        pytest.raises(RuntimeError, match="belongs to another handle"),
    ):
        ProcessingContext(Model(handle, programs.double()), queue_set)


@pytest.mark.parametrize("wrong", [5, "set"])
def test_a_queue_set_is_a_queue_set(model: Model, wrong: Any) -> None:
    with pytest.raises(RuntimeError, match="queueSet is"):
        ProcessingContext(model, wrong)


def test_ten_thousand_calls_leave_nothing_behind(context: ProcessingContext) -> None:
    data = ones()
    context.setSourceData(data)
    own = psutil.Process()
    context.processNext()
    before = own.memory_info().rss
    for number in range(10_000):
        data[...] = number
        context.processNext()
    assert context.outputSinkData(0)[0, 0] == 2 * 9_999
    assert own.memory_info().rss - before < 16e6
