"""What goes through the pipes between the processes: numbers of eight bytes.

A pipe keeps writes of a few tokens in one piece, wakes one waiting reader, and cannot be spoiled
by a process that is killed. From the top bit down: 4 bits say what it is, 44 bits are a sequence
number (from 1, so that no token is 0), 16 bits a buffer's or a worker's number.
"""

import struct

__all__ = ("TOKEN_BYTES", "Kind", "kind_of", "packed", "sequence_of", "slot_of", "token")

TOKEN_BYTES = 8

_KIND_SHIFT = 60
_SEQUENCE_SHIFT = 16
_SLOT_MASK = (1 << _SEQUENCE_SHIFT) - 1
_SEQUENCE_MASK = (1 << (_KIND_SHIFT - _SEQUENCE_SHIFT)) - 1


class Kind:
    """What a token tells."""

    FRAME = 0
    """To a producer: make this; to the consumer: this is made; to the commander: this is free."""
    FAILED = 1
    """A worker gave up at this message (0: before its first); the slot's place holds its number."""
    END = 2
    """No message follows the one of this sequence number; with 1 in the slot's place, because the
    commander failed."""
    LEFT = 3
    """A worker leaves as it should; the slot's place holds its number."""
    STOP = 4
    """The consumer wants no more; to the commander."""


def token(kind: int, sequence: int, slot: int) -> int:
    """Make a token."""
    return kind << _KIND_SHIFT | sequence << _SEQUENCE_SHIFT | slot


packed = struct.Struct("=Q").pack
"""Turns a token into the bytes that go through a pipe."""


def kind_of(value: int) -> int:
    """Return what a token tells."""
    return value >> _KIND_SHIFT


def sequence_of(value: int) -> int:
    """Return a token's sequence number."""
    return value >> _SEQUENCE_SHIFT & _SEQUENCE_MASK


def slot_of(value: int) -> int:
    """Return a token's buffer or worker."""
    return value & _SLOT_MASK
