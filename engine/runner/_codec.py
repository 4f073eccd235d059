"""Items and results as they travel: plain values as they are, the rest pickled, big buffers apart.

An *entry* is what one item or result becomes in a message:

- int, float, bool, None or a short str: itself;
- ``bytes``: its pickle;
- ``tuple``: (pickle or None, slab, begin, size, lengths); the big buffers, and a pickle that is
  itself big (then the first is None), lie in a slab;
- ``list``: a failure, see `engine.runner._failures`.

Everything is taken down at once: what the caller does to an object afterwards changes nothing.
"""

import pickle
from collections.abc import Sequence
from types import NoneType
from typing import Any

import numpy as np

from engine.runner._arena import Arena, Lender, Span

__all__ = ("PLAIN", "Entry", "decode", "encode", "inline_bytes", "size_bytes", "span_of")

Entry = Any

PLAIN = frozenset({int, float, bool, NoneType})
_SHORT_TEXT = 256
_OUT_OF_BAND_BYTES = 8 * 1024
_BIG_PICKLE_BYTES = 16 * 1024


def encode(value: Any, arena: Arena) -> Entry:  # noqa: ANN401 - any object of the user
    """Return the entry of a value; big buffers are copied into the arena, once.

    Raises whatever pickling the value raises, and `OutputError` without memory.
    """
    kind = type(value)
    if kind in PLAIN or (kind is str and len(value) <= _SHORT_TEXT):
        return value
    if kind is np.ndarray and not (value.flags.c_contiguous or value.flags.f_contiguous):
        value = np.ascontiguousarray(value)
    apart: list[memoryview] = []

    def is_small(buffer: pickle.PickleBuffer) -> bool:
        raw = buffer.raw()
        if raw.nbytes < _OUT_OF_BAND_BYTES:
            return True
        apart.append(raw)
        return False

    body = pickle.dumps(value, 5, buffer_callback=is_small)
    if len(body) > _BIG_PICKLE_BYTES:
        return (None, *arena.write((body, *apart)))
    if apart:
        return (body, *arena.write(apart))
    return body


def decode(entry: Entry, lender: Lender, *, must_copy: bool = False) -> Any:  # noqa: ANN401
    """Return the value of an entry; its big buffers are views unless they are to be copied.

    Raises whatever unpickling the value raises.
    """
    kind = type(entry)
    if kind is bytes:
        return pickle.loads(entry)  # noqa: S301 - from our own worker or parent
    if kind is not tuple:
        return entry
    body, *place = entry
    buffers: Sequence[memoryview] = lender.buffers(*place, must_copy=must_copy)
    if body is None:
        body, *buffers = buffers
    return pickle.loads(body, buffers=buffers)  # noqa: S301 - from our own worker or parent


def span_of(entry: Entry) -> Span | None:
    """Return where the big buffers of an entry lie, None when it has none."""
    return (entry[1], entry[2]) if type(entry) is tuple else None


def inline_bytes(entry: Entry) -> int:
    """Return about how many bytes the entry takes in a message."""
    kind = type(entry)
    if kind is bytes:
        return len(entry)
    if kind is tuple:
        return 64 + len(entry[0] or b"")
    return 16 if kind is not list else 512 + sum(len(part or b"") for part in entry)


def size_bytes(entry: Entry) -> int:
    """Return about how many bytes the entry moves, its big buffers included."""
    return entry[3] + 64 if type(entry) is tuple else inline_bytes(entry)
