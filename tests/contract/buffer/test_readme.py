"""The published page, sentence by sentence, and its programs as they are printed there."""

import gc
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from engine.buffer import BufferIterator, Commander, Producer
from tests.support.buffer_users import Counting, Filling, buffer, indices
from tests.support.child_processes import child_processes

ROOT = Path(__file__).resolve().parents[3]

USER_CLASSES = """
from concurrentbuffer.commander import Commander

class IndexCommander(Commander):

    def __init__(self, max_index: int):
        self._max_index = max_index
        self._index = 0

    def create_message(self) -> dict:
        message = {"index": self._index}
        self._index = (self._index + 1) % self._max_index
        return message

import numpy as np
from concurrentbuffer.producer import Producer

class DataProducer(Producer):

    def __init__(self, data_shapes: tuple):
        self._data_shapes = data_shapes

    def create_data(self, message: dict) -> np.ndarray:
        index = message['index']
        return self._time_consuming_processing(index)

    def _time_consuming_processing(self, index) -> np.ndarray:
        return np.full(self._data_shapes[0], index, "uint16")
"""

HIGH_LEVEL = """
from concurrentbuffer.iterator import buffer_iterator_factory

# the number of cpus/producers
cpus = 8

# the buffershape in the shared memory
buffer_shapes = ((64, 256, 256, 3),)

# the context of multiprocess (spawn or fork)
context = 'spawn'

# if the messages from the commander and the produced data are first in first out
deterministic = True

commander = IndexCommander(max_index=10)

producer = DataProducer(data_shapes=buffer_shapes)

# create a buffer iterator
buffer_iterator = buffer_iterator_factory(
    cpus=cpus,
    buffer_shapes=buffer_shapes,
    commander=commander,
    producer=producer,
    context=context,
    deterministic=deterministic,
)

# loop through the buffer that is filled concurrently
for index in range(10):
    data = next(buffer_iterator)
    print(len(data), data[0].shape, data[0].dtype, data[0].min(), data[0].max())

# always stop the iterator to close all processes and free the shared memory
buffer_iterator.stop()
"""

LOW_LEVEL = """
from multiprocessing.context import ForkContext, SpawnContext

from concurrentbuffer.factory import BufferFactory
from concurrentbuffer.info import BufferInfo
from concurrentbuffer.iterator import BufferIterator
from concurrentbuffer.state import BufferState
from concurrentbuffer.system import BufferSystem

# the number of cpus/producers
cpus = 8

# the buffershape in the shared memory
buffer_shapes = ((64, 256, 256, 3),)

# the context of multiprocess (spawn or fork)
context = SpawnContext()

# if the messages from the commander and the produced data are first in first out
deterministic = True

# the number of buffers each with shape of buffer_shape
count = cpus * len(BufferState)

# buffer system contains the information of the system
buffer_system = BufferSystem(
    cpus=cpus, context=context, deterministic=deterministic
)

# buffer info contains the information of the buffers
buffer_info = BufferInfo(count=count, shapes=buffer_shapes)

commander = IndexCommander(max_index=10)

producer = DataProducer(data_shapes=buffer_shapes)

# a factor class that builds the buffer components
buffer_factory = BufferFactory(
    buffer_system=buffer_system,
    buffer_info=buffer_info,
    commander=commander,
    producer=producer,
)

# a buffer iterator created with the buffer factory
with BufferIterator(buffer_factory=buffer_factory) as data_buffer_iterator:
    for index in range(10):
        data = next(data_buffer_iterator)
        print(len(data), data[0].shape, data[0].dtype, data[0].min(), data[0].max())
"""

SMALL = ("((64, 256, 256, 3),)", "((4, 16, 16, 3),)")


def run_printed(folder: Path, classes: str, program: str) -> list[str]:
    """Run a program as a user would: the classes in a module or above it, no main guard added."""
    module, script = folder / "my_classes.py", folder / "program.py"
    texts = {module: classes, script: program}
    for path, text in texts.items():
        path.write_text(text.replace("concurrentbuffer", "engine.buffer"), encoding="utf-8")
    done = subprocess.run(
        [sys.executable, str(script)],
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        timeout=50,
        check=False,
    )
    assert (done.stderr, done.returncode) == ("", 0)
    return done.stdout.splitlines()


