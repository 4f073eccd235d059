"""Memory shared between processes: segments, rings of slots, and mailboxes for newest values."""

from engine.shm.mailbox import Mailbox
from engine.shm.owners import OwnerRecord
from engine.shm.reaper import reap, reap_owner
from engine.shm.segment import Segment, segment_folder
from engine.shm.slot_ring import SlotRing
from engine.shm.slot_states import SlotEvent, SlotState, next_state

__all__ = (
    "Mailbox",
    "OwnerRecord",
    "Segment",
    "SlotEvent",
    "SlotRing",
    "SlotState",
    "next_state",
    "reap",
    "reap_owner",
    "segment_folder",
)
