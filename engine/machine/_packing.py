"""Turn objects into messages and back: small ones in the message, big ones in a file beside it."""

import io
import os
import pickle
import struct
import sys
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

from engine.machine._by_value import dumps_by_value
from engine.machine._memory import copy_of, new_file, write_all

__all__ = (
    "INLINE_BYTES",
    "Layout",
    "Parcel",
    "arrays_whole",
    "pack",
    "pickled",
    "unpack",
    "unpack_parcel",
)

INLINE_BYTES = 48 * 1024
"""Pickles up to this size travel in the message itself."""

_SHARED_BYTES = 8 * 1024
_ALIGNMENT = 64
_WORD = struct.Struct("<Q")

Dumps = Callable[[object, Callable[[pickle.PickleBuffer], object]], bytes]


class Parcel(NamedTuple):
    """An object ready to be sent.

    Attributes
    ----------
    body : its pickle, empty when it lies in the file.
    fd : the file's descriptor, -1 when there is none. Whoever holds the parcel closes it.
    size_bytes : of both together.
    """

    body: bytes
    fd: int
    size_bytes: int

    def close(self) -> None:
        """Close the file; call it once."""
        if self.fd >= 0:
            os.close(self.fd)


class Layout(NamedTuple):
    """Where a pickle and its buffers lie in a file."""

    parts: Sequence[tuple[int, memoryview]]
    size_bytes: int

    @classmethod
    def of(cls, data: bytes, buffers: Sequence[memoryview]) -> "Layout":
        """Put a table of sizes, the pickle and the buffers one after the other."""
        pieces = [memoryview(data), *buffers]
        table = b"".join(_WORD.pack(n) for n in (len(pieces), *(p.nbytes for p in pieces)))
        parts, place = [(0, memoryview(table))], len(table)
        for piece in pieces:
            place = _round_up(place)
            parts.append((place, piece))
            place += piece.nbytes
        return cls(parts, max(place, 1))


def _by_name(what: object, keep: Callable[[pickle.PickleBuffer], object]) -> bytes:
    return pickle.dumps(what, 5, buffer_callback=keep)


def pickled(what: object, dumps: Dumps = _by_name) -> tuple[bytes, list[memoryview]]:
    """Return the pickle of an object and, apart from it, its big buffers (arrays' memory)."""
    buffers: list[memoryview] = []

    def keep(buffer: pickle.PickleBuffer) -> bool:
        view = buffer.raw()
        if view.nbytes < _SHARED_BYTES:
            return True  # stays in the pickle
        buffers.append(view)
        return False

    return dumps(what, keep), buffers


def pack(what: object, *, by_value: bool = False) -> Parcel:
    """Make a parcel of any object that can be pickled; see `pickled`."""
    data, buffers = pickled(what, dumps_by_value if by_value else _by_name)
    if not buffers and len(data) <= INLINE_BYTES:
        return Parcel(data, -1, len(data))
    layout = Layout.of(data, buffers)
    fd = new_file()
    try:
        write_all(fd, layout.parts)
        os.ftruncate(fd, layout.size_bytes)
    except BaseException:
        os.close(fd)
        raise
    return Parcel(b"", fd, layout.size_bytes)


def unpack(memory: memoryview) -> Any:  # noqa: ANN401 - whatever was packed
    """Rebuild an object from a file's memory; its arrays are views of that memory."""
    (count,) = _WORD.unpack_from(memory)
    sizes = [_WORD.unpack_from(memory, _WORD.size * (1 + index))[0] for index in range(count)]
    pieces, place = [], _WORD.size * (1 + count)
    for size in sizes:
        place = _round_up(place)
        pieces.append(memory[place : place + size])
        place += size
    return pickle.loads(pieces[0], buffers=pieces[1:])  # noqa: S301 - between us and our workers


def unpack_parcel(body: bytes, fd: int) -> Any:  # noqa: ANN401 - whatever was packed
    """Rebuild an object from a message; what it needs of the file is copied."""
    if fd < 0:
        return pickle.loads(body)  # noqa: S301 - between us and our workers
    return unpack(copy_of(fd))


def arrays_whole(what: object, keep: Callable[[pickle.PickleBuffer], object]) -> bytes:
    """Pickle like `pickle.dumps`, but strided arrays give up their memory apart as well."""
    return _whole_arrays(what, keep) if "numpy" in sys.modules else _by_name(what, keep)


def _whole_arrays(what: object, keep: Callable[[pickle.PickleBuffer], object]) -> bytes:
    numpy: Any = sys.modules["numpy"]

    class Pickler(pickle.Pickler):
        def reducer_override(self, obj: Any) -> Any:  # noqa: ANN401 - pickle's interface
            if type(obj) is not numpy.ndarray or obj.dtype.hasobject or obj.flags.forc:
                return NotImplemented
            return numpy.ascontiguousarray(obj).__reduce_ex__(5)

    file = io.BytesIO()
    Pickler(file, protocol=5, buffer_callback=keep).dump(what)
    return file.getvalue()


def _round_up(place: int) -> int:
    return -(-place // _ALIGNMENT) * _ALIGNMENT
