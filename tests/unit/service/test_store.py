from engine.protocol import LicenseState, Snapshot, StateChange, StreamPhase, StreamState
from engine.service.store import StateStore


def test_changes_applied_in_order_give_the_same_snapshot_to_every_client() -> None:
    changes: list[StateChange] = []
    store = StateStore(changes.append)
    store.set_streams((StreamState("a"), StreamState("b")))
    store.set(license=LicenseState(is_valid=True))
    store.set_stream(StreamState("b", phase=StreamPhase.RUNNING))
    store.change_engine(lanes=3)

    seen = Snapshot()
    for change in changes:
        assert change.version == seen.version + 1
        seen = change.apply_to(seen)

    assert seen == store.snapshot
    assert [s.phase for s in seen.streams] == [StreamPhase.STOPPED, StreamPhase.RUNNING]


def test_a_stream_that_is_not_listed_any_more_is_ignored() -> None:
    changes: list[StateChange] = []
    store = StateStore(changes.append)
    store.set_stream(StreamState("gone"))

    assert changes == []


def test_what_does_not_change_is_not_told() -> None:
    changes: list[StateChange] = []
    store = StateStore(changes.append)
    store.set_streams((StreamState("a"),))
    store.set_stream(StreamState("a"))
    store.change_engine(lanes=store.snapshot.engine.lanes)

    assert len(changes) == 1
