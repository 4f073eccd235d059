"""What the original was measured to do, and what ours must do instead where it was at fault."""

import multiprocessing
import threading
from collections import OrderedDict
from multiprocessing.context import ForkContext, SpawnContext
from pathlib import Path
from typing import Any

import numpy as np
import psutil
import pytest

from engine.buffer import (
    BufferFactory,
    BufferInfo,
    BufferIterator,
    BufferState,
    BufferSystem,
    Commander,
    Producer,
    create_buffer_factory,
)
from engine.errors import (
    BusyError,
    ClosedError,
    EngineTimeoutError,
    InvalidArgumentError,
    OutputError,
    WrongStateError,
)
from tests.support.buffer_users import (
    Counting,
    Filling,
    ReturningWhatItIsGiven,
    Trouble,
    TroubledProducer,
    buffer,
    indices,
)
from tests.support.child_processes import child_processes

# -- the low level


def test_a_system_has_the_published_defaults() -> None:
    system = BufferSystem(2)
    assert (system.cpus, system.deterministic) == (2, True)
    assert isinstance(system.context, SpawnContext)


def test_an_info_has_the_published_defaults() -> None:
    info = BufferInfo(((4, 3), (2,)), 8)
    assert (info.shapes, info.count, info.dtype, len(info)) == (((4, 3), (2,)), 8, np.uint8, 2)


def test_there_are_four_states() -> None:
    assert {state.name: state.value for state in BufferState} == {
        "FREE": 1,
        "AVAILABLE": 2,
        "RESERVED": 3,
        "PROCESSING": 4,
    }


def test_a_factory_is_made_by_function_too() -> None:
    factory = create_buffer_factory(
        2, Counting(), Filling(), "fork", True, buffer_shapes=((4, 3),), buffer_dtype=np.uint16
    )
    assert factory.buffer_info.count == 2 * len(BufferState)
    with BufferIterator(factory) as iterator:
        assert indices(iterator, 20) == list(range(20))


def test_a_factory_that_is_shut_down_ends_its_iterator() -> None:
    system, info = BufferSystem(1, ForkContext()), BufferInfo(((4, 3),), 4, np.uint16)
    factory = BufferFactory(system, info, Counting(), Filling())
    iterator = BufferIterator(factory)
    factory.shutdown()
    with pytest.raises(ClosedError, match="was stopped"):
        next(iterator)


def test_another_start_method_is_refused_before_anything_starts() -> None:
    with pytest.raises(ValueError, match="'spawn' or 'fork', not by 'forkserver'"):
        BufferSystem(2, multiprocessing.get_context("forkserver"))
    with pytest.raises(ValueError, match="forkserver"), buffer(context="forkserver"):
        pass


def test_without_a_context_the_platforms_default_is_used() -> None:
    assert BufferSystem(1, None).context.get_start_method() in ("fork", "spawn")


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        ({"cpus": 0}, "cpus must be 1 to 1024, not 0"),
        ({"cpus": -1}, "cpus must be 1 to 1024, not -1"),
        ({"cpus": 2.0}, "cpus must be a whole number"),
        ({"shapes": (4, 3)}, "a tuple of shapes"),
        ({"shapes": ()}, "at least one shape"),
        ({"shapes": ((-1, 3),)}, "negative"),
        ({"buffer_dtype": "nonsense"}, "not a dtype"),
        ({"buffer_dtype": object}, "cannot be shared"),
        ({"buffer_dtype": ["u1", "f4"]}, "2 dtypes for 1 buffer shapes"),
        ({"buffer_count": 10_000}, "1 to 4096 buffers"),
        ({"casting": "any"}, "'lossless' or 'unsafe'"),
        ({"timeout_s": -1.0}, "timeout_s must be 0 or more"),
    ],
)
def test_wrong_arguments_are_refused_with_a_sentence(arguments: Any, text: str) -> None:
    with pytest.raises(InvalidArgumentError, match=text), buffer(**arguments):
        pass
    assert child_processes() == []


