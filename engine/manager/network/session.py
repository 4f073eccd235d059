"""One client of the network in the gateway: its places on devices, and its frames."""

import time
from collections.abc import Callable, Sequence
from typing import Any

import msgspec
import numpy as np

from engine.errors import BrokenError, DeviceError, EngineError, to_wire
from engine.manager.network.door import Letter
from engine.manager.network.errands import Errands
from engine.manager.network.messages import (
    MAX_FRAME_BYTES,
    Answer,
    LinkLost,
    PlaceOpened,
    Ran,
    Refused,
    RunFrame,
)
from engine.manager.network.payload import arrays_of, bytes_in, parts_of
from engine.manager.place import LinkLostError, LocalPlace

__all__ = ("FrameUnderWay", "Session")

Array = np.ndarray[Any, Any]
Say = Callable[["Session", Answer, Sequence[memoryview]], object]

_MOST_PLACES = 64


class FrameUnderWay:
    """A frame that a device's worker has.

    Attributes
    ----------
    fd : readable when the result is there.
    """

    def __init__(self, session: "Session", place: LocalPlace, link: Any, frame: RunFrame) -> None:  # noqa: ANN401 - a socket of the place
        self.session = session
        self.place = place
        self.frame = frame
        self.link = link
        self.fd: int = link.fileno()


class Session:
    """What a client of the network has; used by the gateway's one thread.

    Parameters
    ----------
    say : sends the client a message.

    Attributes
    ----------
    letter : the client's first message, without what it said.
    under_way : frames that workers have, by descriptor.
    """

    def __init__(self, letter: Letter, peer: str, errands: Errands, say: Say) -> None:
        self.letter = msgspec.structs.replace(letter, parts=[])
        self.fd = letter.fd
        self.begun_s = time.monotonic()
        self.peer = peer
        self.errands = errands
        self.under_way: dict[int, FrameUnderWay] = {}
        self._say = say
        self._places: dict[int, LocalPlace] = {}
        self._numbers = 0

    def begin(self, frame: RunFrame, parts: Sequence[memoryview]) -> FrameUnderWay | None:
        """Send a frame off to the device; None when that failed, and the client was told.

        Raises
        ------
        BrokenError
            When the client does not keep to the rules.
        """
        place = self._places.get(frame.place)
        if place is None or place.is_lost:
            self._say(self, LinkLost(frame.number), ())
            return None
        if not place.free:
            raise BrokenError(f"more than {len(place.links)} frames are under way at one place")
        if not 0 <= frame.model < len(place.ports):
            raise BrokenError(f"the program has no model {frame.model}")
        inputs = arrays_of(frame.shapes, place.ports[frame.model].inputs, parts)
        link = place.free.pop()
        try:
            place.begin(link, frame.model, inputs)
        except EngineError as error:
            place.free.append(link)
            self._failed(place, frame, error)
            return None
        under_way = FrameUnderWay(self, place, link, frame)
        self.under_way[under_way.fd] = under_way
        return under_way

    def finish(self, done: FrameUnderWay) -> None:
        """Take a result and send it to the client."""
        del self.under_way[done.fd]
        number = done.frame.number

        def tell(outputs: Sequence[Array]) -> None:
            size = bytes_in(outputs)
            if size > MAX_FRAME_BYTES:
                raise DeviceError(
                    f"a result of {size} bytes is too large for the network; it takes "
                    f"{MAX_FRAME_BYTES} bytes at most"
                )
            self._say(self, Ran(number, tuple(array.shape for array in outputs)), parts_of(outputs))

        try:
            done.place.finish(done.link, done.frame.model, tell)
        except (EngineError, msgspec.DecodeError) as error:
            self._failed(done.place, done.frame, error)
        finally:
            done.place.free.append(done.link)

    def add_place(self, number: int, place: LocalPlace) -> None:
        """Take over a place that was opened, and tell the client.

        Raises
        ------
        BrokenError
            When the client opens more than any has reason for.
        """
        if len(self._places) >= _MOST_PLACES:
            place.close()
            raise BrokenError(f"more than {_MOST_PLACES} places are open at once")
        self._numbers += 1
        self._places[self._numbers] = place
        opened = PlaceOpened(
            number=number,
            place=self._numbers,
            device=place.device,
            worker_pid=place.worker_pid,
            links=len(place.links),
            models=place.ports,
        )
        self._say(self, opened, ())

    def close_place(self, number: int) -> list[int]:
        """Free a place; return the descriptors of frames that are given up. Safe to call twice."""
        place = self._places.pop(number, None)
        if place is None:
            return []
        fds = [fd for fd, frame in self.under_way.items() if frame.place is place]
        for fd in fds:
            frame = self.under_way.pop(fd).frame
            self._say(self, LinkLost(frame.number), ())
        place.hang_up()
        place.close()
        return fds

    def close(self) -> list[int]:
        """Free everything; return the descriptors of frames that are given up."""
        self.errands.close()
        return [fd for number in list(self._places) for fd in self.close_place(number)]

    def _failed(
        self, place: LocalPlace, frame: RunFrame, error: EngineError | msgspec.DecodeError
    ) -> None:
        if isinstance(error, LinkLostError | msgspec.DecodeError):
            place.is_lost = True
            self._say(self, LinkLost(frame.number), ())
        else:
            self._say(self, Refused(frame.number, to_wire(error)), ())
