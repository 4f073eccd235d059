"""createProcessingThreads and stopProcessingThreads, of a handle and of a queue set alike."""

import os
import threading
import time
from typing import Any

import numpy as np
import pytest

from engine.handle import (
    Handle,
    HandleReentryError,
    Model,
    ProcessingAbortedError,
    ProcessingContext,
    ProcessingContextNoLongerValidError,
    ProcessingQueueSet,
)
from engine.handle.errors import ThreadsExistError


@pytest.fixture(params=["handle", "queue set"])
def threads(request: pytest.FixtureRequest, handle: Handle) -> Any:
    """What has createProcessingThreads and stopProcessingThreads."""
    return handle if request.param == "handle" else ProcessingQueueSet(handle)


def background() -> set[str]:
    return {t.name for t in threading.enumerate() if t.name.startswith("processing-")}


def context_of(handle: Handle, threads: Any, programs: Any, **more: Any) -> ProcessingContext:
    queue_set = None if threads is handle else threads
    context = ProcessingContext(Model(handle, programs.double(**more)), queue_set)
    context.setSourceData(np.ones((1, 4), np.float32))
    return context


# -- createProcessingThreads


def test_calling_it_is_optional_processing_is_single_threaded_by_default(
    handle: Handle, programs: Any, device: Any, threads: Any
) -> None:
    context = context_of(handle, threads, programs)
    context.setSourceData(np.ones((5, 4), np.float32))
    context.processNext()
    assert device.threads == {"MainThread"}


def test_it_starts_count_minus_one_threads(threads: Any) -> None:
    threads.createProcessingThreads(4)
    assert background() == {"processing-1", "processing-2", "processing-3"}


def test_processing_uses_count_threads_the_caller_being_number_0(
    handle: Handle, programs: Any, device: Any, threads: Any
) -> None:
    threads.createProcessingThreads(4)
    context = context_of(handle, threads, programs)
    context.setSourceData(np.ones((40, 4), np.float32))
    device.takes_s = 0.005
    context.processNext()
    assert device.threads == {"MainThread", "processing-1", "processing-2", "processing-3"}
    assert device.most_running == 4


def test_it_may_only_be_called_without_background_threads(
    handle: Handle, programs: Any, threads: Any
) -> None:
    threads.createProcessingThreads(2)
    context = context_of(handle, threads, programs)
    with pytest.raises(ThreadsExistError, match="stopProcessingThreads first"):
        threads.createProcessingThreads(3)
    assert background() == {"processing-1"}
    context.processNext()  # nothing was changed


def test_after_stop_the_number_of_threads_can_be_changed(threads: Any) -> None:
    threads.createProcessingThreads(2)
    threads.stopProcessingThreads()
    assert background() == set()
    threads.createProcessingThreads(3)
    assert background() == {"processing-1", "processing-2"}


def test_contexts_created_before_are_invalid_and_can_only_be_destroyed(
    handle: Handle, programs: Any, threads: Any
) -> None:
    context = context_of(handle, threads, programs)
    threads.createProcessingThreads(2)
    assert not context.isValid
    uses = [
        context.processNext,
        context.abort,
        context.resetState,
        context.numOutputSinks,
        lambda: context.outputSinkData(0),
        lambda: context.outputSinkMetaInfo(0),
        lambda: context.findOutputSink(0),
        lambda: context.setSourceData(np.ones((1, 4), np.float32)),
    ]
    for use in uses:
        with pytest.raises(ProcessingContextNoLongerValidError, match="threads of the") as caught:
            use()
        assert caught.value.code == "context_no_longer_valid"
    assert "were created after it" in context.invalidReason


def test_contexts_of_other_queue_sets_stay_valid(handle: Handle, programs: Any) -> None:
    queue_set = ProcessingQueueSet(handle)
    other = context_of(handle, queue_set, programs)
    own = context_of(handle, handle, programs)
    handle.createProcessingThreads(2)
    other.processNext()
    assert not own.isValid
    queue_set.createProcessingThreads(2)
    assert not other.isValid


