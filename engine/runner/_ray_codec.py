"""Items and results on their way over a cluster: plain values, pickles, and big buffers apart.

An *entry* is what one item or result becomes:

- int, float, bool, None or a short str: itself;
- ``bytes``: its pickle;
- ``tuple``: of an item (None, reference, size): its pickle and big buffers lie in Ray's store; of a
  result (pickle, buffers);
- ``list``: a failure, see `engine.runner._failures`.

Classes of the user's script travel by value, by means of Ray's own pickler.
"""

import pickle
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
from ray import cloudpickle as _untyped

from engine.runner._codec import PLAIN, Entry

__all__ = (
    "Parts",
    "bytes_in",
    "cloudpickle",
    "decode",
    "dumps",
    "joined",
    "parts_of",
    "take_apart",
    "whole",
)

cloudpickle: Any = _untyped

Buffer = npt.NDArray[np.uint8]
Parts = Sequence[Any]
"""A pickle, as bytes or buffer, and the buffers that belong to it."""

_SHORT_TEXT = 256
_STORED_BYTES = 128 * 1024
_APART_BYTES = 8 * 1024


def dumps(value: Any, apart: Callable[[pickle.PickleBuffer], bool] | None = None) -> bytes:  # noqa: ANN401
    """Pickle any object of the user; `apart` is told of big buffers, as in `pickle.dumps`."""
    if type(value) is np.ndarray and not value.dtype.hasobject:
        return pickle.dumps(value, 5, buffer_callback=apart)  # several times faster
    data: bytes = cloudpickle.dumps(value, 5, buffer_callback=apart)
    return data


def take_apart(value: Any, store: Callable[[Parts], Any] | None = None) -> Entry:  # noqa: ANN401
    """Return the entry of a value. Big buffers of it are views, or in the store if there is one.

    Raises whatever pickling the value raises.
    """
    kind = type(value)
    if kind in PLAIN or (kind is str and len(value) <= _SHORT_TEXT):
        return value
    if kind is np.ndarray and not (value.flags.c_contiguous or value.flags.f_contiguous):
        value = np.ascontiguousarray(value)
    least = _APART_BYTES if store is None else _STORED_BYTES
    apart: list[Buffer] = []

    def is_small(buffer: pickle.PickleBuffer) -> bool:
        raw = buffer.raw()
        if raw.nbytes < least:
            return True
        apart.append(np.frombuffer(raw, np.uint8))
        return False

    body = dumps(value, is_small)
    if not apart and len(body) < least:
        return body
    parts = (np.frombuffer(body, np.uint8), *apart) if len(body) >= least else (body, *apart)
    if store is None:
        return parts[0], parts[1:]
    return None, store(parts), sum(map(len, parts))


def parts_of(value: Any) -> Parts:  # noqa: ANN401 - any object
    """Return any value as parts, for `joined`; raises what pickling it raises."""
    entry = take_apart([value])
    return (entry,) if type(entry) is bytes else (entry[0], *entry[1])


def whole(parts: Parts, *, read_only: bool) -> Any:  # noqa: ANN401 - any object
    """Return the value of `parts_of`."""
    return joined(parts[0], parts[1:], read_only=read_only)[0]


def joined(body: Any, buffers: Sequence[Buffer], *, read_only: bool) -> Any:  # noqa: ANN401
    """Return the value; its big arrays are its own, or views nobody can write.

    Raises whatever unpickling the value raises.
    """
    if read_only:
        return pickle.loads(body, buffers=[part.data.toreadonly() for part in buffers])  # noqa: S301
    return pickle.loads(body, buffers=[np.array(part) for part in buffers])  # noqa: S301


def decode(entry: Entry, *, read_only: bool) -> Any:  # noqa: ANN401 - any object of the user
    """Return the value of a result, or of an item that is not in the store."""
    kind = type(entry)
    if kind is bytes:
        return pickle.loads(entry)  # noqa: S301 - from our own worker or caller
    if kind is not tuple:
        return entry
    return joined(*entry, read_only=read_only)


def bytes_in(entry: Entry) -> int:
    """Return about how many bytes an entry moves."""
    kind = type(entry)
    if kind is bytes:
        return len(entry)
    if kind is tuple:
        return len(entry[0]) + sum(map(len, entry[1]))
    return 16