@pytest.mark.parametrize(
    ("program", "dtype"),
    [(HIGH_LEVEL, "uint16"), (LOW_LEVEL, "uint8")],
    ids=["high", "low"],
)
@pytest.mark.slow
def test_the_printed_program_runs(program: str, dtype: str, tmp_path: Path) -> None:
    imports = "from my_classes import DataProducer, IndexCommander\n"
    lines = run_printed(tmp_path, USER_CLASSES, imports + program)
    assert lines == [f"1 (64, 256, 256, 3) {dtype} {index} {index}" for index in range(10)]


@pytest.mark.parametrize("context", ["spawn", "fork"])
@pytest.mark.slow
def test_the_printed_program_runs_as_one_guarded_file(context: str, tmp_path: Path) -> None:
    body = HIGH_LEVEL.replace(*SMALL).replace("'spawn'", repr(context))
    guarded = "if __name__ == '__main__':\n" + body.replace("\n", "\n    ")
    lines = run_printed(tmp_path, "", USER_CLASSES + guarded)
    assert [line.split()[-1] for line in lines] == [str(index) for index in range(10)]


class NamingItsProcess(Producer):
    def create_data(self, message: Any) -> Any:
        return np.full((4, 3), os.getpid(), np.int64)


class NamingItsProcessInMessages(Commander):
    def create_message(self) -> Any:
        return {"pid": os.getpid()}


def test_arrays_are_made_in_parallel_by_as_many_processes_as_cpus() -> None:
    with buffer(producer=NamingItsProcess(), cpus=3, buffer_dtype="int64") as iterator:
        made_by: set[int] = set()
        while len(made_by) < 3:
            made_by |= set(indices(iterator, 20))
        assert len(child_processes()) == 4  # and the commander
        assert os.getpid() not in made_by


def test_data_lie_in_memory_that_the_processes_share() -> None:
    with buffer(copy=False) as iterator:
        (view,) = next(iterator)
        assert not view.flags.owndata
        assert "penstock-buffer" in Path("/proc/self/maps").read_text(encoding="utf-8")


def test_a_commander_process_controls_what_is_made_by_messages() -> None:
    with buffer(NamingItsProcessInMessages(), NamingItsProcess(), buffer_dtype="int64") as iterator:
        (data,) = next(iterator)
        assert iterator.message["pid"] not in (os.getpid(), int(data[0, 0]))


def test_messages_are_dictionaries_of_the_user_and_reach_the_producer_unchanged() -> None:
    with buffer(Counting(), ReturningItsMessageKeys(), buffer_dtype="int64") as iterator:
        (data,) = next(iterator)
        assert data[0, 0] == 1
        assert iterator.message == {"index": 0}


class ReturningItsMessageKeys(Producer):
    def create_data(self, message: Any) -> Any:
        return np.full((4, 3), len(message))


def test_the_main_process_consumes_with_a_buffer_iterator() -> None:
    with buffer() as iterator:
        assert isinstance(iterator, BufferIterator)
        assert iter(iterator) is iterator
        data = next(iterator)
        assert isinstance(data, list)
        assert [array.shape for array in data] == [(4, 3)]


@pytest.mark.parametrize("context", ["fork", pytest.param("spawn", marks=pytest.mark.slow)])
def test_the_context_is_spawn_or_fork(context: str) -> None:
    with buffer(context=context) as iterator:
        assert indices(iterator, 12) == list(range(12))


def test_deterministic_is_first_in_first_out() -> None:
    with buffer(producer=SlowOnEven(), cpus=3) as iterator:
        assert indices(iterator, 40) == list(range(40))


class SlowOnEven(Filling):
    def create_data(self, message: Any) -> Any:
        if message["index"] % 2 == 0:
            np.sort(np.random.default_rng(0).random(50_000))
        return super().create_data(message)


def test_stop_closes_all_processes_and_frees_the_memory() -> None:
    gc.collect()  # of what tests before this one have left in tracebacks
    with buffer() as iterator:
        indices(iterator, 2)
        iterator.stop()
        assert child_processes() == []
        assert "penstock-buffer" not in Path("/proc/self/maps").read_text(encoding="utf-8")


@pytest.mark.parametrize("base", [Commander, Producer])
def test_commander_and_producer_are_classes_to_subclass(base: type) -> None:
    with pytest.raises(TypeError, match="abstract"):
        base()
