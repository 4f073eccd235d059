"""What `ProcessPool` takes beside the number of processes: as `multiprocessing.Pool`, mended."""

import os
import threading
from collections import Counter
from pathlib import Path

import numpy as np
import pytest

from engine.errors import BrokenError, InvalidArgumentError, WorkerDiedError
from engine.machine import ProcessPool, glob_read, glob_remove, glob_store


def remember(path: str, word: str) -> None:
    """Note in which process this was called, and keep a word there."""
    with Path(path).open("a") as file:
        file.write(f"{os.getpid()}\n")
    os.environ["PST_TEST_WORD"] = word


def word_and_pid(_: int) -> tuple[str, int]:
    return os.environ.get("PST_TEST_WORD", ""), os.getpid()


def refuse(why: str) -> None:
    raise LookupError(why)


def test_each_worker_calls_the_initializer_once_before_its_first_task(
    tmp_path: Path, any_method: str
) -> None:
    log = tmp_path / "log"
    with ProcessPool(2, remember, (str(log), "ready"), start_method=any_method) as pool:
        told = pool.map(word_and_pid, range(40), 1)
    pool.join()
    assert {word for word, _ in told} == {"ready"}
    called = [int(line) for line in log.read_text().splitlines()]
    assert len(called) == len(set(called))
    assert {pid for _, pid in told} <= set(called)


def test_an_initializer_may_be_a_lambda_and_read_the_global_storage() -> None:
    key = glob_store(np.arange(3))
    kept: list[int] = []
    with ProcessPool(
        1, lambda: kept.append(int(glob_read(key).sum())), start_method="spawn"
    ) as pool:
        assert pool.apply(int, ("7",)) == 7
    pool.join()
    glob_remove(key)


@pytest.mark.parametrize("method", ["fork", "spawn"])
def test_an_exception_of_the_initializer_ends_the_pool_and_is_the_cause(method: str) -> None:
    pool = ProcessPool(2, refuse, ("no model here",), start_method=method)
    with pytest.raises(WorkerDiedError, match=r"initializer failed .* no model here") as caught:
        pool.map(word_and_pid, range(10))
    assert isinstance(caught.value.__cause__, LookupError)
    with pytest.raises(BrokenError, match="no model here"):
        pool.apply(word_and_pid, (1,))
    pool.terminate()
    pool.join()


def test_an_initializer_that_cannot_be_sent_is_refused() -> None:
    with pytest.raises(InvalidArgumentError, match="cannot be sent to workers"):
        ProcessPool(1, remember, (threading.Lock(),))
    with pytest.raises(InvalidArgumentError, match="must be a function"):
        ProcessPool(1, 5)  # type: ignore[arg-type]


@pytest.mark.parametrize("method", ["fork", "spawn"])
def test_a_worker_leaves_after_as_many_tasks_as_asked_and_nothing_is_lost(method: str) -> None:
    with ProcessPool(2, maxtasksperchild=5, start_method=method) as pool:
        told = pool.map(word_and_pid, range(40), 1)
    pool.join()
    done = Counter(pid for _, pid in told)
    assert sum(done.values()) == 40
    assert max(done.values()) <= 5
    assert len(done) >= 8


def test_a_pool_whose_workers_should_leave_before_the_first_task_is_refused() -> None:
    with pytest.raises(InvalidArgumentError, match="maxtasksperchild must be 1 or more"):
        ProcessPool(1, maxtasksperchild=0)