def test_the_function_is_called_at_the_beginning_of_every_background_thread(
    threads: Any,
) -> None:
    calls = []

    def init(thread_id: int, thread_count: int) -> None:
        calls.append((thread_id, thread_count, threading.current_thread().name))

    threads.createProcessingThreads(4, init)
    assert calls == [
        (1, 4, "processing-1"),
        (2, 4, "processing-2"),
        (3, 4, "processing-3"),
    ]


def test_the_function_may_be_given_by_its_name(threads: Any) -> None:
    calls = []
    threads.createProcessingThreads(count=2, initFunction=lambda *ids: calls.append(ids))
    assert calls == [(1, 2)]


def test_it_returns_once_all_functions_have_run(threads: Any) -> None:
    done = []

    def init(thread_id: int, thread_count: int) -> None:
        threading.Event().wait(0.02)
        done.append(thread_id)

    threads.createProcessingThreads(3, init)
    assert done == [1, 2]


def test_the_function_is_never_called_on_the_callers_thread(threads: Any) -> None:
    idents = []
    threads.createProcessingThreads(3, lambda *_: idents.append(threading.get_ident()))
    assert threading.get_ident() not in idents
    assert len(set(idents)) == 2


def test_threads_are_created_one_after_the_other(threads: Any) -> None:
    spans = []

    def init(thread_id: int, thread_count: int) -> None:
        begun = time.monotonic()
        alive = background()
        threading.Event().wait(0.01)
        spans.append((begun, time.monotonic(), alive))

    threads.createProcessingThreads(4, init)
    ends = [end for _, end, _ in spans]
    begins = [begin for begin, _, _ in spans]
    assert all(end <= begin for end, begin in zip(ends, begins[1:], strict=False))
    assert spans[0][2] == {"processing-1"}


class OddError(Exception):
    pass


def test_what_the_function_raises_comes_out_of_the_call(threads: Any) -> None:
    error = OddError("no affinity")

    def init(thread_id: int, thread_count: int) -> None:
        if thread_id == 2:
            raise error

    with pytest.raises(OddError) as caught:
        threads.createProcessingThreads(4, init)
    assert caught.value is error


@pytest.mark.parametrize("kind", [SystemExit, KeyboardInterrupt, OddError])
def test_after_an_error_no_thread_is_left_and_it_can_be_called_again(
    threads: Any, kind: type[BaseException]
) -> None:
    def init(thread_id: int, thread_count: int) -> None:
        if thread_id == 3:
            raise kind

    with pytest.raises(kind):
        threads.createProcessingThreads(4, init)
    assert background() == set()
    threads.createProcessingThreads(2)
    assert background() == {"processing-1"}


def test_contexts_created_before_a_failed_call_are_invalid_too(
    handle: Handle, programs: Any, threads: Any
) -> None:
    context = context_of(handle, threads, programs)

    def init(thread_id: int, thread_count: int) -> None:
        raise OddError

    with pytest.raises(OddError):
        threads.createProcessingThreads(2, init)
    assert not context.isValid


@pytest.mark.parametrize(
    "use",
    [
        lambda handle, threads: threads.createProcessingThreads(2),
        lambda handle, threads: threads.stopProcessingThreads(),
        lambda handle, threads: handle.processingPluginCount(),
        lambda handle, threads: handle.processingPluginSetEnabled(0, True),
        lambda handle, threads: handle.setDriverBaseDirectory(None),
        lambda handle, threads: handle.close(),
        lambda handle, threads: ProcessingQueueSet(handle),
        lambda handle, threads: Model(handle, b""),
    ],
)
def test_using_the_handle_inside_the_function_raises_where_the_original_deadlocks(
    handle: Handle, threads: Any, use: Any
) -> None:
    def init(thread_id: int, thread_count: int) -> None:
        use(handle, threads)

    begun = time.monotonic()
    with pytest.raises(HandleReentryError) as caught:
        threads.createProcessingThreads(3, init)
    assert time.monotonic() - begun < 5
    assert caught.value.code == "handle_reentry"
    assert background() == set()
    threads.createProcessingThreads(2)  # the handle is as good as new


def test_using_a_context_inside_the_function_raises(
    handle: Handle, programs: Any, threads: Any
) -> None:
    context = context_of(handle, threads, programs)
    with pytest.raises(HandleReentryError):
        threads.createProcessingThreads(2, lambda *_: context.processNext())


