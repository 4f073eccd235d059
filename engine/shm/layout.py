"""How rings and mailboxes lie in a segment, and what keeps two processors' views in order."""

import platform
import threading

from engine.errors import InvalidArgumentError, SegmentLostError
from engine.shm.segment import Segment

__all__ = (
    "LINE_BYTES",
    "PAGE_BYTES",
    "check_header",
    "check_positive",
    "fence",
    "round_up",
    "words_of",
)

LINE_BYTES = 64
PAGE_BYTES = 4096

_KEEPS_ORDER = platform.machine().lower() in {"x86_64", "amd64", "i686", "x86"}
_first = threading.Lock()
_second = threading.Lock()


def fence() -> None:
    """Keep memory accesses before and after this call in order, as other processors see them.

    x86 orders what we need by itself. Elsewhere two locks in a row do it: nothing passes the
    release of the first downward nor the taking of the second upward, and these two stay in order.
    """
    if not _KEEPS_ORDER:
        with _first:
            pass
        with _second:
            pass


def round_up(size_bytes: int, unit_bytes: int) -> int:
    """Return the next multiple of `unit_bytes`."""
    return -(-size_bytes // unit_bytes) * unit_bytes


def words_of(segment: Segment, size_bytes: int) -> memoryview:
    """Return the first bytes of a segment as unsigned 64-bit words; each is read and set at once.

    ``struct`` would copy byte by byte, so that another process could see half a number.
    """
    return segment.buffer[:size_bytes].cast("Q")


def check_header(segment: Segment, magic: int, what: str) -> None:
    """Raise `SegmentLostError` unless the segment begins with `magic`."""
    if segment.size_bytes < PAGE_BYTES or words_of(segment, 8)[0] != magic:
        name = segment.name
        segment.close()
        raise SegmentLostError(
            f"segment {name!r} is not a {what}, or was never finished", name=name
        )


def check_positive(**values: int) -> None:
    """Raise `InvalidArgumentError` for the first value below 1."""
    for name, value in values.items():
        if value < 1:
            raise InvalidArgumentError(f"{name} must be at least 1, not {value}")
