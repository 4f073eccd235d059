"""The parent's global storage as a worker sees it: fetched at the first read, then kept."""

import mmap
import os
import pickle
import sys
import threading
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from engine.errors import RemoteError
from engine.machine._memory import view_of
from engine.machine._packing import unpack
from engine.machine._store import Version, unknown_key
from engine.machine._wire import Kind, Line, Message, key_bytes

__all__ = ("FetchedStorage",)

_NOTHING = 0


@dataclass(eq=False)
class _Known:
    """A value this worker has.

    Attributes
    ----------
    version : its number in the parent, 0 when it was never the parent's.
    epoch : the last one for which the parent said that this is the value.
    publication : number of the parent's publication it came with, 0 when it was inherited.
    memory : where its arrays lie.
    """

    version: int
    epoch: int
    value: Any
    publication: int = 0
    memory: mmap.mmap | None = None


class FetchedStorage:
    """Reads the parent's values over the line on which results leave.

    Attributes
    ----------
    epoch : as of which values are read; that of the task under way.
    """

    def __init__(self, line: Line, inherited: Iterable[tuple[int, Version]], epoch: int) -> None:
        self.epoch = epoch
        self._line = line
        self._lock = threading.RLock()
        self._known = {
            key: _Known(version.number, epoch, _read_only(version.value))
            for key, version in inherited
        }
        self._lingering: dict[int, mmap.mmap] = {}

    def read(self, key: int) -> Any:  # noqa: ANN401 - whatever was stored
        """Return a value, arrays as read-only views.

        Raises
        ------
        GlobKeyError : the parent has nothing under this key.
        RemoteError : the value cannot be sent to workers.
        """
        with self._lock:
            known = self._known.get(key)
            if known is None or known.epoch != self.epoch:
                known = self._ask(key, known)
            return known.value

    def override(self, key: int, value: object) -> None:
        """Replace a value for this worker, until the parent changes it."""
        with self._lock:
            self.read(key)
            known = self._known[key]
            self._known[key] = _Known(known.version, known.epoch, value)
            self._leave(known)

    def drop(self, publication: int) -> None:
        """Let go of what the parent gave up."""
        with self._lock:
            for key, known in list(self._known.items()):
                if known.publication == publication:
                    del self._known[key]
                    self._leave(known)
        self.let_go()

    def let_go(self) -> None:
        """Release memory that was kept only because somebody still looked at it."""
        if not self._lingering:
            return
        with self._lock:
            for publication, memory in list(self._lingering.items()):
                try:
                    memory.close()
                except BufferError:  # an array in the user's hands still lies there
                    continue
                del self._lingering[publication]
                self._line.send(Kind.RELEASED, publication, may_wait=True)

    def _ask(self, key: int, known: _Known | None) -> _Known:
        have = known.version if known is not None else _NOTHING
        self._line.send(Kind.ASK, have, self.epoch, key_bytes(key), may_wait=True)
        answer = self._line.receive(may_wait=True)
        if answer is None:
            sys.exit(0)  # the parent is gone
        if answer.kind == Kind.SAME and known is not None:
            known.epoch = self.epoch
            return known
        if known is not None:
            del self._known[key]
            self._leave(known)
            del known
            self.let_go()
        if answer.kind == Kind.MISSING:
            raise unknown_key(key, is_ours=False)
        if answer.kind == Kind.ERROR:
            raise RemoteError(answer.body.decode())
        self._known[key] = self._received(answer)
        return self._known[key]

    def _received(self, answer: Message) -> _Known:
        version, publication = answer.number, answer.epoch
        if answer.fd < 0:
            return _Known(version, self.epoch, pickle.loads(answer.body), publication)  # noqa: S301
        try:
            memory = view_of(answer.fd, os.fstat(answer.fd).st_size)
        finally:
            os.close(answer.fd)
        value = unpack(memoryview(memory))
        return _Known(version, self.epoch, value, publication, memory)

    def _leave(self, known: _Known) -> None:
        if known.memory is not None:
            self._lingering[known.publication] = known.memory


def _read_only(value: Any) -> Any:  # noqa: ANN401 - whatever was stored
    """Return an array that came with a fork as others come: not to be written."""
    numpy: Any = sys.modules.get("numpy")
    if numpy is None or type(value) is not numpy.ndarray:
        return value
    view = value.view()
    view.flags.writeable = False
    return view