def test_the_last_reference_may_be_deleted_inside_the_function(license_data: bytes) -> None:
    holder = [Handle(license_data)]
    create = holder[0].createProcessingThreads

    def init(thread_id: int, thread_count: int) -> None:
        holder.clear()

    create(2, init)
    del create
    with Handle(license_data):
        assert background() == set()


def test_a_context_made_while_threads_are_being_created_is_invalid(
    handle: Handle, programs: Any, threads: Any, in_thread: Any
) -> None:
    made: list[ProcessingContext] = []

    def init(thread_id: int, thread_count: int) -> None:
        call = in_thread(lambda: made.append(context_of(handle, threads, programs)))
        call.join()

    threads.createProcessingThreads(3, init)
    assert [context.isValid for context in made] == [False, False]
    context_of(handle, threads, programs).processNext()


@pytest.mark.parametrize("count", [0, -1, -100])
def test_a_count_below_1_is_refused(threads: Any, count: int) -> None:
    with pytest.raises(RuntimeError, match="1 or more"):
        threads.createProcessingThreads(count)


@pytest.mark.parametrize("count", [True, 2.5, "4", None, [2]])
def test_a_count_that_is_no_whole_number_is_refused(threads: Any, count: Any) -> None:
    with pytest.raises(RuntimeError, match="whole number"):
        threads.createProcessingThreads(count)


def test_a_wrong_argument_changes_nothing(handle: Handle, programs: Any, threads: Any) -> None:
    context = context_of(handle, threads, programs)
    with pytest.raises(RuntimeError):
        threads.createProcessingThreads(0)
    with pytest.raises(RuntimeError, match="initFunction"):
        threads.createProcessingThreads(2, 5)
    context.processNext()


def test_a_count_of_1_starts_no_thread_and_can_be_repeated(threads: Any) -> None:
    calls: list[Any] = []
    threads.createProcessingThreads(1, lambda *ids: calls.append(ids))
    threads.createProcessingThreads(np.int64(1))
    assert (background(), calls) == (set(), [])


