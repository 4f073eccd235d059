"""Keeps one preview reader per stream and follows the segments as streams come and go."""

import logging
from typing import TYPE_CHECKING

from engine.errors import EngineError
from engine.protocol import PreviewPlace, Snapshot
from ui.bridge.protocols import OpenReader, PreviewReading

if TYPE_CHECKING:
    from engine.client import Preview

__all__ = ("PreviewBook",)

log = logging.getLogger(__name__)


class PreviewBook:
    """The newest pictures of all streams, by name.

    Parameters
    ----------
    open_reader : opens a place, for example `engine.client.PreviewReader`.
    """

    def __init__(self, open_reader: OpenReader) -> None:
        self._open_reader = open_reader
        self._places: dict[str, PreviewPlace] = {}
        self._readers: dict[str, PreviewReading] = {}
        self._is_lost: set[str] = set()

    def set_snapshot(self, snapshot: Snapshot) -> None:
        """Let go of places that are no longer named; new ones are opened when first read."""
        places = {s.name: s.preview for s in snapshot.streams if s.preview is not None}
        for name, place in list(self._places.items()):
            if places.get(name) != place:
                self._forget(name)
        self._places = places

    def read(self, stream: str) -> "Preview | None":
        """Return the stream's newest picture that was not read yet."""
        reader = self._readers.get(stream) or self._open(stream)
        if reader is None:
            return None
        try:
            return reader.read()
        except EngineError as error:
            self._lose(stream, error)
            return None

    def close(self) -> None:
        """Let go of all memory. Safe to call twice."""
        for name in list(self._readers):
            self._forget(name)
        self._places = {}

    def _open(self, name: str) -> PreviewReading | None:
        place = self._places.get(name)
        if place is None or name in self._is_lost:
            return None
        try:
            reader = self._open_reader(place)
        except EngineError as error:
            self._lose(name, error)
            return None
        self._readers[name] = reader
        return reader

    def _lose(self, name: str, error: EngineError) -> None:
        """Stop asking for this place; the next one the engine names is tried again."""
        log.info("the preview of %s is gone: %s", name, error, extra={"stream": name})
        self._forget(name)
        self._is_lost.add(name)

    def _forget(self, name: str) -> None:
        self._is_lost.discard(name)
        reader = self._readers.pop(name, None)
        if reader is not None:
            reader.close()
