"""What a buffer is doing."""

from enum import Enum

__all__ = ("BufferState",)


class BufferState(Enum):
    """Whose turn it is with a buffer: FREE > RESERVED > AVAILABLE > PROCESSING > FREE."""

    FREE = 1
    """Nobody uses it; the commander may command data into it."""
    AVAILABLE = 2
    """It holds data that wait for the consumer."""
    RESERVED = 3
    """A message was given out for it; a producer fills it or will."""
    PROCESSING = 4
    """The consumer has its data."""