def test_a_system_without_threads_left_leaves_none_behind(
    threads: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    start = threading.Thread.start

    def refuse(thread: threading.Thread) -> None:
        if thread.name == "processing-3":
            raise RuntimeError("can't start new thread")
        start(thread)

    monkeypatch.setattr(threading.Thread, "start", refuse)
    with pytest.raises(RuntimeError, match="use fewer threads"):
        threads.createProcessingThreads(5)
    assert background() == set()


def test_processing_returns_when_the_slowest_thread_is_done(
    handle: Handle, programs: Any, threads: Any, device: Any, in_thread: Any
) -> None:
    threads.createProcessingThreads(2)
    context = context_of(handle, threads, programs)
    device.hold("processing-1")
    while True:  # until the background thread has got a block
        context.setSourceData(np.full((500, 4), 3, np.float32))
        call = in_thread(context.processNext)
        for _ in range(500):
            assert device.entered.acquire(timeout=10)
        call.thread.join(0.1)
        if "processing-1" in device.threads:
            break
    assert call.thread.is_alive()
    device.release()
    call.join()
    assert call.error is None
    np.testing.assert_array_equal(context.outputSinkData(0), np.full((500, 4), 6))


# -- stopProcessingThreads


def test_it_stops_all_background_threads(threads: Any) -> None:
    threads.createProcessingThreads(4)
    threads.stopProcessingThreads()
    assert background() == set()


def test_it_is_always_successful(threads: Any) -> None:
    for _ in range(3):
        threads.stopProcessingThreads()
    threads.createProcessingThreads(2)
    for _ in range(3):
        threads.stopProcessingThreads()


def test_it_invalidates_contexts_even_without_threads(
    handle: Handle, programs: Any, threads: Any
) -> None:
    context = context_of(handle, threads, programs)
    threads.stopProcessingThreads()
    with pytest.raises(ProcessingContextNoLongerValidError, match="were stopped after it"):
        context.processNext()


def test_it_leaves_contexts_of_other_queue_sets_alone(handle: Handle, programs: Any) -> None:
    queue_set = ProcessingQueueSet(handle)
    context = context_of(handle, queue_set, programs)
    handle.stopProcessingThreads()
    context.processNext()


@pytest.mark.parametrize("count", [1, 3])
def test_it_aborts_processing_and_waits_until_that_is_done(
    handle: Handle, programs: Any, threads: Any, device: Any, in_thread: Any, count: int
) -> None:
    threads.createProcessingThreads(count)
    context = context_of(handle, threads, programs)
    context.setSourceData(np.ones((100, 4), np.float32))
    device.hold()
    call = in_thread(context.processNext)
    for _ in range(count):
        assert device.entered.acquire(timeout=10)
    stopping = in_thread(threads.stopProcessingThreads)
    stopping.thread.join(0.05)
    assert stopping.thread.is_alive()
    device.release()
    stopping.join()
    assert device.running == 0
    call.join()
    assert isinstance(call.error, ProcessingAbortedError)
    assert device.runs <= count + 1
    assert background() == set()


def test_a_context_that_waits_for_its_turn_learns_that_it_is_invalid(
    handle: Handle, programs: Any, threads: Any, device: Any, in_thread: Any
) -> None:
    first, second = (context_of(handle, threads, programs) for _ in range(2))
    device.hold()
    one = in_thread(first.processNext)
    device.entered.acquire(timeout=10)
    two = in_thread(second.processNext)
    stopping = in_thread(threads.stopProcessingThreads)
    while first.isValid:
        threading.Event().wait(0.001)
    device.release()
    for call in (one, two, stopping):
        call.join()
    assert isinstance(two.error, ProcessingContextNoLongerValidError)


def test_it_stops_a_creation_that_is_under_way(threads: Any, in_thread: Any) -> None:
    is_inside, may_go_on = threading.Event(), threading.Event()

    def init(thread_id: int, thread_count: int) -> None:
        is_inside.set()
        may_go_on.wait(10)

    creating = in_thread(lambda: threads.createProcessingThreads(5, init))
    is_inside.wait(10)
    stopping = in_thread(threads.stopProcessingThreads)
    stopping.thread.join(0.05)
    may_go_on.set()
    stopping.join()
    creating.join()
    assert isinstance(creating.error, ProcessingAbortedError)
    assert background() == set()


def test_deleting_a_queue_set_ends_its_threads_and_its_contexts_only(
    handle: Handle, programs: Any
) -> None:
    queue_set = ProcessingQueueSet(handle)
    queue_set.createProcessingThreads(3)
    its = context_of(handle, queue_set, programs)
    other = context_of(handle, handle, programs)
    del queue_set
    assert background() == set()
    with pytest.raises(ProcessingContextNoLongerValidError, match="queue set was deleted"):
        its.processNext()
    other.processNext()


def test_a_closed_queue_set_cannot_be_used(handle: Handle, programs: Any) -> None:
    with ProcessingQueueSet(handle) as queue_set:
        model = Model(handle, programs.double())
    queue_set.close()
    queue_set.stopProcessingThreads()
    with pytest.raises(RuntimeError, match="closed"):
        queue_set.createProcessingThreads(2)
    with pytest.raises(RuntimeError, match="closed"):
        ProcessingContext(model, queue_set)


def test_threads_survive_an_error_of_the_device(
    handle: Handle, programs: Any, device: Any, threads: Any
) -> None:
    threads.createProcessingThreads(3)
    context = context_of(handle, threads, programs)
    context.setSourceData(np.ones((20, 4), np.float32))
    device.error = OddError("the device broke")
    with pytest.raises(OddError):
        context.processNext()
    device.error = None
    context.processNext()
    assert context.outputSinkData(0).sum() == 160
    assert len(background()) == 2


@pytest.mark.skipif(not hasattr(os, "sched_setaffinity"), reason="the system has no such call")
def test_the_function_may_set_its_threads_cpu_affinity(threads: Any) -> None:
    allowed = sorted(os.sched_getaffinity(0))
    seen: dict[int, set[int]] = {}

    def pin(thread_id: int, count: int) -> None:
        os.sched_setaffinity(0, {allowed[0]})
        seen[threading.get_native_id()] = {allowed[0]}

    threads.createProcessingThreads(3, pin)

    assert len(seen) == 2
    assert {thread: os.sched_getaffinity(thread) for thread in seen} == seen
    assert sorted(os.sched_getaffinity(0)) == allowed
