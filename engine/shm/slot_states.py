"""The life of a slot as a table: which state follows which event. Nothing here does anything."""

from collections.abc import Mapping
from enum import IntEnum, StrEnum

from engine.errors import WrongStateError

__all__ = ("MOVES", "SlotEvent", "SlotState", "next_state")


class SlotState(IntEnum):
    """Who may touch a slot: FREE and WRITING are the producer's, READY and READING the consumer's.

    The values stand in shared memory and are never renumbered.
    """

    FREE = 0
    WRITING = 1
    READY = 2
    READING = 3


class SlotEvent(StrEnum):
    """What can happen to a slot."""

    ACQUIRE = "acquire"
    COMMIT = "commit"
    ABANDON = "abandon"
    TAKE = "take"
    RELEASE = "release"
    PRODUCER_LOST = "producer lost"
    CONSUMER_LOST = "consumer lost"


MOVES: Mapping[SlotState, Mapping[SlotEvent, SlotState]] = {
    SlotState.FREE: {
        SlotEvent.ACQUIRE: SlotState.WRITING,
    },
    SlotState.WRITING: {
        SlotEvent.COMMIT: SlotState.READY,
        SlotEvent.ABANDON: SlotState.FREE,
        SlotEvent.PRODUCER_LOST: SlotState.FREE,
    },
    SlotState.READY: {
        SlotEvent.TAKE: SlotState.READING,
        SlotEvent.CONSUMER_LOST: SlotState.FREE,
    },
    SlotState.READING: {
        SlotEvent.RELEASE: SlotState.FREE,
        SlotEvent.CONSUMER_LOST: SlotState.FREE,
    },
}
"""For each state, the events that may happen in it and the state that follows."""


def next_state(state: SlotState, event: SlotEvent) -> SlotState:
    """Return the state after `event`; raise `WrongStateError` when it may not happen now."""
    following = MOVES[state].get(event)
    if following is None:
        allowed = " or ".join(MOVES[state])
        raise WrongStateError(
            f"{event} is not possible while the slot is {state.name}, only {allowed}",
            state=state.name,
            event=event.value,
        )
    return following