def test_more_memory_than_there_is_is_refused_with_a_sentence() -> None:
    with pytest.raises(OutputError, match="no memory for the buffers"):
        buffer(shapes=((1 << 40,),)).__enter__()


def test_numpy_integers_count_as_numbers() -> None:
    with buffer(cpus=np.int64(2)) as iterator:
        assert indices(iterator, 3) == [0, 1, 2]


class Special(BufferIterator):
    def __init__(self, *args: Any, factor: int, **keywords: Any) -> None:
        super().__init__(*args, **keywords)
        self.factor = factor

    def __next__(self) -> Any:
        return [array * self.factor for array in super().__next__()]


def test_the_iterators_class_and_its_arguments_are_the_callers() -> None:
    more = {"buffer_iterator_class": Special, "factor": 2, "auto_free_buffer": True}
    with buffer(**more) as iterator:
        assert indices(iterator, 5) == [0, 2, 4, 6, 8]


def test_an_iterator_that_cannot_be_made_leaves_nothing_running() -> None:
    with pytest.raises(TypeError), buffer(nonsense=1):
        pass
    assert child_processes() == []


# -- data


def test_data_are_private_and_writable_and_stay_as_they_are() -> None:
    with buffer(Counting(200), Filling((100, 200, 3)), shapes=((100, 200, 3),)) as iterator:
        kept = [data for (data,) in iterator]
    assert all(data.flags.owndata and data.flags.writeable for data in kept)
    assert [int(data[0, 0, 0]) for data in kept] == list(range(200))
    assert all((data == data[0, 0, 0]).all() for data in kept)


def test_memory_is_used_again_only_when_nobody_can_see_it() -> None:
    with buffer(producer=Filling((100, 200, 3)), shapes=((100, 200, 3),)) as iterator:
        row = next(iterator)[0][50]  # a view of an array that was let go of
        indices(iterator, 20)
        assert (row == 0).all()


@pytest.mark.parametrize("deterministic", [True, False])
def test_several_shapes_each_with_its_dtype(deterministic: bool) -> None:
    shapes = ((2, 3), (4,), (), (0, 5))
    dtypes = ["float32", np.int64, "?", "u1"]
    with buffer(
        Counting(20), Several(), shapes=shapes, buffer_dtype=dtypes, deterministic=deterministic
    ) as iterator:
        for data in iterator:
            index = iterator.message["index"]
            assert [array.shape for array in data] == list(shapes)
            assert [array.dtype for array in data] == [np.dtype(one) for one in dtypes]
            assert (data[0] == index / 2).all()
            assert (data[1] == -index).all()
            assert data[2] == bool(index % 2)


class Several(Producer):
    def create_data(self, message: Any) -> Any:
        index = message["index"]
        return (
            np.full((2, 3), index / 2, np.float32),
            np.full(4, -index),
            np.bool_(index % 2),
            np.empty((0, 5), np.uint8),
            "what comes after the last shape is not looked at",
        )


def test_a_bare_array_is_the_data_of_the_one_shape() -> None:
    expected = np.arange(12, dtype=np.uint16).reshape(4, 3)
    with buffer(producer=ReturningWhatItIsGiven(expected)) as iterator:
        np.testing.assert_array_equal(next(iterator)[0], expected)


@pytest.mark.parametrize(
    "data",
    [
        [np.ones((4, 3), np.uint16)],
        np.ones((1, 4, 3), np.uint16),
        np.ones((4, 3), np.uint8),
        np.ones((4, 3), np.float64),
        np.ones((4, 3), np.int64),
        np.ones((4, 3), bool),
        ([[1, 1, 1]] * 4,),
        [[1, 1, 1]] * 4,
        (np.asfortranarray(np.ones((4, 3), np.uint16)),),
    ],
)
def test_data_whose_values_survive_are_taken(data: Any) -> None:
    with buffer(producer=ReturningWhatItIsGiven(data)) as iterator:
        np.testing.assert_array_equal(next(iterator)[0], np.ones((4, 3), np.uint16))


