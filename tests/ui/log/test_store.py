from hypothesis import given
from hypothesis import strategies as st

from engine.protocol import LogEntry
from ui.log.store import LogStore


def entry(message: str, level: str = "INFO", stream: str = "") -> LogEntry:
    return LogEntry(0, level, "engine.pipeline", message, stream=stream)


def shown(store: LogStore) -> list[str]:
    return [store[row].message for row in range(len(store))]


def test_records_come_back_in_order() -> None:
    store = LogStore()
    store.add([entry("one"), entry("two")])

    assert shown(store) == ["one", "two"]


def test_only_the_newest_are_kept() -> None:
    store = LogStore(3)
    store.add([entry(str(i)) for i in range(2)])
    store.add([entry(str(i)) for i in range(2, 7)])

    assert shown(store) == ["4", "5", "6"]
    assert store.total == 3


def test_the_level_hides_what_is_below() -> None:
    store = LogStore()
    levels = ("DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL")
    store.add([entry(level, level) for level in levels])
    store.set_filter("WARNING", "")

    assert shown(store) == ["WARNING", "ERROR", "CRITICAL"]


def test_a_level_nobody_knows_is_never_hidden() -> None:
    store = LogStore()
    store.set_filter("ERROR", "")
    store.add([entry("odd", "NOTICE")])

    assert shown(store) == ["odd"]


def test_all_words_must_occur_in_any_case_and_order() -> None:
    store = LogStore()
    store.add([entry("Driver was killed", stream="parrot"), entry("driver started")])
    store.set_filter("DEBUG", "KILLED parrot driver")

    assert shown(store) == ["Driver was killed"]


def test_new_records_are_filtered_as_well() -> None:
    store = LogStore()
    store.set_filter("DEBUG", "cat")
    store.add([entry("cat"), entry("dog")])

    assert shown(store) == ["cat"]
    assert store.total == 2


messages = st.lists(st.sampled_from(["a", "b"]), max_size=12)


@given(st.integers(1, 6), st.lists(messages, max_size=6))
def test_what_is_shown_is_always_the_filtered_newest(
    capacity: int, batches: list[list[str]]
) -> None:
    store = LogStore(capacity)
    store.set_filter("DEBUG", "a")
    everything: list[str] = []
    for batch in batches:
        entries = [entry(f"{name}{len(everything) + i}") for i, name in enumerate(batch)]
        # The logger's name has no "a" that could match.
        entries = [LogEntry(0, "INFO", "", e.message, role="") for e in entries]
        everything += [e.message for e in entries]
        store.add(entries)

    assert shown(store) == [m for m in everything[-capacity:] if "a" in m]
