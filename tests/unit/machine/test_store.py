"""Versions, epochs and pins of the global storage, without any worker."""

import os
import threading

import pytest

from engine.machine._store import Store, Version
from engine.machine.errors import GlobKeyError


@pytest.fixture
def retired() -> list[object]:
    return []


@pytest.fixture
def store(retired: list[object]) -> Store:
    def note(version: Version) -> None:
        retired.append(version.value)

    return Store(note)


def value_at(store: Store, key: int, epoch: int) -> object:
    version = store.version_at(key, epoch)
    return None if version is None else version.value


def test_a_pinned_epoch_keeps_what_was_there(store: Store, retired: list[object]) -> None:
    key = store.add("old")
    epoch = store.pin()
    store.update(key, "new")
    later = store.pin()
    store.remove(key)
    assert (value_at(store, key, epoch), value_at(store, key, later)) == ("old", "new")
    assert retired == []
    store.unpin(epoch)
    assert retired == ["old"]
    store.unpin(later)
    assert retired == ["old", "new"]
    assert value_at(store, key, later) is None


def test_without_pins_old_values_go_at_once(store: Store, retired: list[object]) -> None:
    key = store.add(1)
    store.update(key, 2)
    assert retired == [1]
    store.remove(key)
    assert retired == [1, 2]
    assert len(store) == 0


def test_pins_of_one_epoch_are_counted(store: Store, retired: list[object]) -> None:
    key = store.add(1)
    first, second = store.pin(), store.pin()
    assert first == second
    store.update(key, 2)
    store.unpin(first)
    assert retired == []
    store.unpin(second)
    assert retired == [1]


def test_what_is_stored_later_is_seen_in_every_epoch(store: Store) -> None:
    epoch = store.pin()
    key = store.add("late")
    assert value_at(store, key, epoch) == "late"


def test_dropping_while_the_store_is_in_use_comes_later_but_comes(store: Store) -> None:
    key = store.add("x")
    done = threading.Event()

    def drop() -> None:
        store.drop_later(key)  # must not wait
        done.set()

    with store._locked():
        thread = threading.Thread(target=drop)
        thread.start()
        assert done.wait(5)
        thread.join()
    assert not store.has(key)


def test_reviving_brings_back_what_running_work_still_sees(store: Store) -> None:
    key = store.add("x")
    epoch = store.pin()
    store.remove(key)
    assert store.revive(key)
    store.unpin(epoch)
    assert store.read(key) == "x"
    store.remove(key)
    assert not store.revive(key)


def test_a_value_that_uses_the_store_while_it_dies_does_no_harm() -> None:
    store = Store(lambda version: None)
    other = store.add("other")

    class Dying:
        def __del__(self) -> None:
            store.remove(other)

    key = store.add(Dying())
    store.remove(key)
    with pytest.raises(GlobKeyError):
        store.read(other)


def test_a_fork_while_other_threads_use_the_store_can_use_it(store: Store) -> None:
    stop = threading.Event()

    def hammer() -> None:
        while not stop.is_set():
            store.remove(store.add(1))

    threads = [threading.Thread(target=hammer) for _ in range(2)]
    for thread in threads:
        thread.start()
    codes = []
    for _ in range(20):
        child = os.fork()
        if not child:
            key = store.add(2)
            os._exit(0 if store.read(key) == 2 and store.owns(key) else 1)
        codes.append(os.waitpid(child, 0)[1])
    stop.set()
    for thread in threads:
        thread.join()
    assert codes == [0] * 20


def test_a_fork_makes_keys_of_its_own(store: Store) -> None:
    ours = store.add(1)
    reading, writing = os.pipe()
    child = os.fork()
    if not child:
        os.write(writing, str(store.add(2)).encode())
        os._exit(0 if store.read(ours) == 1 and not store.owns(ours) else 1)
    assert os.waitpid(child, 0)[1] == 0
    assert int(os.read(reading, 100)) not in {ours, store.add(3)}
    os.close(reading)
    os.close(writing)
