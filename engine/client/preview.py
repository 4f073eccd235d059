"""Reads the newest picture of a stream from shared memory."""

from dataclasses import dataclass
from typing import Self

import msgspec
import numpy as np
from numpy.typing import NDArray

from engine.errors import SegmentLostError
from engine.protocol import PreviewMeta, PreviewPlace, Result
from engine.shm import Mailbox

__all__ = ("Preview", "PreviewReader")


@dataclass(frozen=True, slots=True)
class Preview:
    """A picture and what was found in that very frame.

    Attributes
    ----------
    sequence : counts the pictures of the stream.
    picture : shape (height, width, 4), uint8, blue green red unused; private memory.
    class_map : shape (height, width), uint8, 255 = no class; only of line cameras.
    """

    sequence: int
    result: Result
    picture: NDArray[np.uint8]
    class_map: NDArray[np.uint8] | None = None


class PreviewReader:
    """Follows one stream's preview; belongs to one thread."""

    def __init__(self, place: PreviewPlace) -> None:
        self.place = place
        self._mailbox = Mailbox.attach(place.segment)
        self._sequence = 0
        self._decoder = msgspec.msgpack.Decoder(PreviewMeta)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def read(self) -> Preview | None:
        """Return the newest picture, or None when it was seen already."""
        value = self._mailbox.read(newer_than=self._sequence)
        if value is None:
            return None
        sequence, encoded, payload = value
        meta = self._decoder.decode(encoded)
        pixels = meta.width * meta.height
        data = np.frombuffer(payload, np.uint8)
        if data.size < pixels * (5 if meta.has_class_map else 4):
            raise SegmentLostError(f"the preview {self.place.segment!r} is shorter than it says")
        self._sequence = sequence
        picture = data[: pixels * 4].reshape(meta.height, meta.width, 4)
        class_map = None
        if meta.has_class_map:
            class_map = data[pixels * 4 : pixels * 5].reshape(meta.height, meta.width)
        return Preview(sequence, meta.result, picture, class_map)

    def close(self) -> None:
        """Detach from the segment. Safe to call twice."""
        self._mailbox.close()
