"""Whoever runs out of open files while workers start is told so, and nothing stays open."""

import resource
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import count, islice
from multiprocessing import resource_tracker
from pathlib import Path

import pytest

from engine.errors import WorkerDiedError
from engine.machine import ProcessPool
from tests.support.buffer_users import buffer, indices
from tests.support.runners import Squares

_ENOUGH = 60


@contextmanager
def room_for(files: int) -> Iterator[None]:
    """Let this process open so many more files."""
    used = {int(entry.name) for entry in Path("/proc/self/fd").iterdir()}
    limit = next(islice((fd for fd in count() if fd not in used), files, None))
    before = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (limit, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, before)


@pytest.fixture(autouse=True)
def resource_tracker_of_multiprocessing() -> Iterator[None]:
    resource_tracker.ensure_running()
    yield
    resource_tracker._resource_tracker._stop()  # type: ignore[attr-defined]


def use_runner(method: str) -> None:
    with Squares(2, {}, start_method=method) as runner:
        assert runner(range(3)) == [0, 1, 4]


def use_buffer(method: str) -> None:
    with buffer(context=method, timeout_s=20) as iterator:
        assert indices(iterator, 2) == [0, 1]


def use_pool(method: str) -> None:
    with ProcessPool(2, start_method=method) as pool:
        assert pool.map(abs, [-1, 2]) == [1, 2]


@pytest.mark.parametrize("method", ["fork", "spawn"])
@pytest.mark.parametrize("use", [use_runner, use_buffer, use_pool])
def test_too_few_open_files_are_told_in_a_sentence_and_leave_nothing(
    use: Callable[[str], None], method: str
) -> None:
    step = 1 if method == "fork" else 7
    stories = []
    for files in range(0, _ENOUGH, step):
        try:
            with room_for(files):
                use(method)
            break
        except WorkerDiedError as error:
            stories.append(str(error))
    assert 0 < len(stories) < _ENOUGH // step
    assert all("could not be started: Too many open files" in story for story in stories)
