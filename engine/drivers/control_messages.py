"""The messages of a control line: what is asked of a connected device, and the replies.

engine                       host
  ReadAll      ----------->             live_parameters()
  ReadOne      ----------->             live_parameter()
  SetValue     ----------->             set_parameter()
  RunCommand   ----------->             run_command()
  ForceLightOff  --------->             force_light_off()
               <-----------  Reply      with the parameters asked for, or those that have changed

Every request has a number and gets one reply with it, in parts when it is long. They go over a
socket of their own, so that they never mix with frames. msgpack, never a pickle.
"""

from collections.abc import Iterable, Iterator
from typing import Any

import msgspec

from engine.config import ParameterValue
from engine.drivers.live import LiveParameter
from engine.drivers.messages import Failed
from engine.process import MAX_MESSAGE_BYTES
from engine.protocol import unpack

__all__ = (
    "ControlRequest",
    "ForceLightOff",
    "ReadAll",
    "ReadOne",
    "Reply",
    "RunCommand",
    "SetValue",
    "decode_reply",
    "decode_request",
    "encode_control",
    "replies",
)

_ROOM_BYTES = MAX_MESSAGE_BYTES - 16 * 1024


class ReadAll(msgspec.Struct, frozen=True, tag="read_all"):
    """Read all parameters of the device anew."""

    number: int


class ReadOne(msgspec.Struct, frozen=True, tag="read_one"):
    """Read one parameter of the device anew."""

    number: int
    name: str


class SetValue(msgspec.Struct, frozen=True, tag="set_value"):
    """Give a parameter another value."""

    number: int
    name: str
    value: ParameterValue


class RunCommand(msgspec.Struct, frozen=True, tag="run_command"):
    """Run a command of the device."""

    number: int
    name: str


class ForceLightOff(msgspec.Struct, frozen=True, tag="force_light_off"):
    """Make a light dark whatever its parameters say, or let it follow them again."""

    number: int
    is_forced_off: bool


class Reply(msgspec.Struct, frozen=True, tag="reply", omit_defaults=True):
    """The answer to the request of that number.

    Attributes
    ----------
    parameters : those that are new or not what they were; all of them for `ReadAll`, the one that
        was asked for for `ReadOne`.
    has_more : another reply with the same number follows.
    failed : why the request was refused; the parameters are what they are all the same.
    """

    number: int
    parameters: tuple[LiveParameter, ...] = ()
    has_more: bool = False
    failed: Failed | None = None


ControlRequest = ReadAll | ReadOne | SetValue | RunCommand | ForceLightOff

_encoder = msgspec.msgpack.Encoder()
_request_decoder: msgspec.msgpack.Decoder[Any] = msgspec.msgpack.Decoder(ControlRequest)
_reply_decoder = msgspec.msgpack.Decoder(Reply)


def encode_control(message: ControlRequest | Reply) -> bytes:
    """Return the message's bytes."""
    return _encoder.encode(message)


def decode_request(data: bytes) -> ControlRequest:
    """Read a request; raises `msgspec.DecodeError`."""
    request: ControlRequest = unpack(_request_decoder, data)
    return request


def decode_reply(data: bytes) -> Reply:
    """Read a reply; raises `msgspec.DecodeError`."""
    reply: Reply = unpack(_reply_decoder, data)
    return reply


def replies(
    number: int, parameters: Iterable[LiveParameter], failed: Failed | None
) -> Iterator[Reply]:
    """Split a reply into parts that fit into messages; what fits into none is left out."""
    part: list[LiveParameter] = []
    room = _ROOM_BYTES
    for parameter in parameters:
        size = len(_encoder.encode(parameter))
        if size > _ROOM_BYTES:
            continue
        if size > room:
            yield Reply(number, tuple(part), has_more=True)
            part, room = [], _ROOM_BYTES
        part.append(parameter)
        room -= size
    yield Reply(number, tuple(part), failed=failed)
