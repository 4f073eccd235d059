"""The gateway's store of uploaded programs: what it keeps, drops and refuses."""

import hashlib
from collections.abc import Iterator

import pytest

from engine.errors import BrokenError, BusyError
from engine.manager.network.program_store import ProgramFile, ProgramStore


@pytest.fixture
def store() -> Iterator[ProgramStore]:
    made = ProgramStore(most_bytes=100)
    yield made
    made.close()


def upload(store: ProgramStore, data: bytes) -> ProgramFile:
    arriving = store.expect(hashlib.sha256(data).hexdigest(), len(data))
    half = len(data) // 2
    arriving.add(0, [memoryview(data[:half])])
    arriving.add(half, [memoryview(data[half:])])
    assert arriving.is_complete
    return store.keep(arriving)


def test_an_uploaded_program_is_found_by_its_hash(store: ProgramStore) -> None:
    file = upload(store, b"x" * 40)
    assert store.use(file.key) is file
    assert store.use("other") is None


def test_unused_programs_make_room_the_one_used_longest_ago_first(store: ProgramStore) -> None:
    first, second = upload(store, b"a" * 40), upload(store, b"b" * 40)
    for file in (first, second):
        store.give_back(file)
    again = store.use(first.key)
    assert again is first
    store.give_back(again)
    upload(store, b"c" * 40)
    assert store.use(second.key) is None
    assert store.use(first.key) is first


def test_programs_in_use_and_on_their_way_are_not_dropped(store: ProgramStore) -> None:
    file = upload(store, b"a" * 40)
    arriving = store.expect("0" * 64, 50)
    with pytest.raises(BusyError, match="too much"):
        store.expect("1" * 64, 20)
    assert store.use(file.key) is file
    store.give_up(arriving)
    store.give_up(store.expect("1" * 64, 20))


def test_a_program_that_arrives_twice_is_kept_once(store: ProgramStore) -> None:
    data = b"a" * 40
    key = hashlib.sha256(data).hexdigest()
    both = [store.expect(key, 40) for _ in range(2)]
    for arriving in both:
        arriving.add(0, [memoryview(data)])
    files = [store.keep(arriving) for arriving in both]
    assert files[0] is files[1]
    assert files[0].users == 2


@pytest.mark.parametrize(("offset", "size"), [(1, 10), (0, 0), (0, 41)])
def test_a_piece_that_does_not_fit_is_refused(store: ProgramStore, offset: int, size: int) -> None:
    arriving = store.expect("0" * 64, 40)
    with pytest.raises(BrokenError, match="expected was place 0 of 40"):
        arriving.add(offset, [memoryview(b"x" * size)])
    store.give_up(arriving)


def test_bytes_of_another_hash_are_refused(store: ProgramStore) -> None:
    arriving = store.expect("0" * 64, 4)
    with pytest.raises(BrokenError, match="not those that were announced"):
        arriving.add(0, [memoryview(b"abcd")])
    store.give_up(arriving)