@pytest.mark.parametrize(
    ("data", "text"),
    [
        (np.ones((1, 1), np.uint16), r"shape \(1, 1\) and dtype uint16, but buffer 0 has shape"),
        (np.ones((3, 4), np.uint16), r"shape \(3, 4\)"),
        (np.full((4, 3), 0.5), "dtype float64, which does not fit the buffer's dtype uint16: 0.5"),
        (np.full((4, 3), np.nan), "float64.*uint16: nan"),
        (np.full((4, 3), -1), "int64.*uint16: -1 would become 65535"),
        (np.full((4, 3), 70000), "int64.*uint16: 70000 would become 4464"),
        (np.full((4, 3), 1j), "complex128.*uint16"),
        (np.full((4, 3), "x"), "<U1.*uint16"),
        (None, "create_data returned None"),
        ((), "returned 0 arrays for 1 buffer shapes"),
        (3, "an object of type int"),
    ],
)
def test_data_that_do_not_fit_are_an_error_that_says_how(data: Any, text: str) -> None:
    with (
        buffer(producer=ReturningWhatItIsGiven(data)) as iterator,
        pytest.raises(InvalidArgumentError, match=text),
    ):
        next(iterator)


def test_floating_point_numbers_may_be_rounded_but_not_become_infinite() -> None:
    third = ReturningWhatItIsGiven(np.full((4, 3), 1 / 3))
    with buffer(producer=third, buffer_dtype="float32") as iterator:
        assert next(iterator)[0][0, 0] == np.float32(1 / 3)
    large = ReturningWhatItIsGiven(np.full((4, 3), 1e300))
    with (
        buffer(producer=large, buffer_dtype="float32") as iterator,
        pytest.raises(InvalidArgumentError, match="too large"),
    ):
        next(iterator)


def test_an_unsafe_conversion_is_done_when_asked_for() -> None:
    producer = ReturningWhatItIsGiven(np.full((4, 3), 65537))
    with buffer(producer=producer, casting="unsafe") as iterator:
        assert indices(iterator, 1) == [1]


# -- messages


class OneDict(Commander):
    """Changes and returns the same dict each time."""

    def __init__(self) -> None:
        self.message = {"index": -1}

    def create_message(self) -> Any:
        self.message["index"] += 1
        return self.message


@pytest.mark.parametrize("deterministic", [True, False])
def test_a_commander_may_use_its_dict_again(deterministic: bool) -> None:
    with buffer(OneDict(), deterministic=deterministic) as iterator:
        assert sorted(indices(iterator, 40))[:30] == list(range(30))


class Kinds(Commander):
    def __init__(self) -> None:
        self.left = [OrderedDict(index=0), {"index": 1, "blob": bytes(300_000)}, {"index": 2}, None]

    def create_message(self) -> Any:
        return self.left.pop(0)


def test_messages_of_any_kind_and_size_arrive_and_none_ends_the_run() -> None:
    with buffer(Kinds()) as iterator:
        messages = [iterator.message for _ in iterator]
        assert messages == Kinds().left[:-1]
        assert list(iterator) == []


@pytest.mark.parametrize("length", [0, 1, 7, 300])
@pytest.mark.parametrize("deterministic", [True, False])
def test_a_run_ends_after_the_data_of_all_messages(length: int, deterministic: bool) -> None:
    with buffer(Counting(length), deterministic=deterministic) as iterator:
        assert sorted(int(data[0, 0]) for (data,) in iterator) == list(range(length))
        with pytest.raises(StopIteration):
            next(iterator)
        assert child_processes() == []


class NotingBuilds(Producer):
    def __init__(self) -> None:
        self.builds = 0

    def build(self) -> None:
        self.builds += 1

    def create_data(self, message: Any) -> Any:
        return np.full((4, 3), self.builds)


