"""The messages between the engine and a driver host: msgpack over one socket, never a pickle.

engine                       host
  Open        ----------->              load the driver, open the source
              <-----------   Opened     or Failed
  Begin       ----------->              attach the ring, start to deliver
              <-----------   FrameReady one per frame in a slot
  Freed       ----------->              a slot is free (only sent to a source that is held back)
              <-----------   Lost       the device has lost frames (only when it did)
              <-----------   Logged     at any time
              <-----------   Ended      or Failed; then the host leaves
  Stop        ----------->              close the source and leave

A light has no frames: nothing follows its Opened but Failed or Stop. What is asked of the device
while frames come goes over a second socket, see `engine.drivers.control_messages`.
"""

from typing import Any

import msgspec

from engine.config import ParameterValue
from engine.errors import EngineError, WireError, from_wire, to_wire
from engine.protocol import FrameFormat, LogEntry, Truth, unpack

__all__ = (
    "HOST_PROTOCOL_VERSION",
    "Begin",
    "Ended",
    "Failed",
    "FrameReady",
    "Freed",
    "FromEngine",
    "FromHost",
    "Logged",
    "Lost",
    "Open",
    "Opened",
    "Stop",
    "decode_from_engine",
    "decode_from_host",
    "encode",
    "encode_logged",
)

HOST_PROTOCOL_VERSION = 1
_TEXT_LIMIT = 2000
_DETAILS_LIMIT = 16


class Open(msgspec.Struct, frozen=True, tag="open"):
    """Load the driver in `folder` and open its source with these complete parameters.

    `control_fd` is the descriptor of the control line, -1 for drivers of version 1.
    """

    version: int
    driver: str
    folder: str
    module: str
    stream: str
    parameters: dict[str, ParameterValue]
    is_held_back: bool = False
    api_version: int = 1
    control_fd: int = -1


class Begin(msgspec.Struct, frozen=True, tag="begin"):
    """Deliver frames into the slots of the ring of that name."""

    ring: str


class Freed(msgspec.Struct, frozen=True, tag="freed"):
    """A slot has become free."""


class Stop(msgspec.Struct, frozen=True, tag="stop"):
    """Close the source and leave."""


class Opened(msgspec.Struct, frozen=True, tag="opened"):
    """The source is open and delivers frames of this format, or none (a light)."""

    frame_format: FrameFormat | None


class FrameReady(msgspec.Struct, frozen=True, tag="frame", omit_defaults=True):
    """A frame lies in a slot.

    Attributes
    ----------
    frame_id : number of the frame in the source, counting from 0; skipped frames are counted.
    captured_at_ns, ready_at_ns : monotonic times of capture and of being complete in the slot.
    truth : what the source knows to be in the frame.
    """

    slot: int
    frame_id: int
    captured_at_ns: int
    ready_at_ns: int
    truth: Truth | None = None


class Lost(msgspec.Struct, frozen=True, tag="lost"):
    """The device has lost `count` frames since it was opened; they have no numbers."""

    count: int


class Ended(msgspec.Struct, frozen=True, tag="ended"):
    """The source has no more frames; `frame_count` had been used up, skipped ones included."""

    frame_count: int


class Failed(msgspec.Struct, frozen=True, tag="failed"):
    """The driver cannot go on; `code` is that of an `EngineError`, `message` a sentence."""

    code: str
    message: str
    details: dict[str, str | int | float | bool | None] = {}

    @classmethod
    def of(cls, error: BaseException) -> "Failed":
        """Describe an error; what is too long for a message is cut."""
        wire = to_wire(error)
        details = {
            name: value[-_TEXT_LIMIT:] if isinstance(value, str) else value
            for name, value in list(wire.details.items())[:_DETAILS_LIMIT]
        }
        return cls(wire.code, wire.message[:_TEXT_LIMIT], details)

    def to_error(self) -> EngineError:
        """Return the error as an exception of its class."""
        return from_wire(WireError(self.code, self.message, self.details))


class Logged(msgspec.Struct, frozen=True, tag="logged"):
    """The driver logged something."""

    entry: LogEntry


class _PackedLogged(msgspec.Struct, frozen=True, tag="logged"):
    entry: msgspec.Raw


FromEngine = Open | Begin | Freed | Stop
FromHost = Opened | FrameReady | Lost | Ended | Failed | Logged

_encoder = msgspec.msgpack.Encoder()
_engine_decoder: msgspec.msgpack.Decoder[Any] = msgspec.msgpack.Decoder(FromEngine)
_host_decoder: msgspec.msgpack.Decoder[Any] = msgspec.msgpack.Decoder(FromHost)


def encode(message: FromEngine | FromHost) -> bytes:
    """Return the message's bytes."""
    return _encoder.encode(message)


def encode_logged(packed_entry: bytes) -> bytes:
    """Return the bytes of a `Logged` around a `LogEntry` that is msgpack already."""
    return _encoder.encode(_PackedLogged(msgspec.Raw(packed_entry)))


def decode_from_engine(data: bytes) -> FromEngine:
    """Read a message that the engine sent to a host; raises `msgspec.DecodeError`."""
    message: FromEngine = unpack(_engine_decoder, data)
    return message


def decode_from_host(data: bytes) -> FromHost:
    """Read a message that a host sent to the engine; raises `msgspec.DecodeError`."""
    message: FromHost = unpack(_host_decoder, data)
    return message
