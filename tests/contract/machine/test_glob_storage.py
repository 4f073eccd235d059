"""The global storage, in this process and as workers see it."""

import gc
import weakref
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from engine.errors import RemoteError
from engine.machine import (
    GlobKeyError,
    ProcessPool,
    glob_read,
    glob_remove,
    glob_store,
    glob_update,
)
from tests.support import machine_calls as calls
from tests.support.machine_calls import shared_files


def array_of(value: float) -> np.ndarray:
    return np.full(100_000, float(value))


# -- in one process


def test_reading_returns_the_very_object() -> None:
    stored = object()
    key = glob_store(stored)
    assert glob_read(key) is stored
    glob_remove(key)


def test_updating_replaces_the_object() -> None:
    key = glob_store("old")
    glob_update(key, "new")
    assert glob_read(key) == "new"
    glob_remove(key)


def test_removing_forgets_the_object_and_the_key_for_ever() -> None:
    stored = np.zeros(3)
    alive = weakref.ref(stored)
    key = glob_store(stored)
    del stored
    glob_remove(key)
    gc.collect()
    assert alive() is None
    with pytest.raises(GlobKeyError, match="it was removed"):
        glob_read(key)
    assert glob_store(1) != key


@pytest.mark.parametrize("key", [-1, 0, "name", None, 1 << 90])
def test_an_unknown_key_is_a_key_error_in_every_function(key: Any) -> None:
    for use in (glob_read, glob_remove, lambda k: glob_update(k, 1)):
        with pytest.raises(KeyError, match="not in the global storage"):
            use(key)


# -- through pools


def test_a_worker_reads_what_was_stored_before_and_after_the_pool_was_made(
    any_method: str,
) -> None:
    first = glob_store({"a": array_of(1), "words": ["x"]})
    with ProcessPool(1, start_method=any_method) as pool:
        second = glob_store(array_of(2))
        assert pool.apply(calls.read, (first,))["words"] == ["x"]
        assert pool.apply(calls.read_facts, (second,)) == (200_000.0, False, "float64")
        glob_update(second, array_of(3))
        assert pool.apply(calls.read_facts, (second,)) == (300_000.0, False, "float64")
        glob_remove(second)
        with pytest.raises(KeyError, match="not in the global storage"):
            pool.apply(calls.read, (second,))
    glob_remove(first)


def test_arrays_are_read_only_in_workers_also_inside_other_objects(workers: ProcessPool) -> None:
    key = glob_store(array_of(1))
    inside = glob_store([array_of(1)[::2]])  # strided: its memory is made whole on the way
    with pytest.raises(ValueError, match="read-only"):
        workers.apply(calls.write_first, (key,))
    assert workers.apply(calls.read, (inside,))[0].shape == (50_000,)
    assert workers.apply(calls.read_facts, (key,))[0] == 100_000
    for each in (key, inside):
        glob_remove(each)


def test_a_worker_reads_the_same_object_each_time(workers: ProcessPool) -> None:
    key = glob_store({"a": 1})
    assert workers.map(calls.read_twice_is_same, [key] * 8, 1) == [True] * 8
    glob_remove(key)


def test_a_big_array_costs_a_worker_no_memory_of_its_own(workers: ProcessPool) -> None:
    key = glob_store(np.ones(10_000_000))
    assert workers.apply(calls.own_bytes_after_reading, (key,)) < 8_000_000
    glob_remove(key)


def test_an_object_is_pickled_once_for_all_workers() -> None:
    counted = Counted()
    key = glob_store(counted)
    with ProcessPool(2, start_method="spawn") as pool:
        assert {type(each) for each in pool.map(calls.read, [key] * 8, 1)} == {list}
    assert counted.times == 1
    glob_remove(key)


class Counted:
    def __init__(self) -> None:
        self.times = 0

    def __reduce__(self) -> tuple[object, ...]:
        self.times += 1
        return list, ()


def test_an_object_no_worker_reads_need_not_be_picklable(workers: ProcessPool) -> None:
    key = glob_store(n for n in (1, 2))
    assert workers.apply(calls.square, (2,)) == 4
    if workers.start_method == "spawn":
        with pytest.raises(RemoteError, match="the stored generator cannot be sent to workers"):
            workers.apply(calls.read, (key,))
    glob_remove(key)


def test_one_map_never_mixes_old_and_new(workers: ProcessPool, tmp_path: Path) -> None:
    key = glob_store("old")
    started, go = tmp_path / "started", tmp_path / "go"
    results = workers.starmap_async(
        calls.read_after, [(str(started), str(go), key)] * 20, chunksize=1
    )
    calls.wait_for_file(str(started))
    glob_update(key, "new")
    later = workers.apply_async(calls.read, (key,))
    go.touch()
    assert results.get(10) == ["old"] * 20
    assert later.get(10) == "new"
    assert workers.map(calls.read, [key] * 20, 1) == ["new"] * 20
    glob_remove(key)


def test_work_handed_over_can_read_what_is_removed_meanwhile(
    workers: ProcessPool, tmp_path: Path
) -> None:
    key = glob_store("there")
    started, go = tmp_path / "started", tmp_path / "go"
    result = workers.apply_async(calls.read_after, (str(started), str(go), key))
    calls.wait_for_file(str(started))
    glob_remove(key)
    go.touch()
    assert result.get(10) == "there"


def test_a_worker_changes_nothing_for_others(workers: ProcessPool) -> None:
    key = glob_store("parent's")
    workers.apply(calls.remove, (key,))
    assert workers.apply(calls.update_and_read, (key, "worker's")) == "worker's"
    assert glob_read(key) == "parent's"
    glob_update(key, "newer")
    assert set(workers.map(calls.read, [key] * 8, 1)) == {"newer"}
    glob_remove(key)


def test_keys_of_different_processes_never_meet(workers: ProcessPool) -> None:
    theirs = workers.map(calls.store, ["value"] * 20, 1)
    ours = [glob_store("value") for _ in range(20)]
    assert len({*theirs, *ours}) == 40
    with pytest.raises(GlobKeyError, match="a key made in a worker"):
        glob_read(theirs[0])
    for key in ours:
        glob_remove(key)


def test_memory_of_old_versions_is_used_again(workers: ProcessPool) -> None:
    key = glob_store(np.full(500_000, 0.0))
    counts = []
    for value in range(20):
        glob_update(key, np.full(500_000, float(value)))
        assert workers.apply(calls.read_facts, (key,))[0] == 500_000.0 * value
        counts.append(len(shared_files()))
    assert counts[19] <= counts[9]
    glob_remove(key)


def test_an_array_kept_by_a_worker_outlives_updates(workers: ProcessPool) -> None:
    key = glob_store(np.full(500_000, 1.0))
    with ProcessPool(1, start_method=workers.start_method) as pool:
        pool.apply(calls.keep, (key,))
        for value in range(2, 8):
            glob_update(key, np.full(500_000, float(value)))
            assert pool.apply(calls.read_facts, (key,))[0] == 500_000.0 * value
        assert pool.apply(calls.kept_sum) == 500_000.0
    glob_remove(key)