def test_build_runs_once_in_each_process_and_the_callers_object_stays_as_it_is() -> None:
    producer = NotingBuilds()
    with buffer(producer=producer) as iterator:
        assert set(indices(iterator, 50)) == {1}
    assert producer.builds == 0


def test_forked_producers_do_not_share_their_random_numbers() -> None:
    np.random.seed(1)
    shape = ((64,),)
    with buffer(producer=Rolling(), shapes=shape, cpus=3, buffer_dtype="f8") as iterator:
        rolled = np.concatenate([next(iterator)[0] for _ in range(30)])
    assert len(set(rolled.tolist())) == len(rolled)


class Rolling(Producer):
    def create_data(self, message: Any) -> Any:
        return np.random.random(64)


# -- order


class Waiting(Filling):
    """Message 0 waits until a file appears."""

    def __init__(self, path: str) -> None:
        super().__init__()
        self.path = path

    def create_data(self, message: Any) -> Any:
        while message["index"] == 0 and not Path(self.path).exists():
            threading.Event().wait(0.01)
        return super().create_data(message)


def test_not_deterministic_is_the_order_of_completion(tmp_path: Any) -> None:
    path = tmp_path / "go"
    with buffer(Counting(60), Waiting(str(path)), deterministic=False) as iterator:
        early = indices(iterator, 40)
        assert 0 not in early
        path.touch()
        late = indices(iterator, 20)
    assert sorted(early + late) == list(range(60))


def test_nothing_starves_while_the_consumer_is_slow() -> None:
    """The original let data in high buffers wait for ever."""
    with buffer(deterministic=False, buffer_count=8) as iterator:
        got = []
        for _ in range(100):
            got += indices(iterator, 1)
            np.sort(np.random.default_rng(0).random(2_000))
        late = [index - place for place, index in enumerate(got)]
        assert max(abs(lateness) for lateness in late) <= 8
        assert set(range(92)) <= set(got)


# -- ours on top


def test_views_are_valid_until_the_next_next() -> None:
    with buffer(copy=False, buffer_count=2) as iterator:
        for index in range(50):
            (view,) = next(iterator)
            assert not view.flags.owndata
            assert (view == index).all()


def test_views_outlive_stop_without_harm() -> None:
    with buffer(copy=False) as iterator:
        (view,) = next(iterator)
    assert (view == 0).all()


@pytest.mark.parametrize("copy", [True, False])
def test_kept_buffers_are_the_callers_until_freed(copy: bool) -> None:
    more: dict[str, Any] = {"auto_free_buffer": False, "buffer_count": 4, "copy": copy}
    with buffer(**more) as iterator:
        kept = [next(iterator)[0] for _ in range(4)]
        with pytest.raises(WrongStateError, match="all 4 buffers are kept"):
            next(iterator)
        assert [int(data[0, 0]) for data in kept] == [0, 1, 2, 3]
        assert iterator.statistics.buffers[BufferState.PROCESSING] == 4
        assert iterator.free_buffer()
        assert indices(iterator, 1) == [4]
        assert [iterator.free_buffer() for _ in range(5)] == [True] * 4 + [False]
        assert indices(iterator, 4) == [5, 6, 7, 8]


class InPlace(Producer):
    def create_data_into(self, message: Any, out: Any) -> None:
        out[0][...] = message["index"]
        out[1][...] = -message["index"]


class InPlaceButReturning(Producer):
    def create_data_into(self, message: Any, out: Any) -> Any:
        return out


@pytest.mark.parametrize("copy", [True, False])
def test_data_may_be_made_in_place(copy: bool) -> None:
    shapes, dtypes = ((4, 3), (2,)), ["u2", "i4"]
    with buffer(
        Counting(100), InPlace(), shapes=shapes, buffer_dtype=dtypes, copy=copy
    ) as iterator:
        for index, (first, second) in enumerate(iterator):
            assert (first == index).all()
            assert (second == -index).all()


