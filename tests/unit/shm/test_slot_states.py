"""The table of a slot's life."""

from itertools import product

import pytest

from engine.errors import WrongStateError
from engine.shm.slot_states import MOVES, SlotEvent, SlotState, next_state


def test_a_slot_goes_round_once_and_is_free_again() -> None:
    state = SlotState.FREE
    seen = [state]
    for event in (SlotEvent.ACQUIRE, SlotEvent.COMMIT, SlotEvent.TAKE, SlotEvent.RELEASE):
        state = next_state(state, event)
        seen.append(state)
    assert seen == [
        SlotState.FREE,
        SlotState.WRITING,
        SlotState.READY,
        SlotState.READING,
        SlotState.FREE,
    ]


@pytest.mark.parametrize(("state", "event"), list(product(SlotState, SlotEvent)))
def test_every_event_either_moves_a_slot_by_the_table_or_is_refused(
    state: SlotState, event: SlotEvent
) -> None:
    if event in MOVES[state]:
        assert next_state(state, event) is MOVES[state][event]
        assert next_state(state, event) is not state
    else:
        with pytest.raises(WrongStateError, match=f"{event} is not possible .* {state.name}"):
            next_state(state, event)


def test_each_ordinary_event_belongs_to_exactly_one_state() -> None:
    lost = {SlotEvent.PRODUCER_LOST, SlotEvent.CONSUMER_LOST}
    events = [event for moves in MOVES.values() for event in moves if event not in lost]
    assert sorted(events) == sorted(set(SlotEvent) - lost)


def test_a_lost_producer_frees_only_what_it_wrote_and_a_lost_consumer_only_what_was_its() -> None:
    freed = {
        event: {state for state in SlotState if event in MOVES[state]}
        for event in (SlotEvent.PRODUCER_LOST, SlotEvent.CONSUMER_LOST)
    }
    assert freed == {
        SlotEvent.PRODUCER_LOST: {SlotState.WRITING},
        SlotEvent.CONSUMER_LOST: {SlotState.READY, SlotState.READING},
    }


def test_the_values_in_shared_memory_never_change() -> None:
    assert [(state.name, state.value) for state in SlotState] == [
        ("FREE", 0),
        ("WRITING", 1),
        ("READY", 2),
        ("READING", 3),
    ]