def test_returning_data_instead_of_writing_them_is_an_error() -> None:
    with (
        buffer(producer=InPlaceButReturning()) as iterator,
        pytest.raises(InvalidArgumentError, match="create_data_into returned something"),
    ):
        next(iterator)


def test_next_may_be_given_a_time_and_goes_on_afterwards(tmp_path: Any) -> None:
    path = tmp_path / "go"
    with buffer(producer=Waiting(str(path)), timeout_s=0.1) as iterator:
        for _ in range(2):
            with pytest.raises(EngineTimeoutError, match="data of message 0 did not come"):
                next(iterator)
        path.touch()
        while True:
            try:
                assert indices(iterator, 1) == [0]
                break
            except TimeoutError:
                continue
        assert indices(iterator, 5) == [1, 2, 3, 4, 5]


def test_statistics_add_up_and_say_who_waits() -> None:
    with buffer(Counting(100)) as iterator:
        indices(iterator, 60)
        figures = iterator.statistics
        assert figures.delivered == 60
        assert sum(figures.buffers.values()) == 128
        indices(iterator, 40)
        with pytest.raises(StopIteration):
            next(iterator)
    figures = iterator.statistics
    assert (figures.commanded, figures.delivered) == (100, 100)
    assert figures.buffers[BufferState.FREE] == 128
    assert sum(producer.made for producer in figures.producers) == 100
    assert figures.waits >= 1
    assert figures.waited_s > 0
    assert figures.fill_level == 0


def test_there_is_no_message_before_the_first_data() -> None:
    with buffer() as iterator:
        with pytest.raises(WrongStateError, match="no message yet"):
            _ = iterator.message
        assert indices(iterator, 3) == [0, 1, 2]
        assert iterator.message == {"index": 2}


def test_two_threads_in_one_iterator_are_told_so() -> None:
    producer = TroubledProducer("work", Trouble("hang"), at=0)
    with buffer(producer=producer) as iterator:
        raised: list[type[BaseException]] = []

        def take() -> None:
            try:
                next(iterator)
            except (BusyError, ClosedError) as error:
                raised.append(type(error))

        thread = threading.Thread(target=take)
        thread.start()
        while not iterator.statistics.waits:
            threading.Event().wait(0.01)
        take()
        iterator.stop()
        thread.join(5)
    assert raised == [BusyError, ClosedError]


def test_descriptors_do_not_depend_on_the_number_of_buffers() -> None:
    counts = []
    for buffers in (4, 400):
        with buffer(cpus=1, buffer_count=buffers, shapes=((4, 3), (2,), (5,))) as iterator:
            counts.append(psutil.Process().num_fds())
            iterator.stop()
    assert counts[0] == counts[1]


def test_several_buffers_at_once_do_not_disturb_each_other() -> None:
    with buffer() as first, buffer(deterministic=False) as second, buffer() as third:
        assert indices(first, 20) == list(range(20))
        assert len(set(indices(second, 20))) == 20
        first.stop()
        assert indices(third, 20) == list(range(20))


class StartingProcesses(Producer):
    def create_data(self, message: Any) -> Any:
        with multiprocessing.get_context("fork").Pool(1) as pool:
            return np.full((4, 3), pool.apply(abs, (-message["index"],)))


def test_producers_may_start_processes_of_their_own() -> None:
    with buffer(Counting(3), StartingProcesses(), cpus=1) as iterator:
        assert indices(iterator, 3) == [0, 1, 2]


def test_a_forked_copy_of_the_consumer_stops_nothing() -> None:
    with buffer() as iterator:
        indices(iterator, 2)
        child = multiprocessing.get_context("fork").Process(target=iterator.stop)
        child.start()
        child.join(10)
        assert child.exitcode == 0
        child.close()
        assert indices(iterator, 80) == list(range(2, 82))
