"""What a client and the gateway of a manager say to each other over a network.

A message is one packed struct; arrays and a program's bytes follow it as further parts of at most
`PART_BYTES`. Every question has a number, which comes back with its answer.
"""

import msgspec

from engine.errors import WireError
from engine.manager.messages import ModelPorts, Shapes
from engine.manager.sharing import ShareSettings
from engine.manager.status import DeviceInfo, ManagerStatus

__all__ = (
    "MAX_FRAME_BYTES",
    "MAX_PROGRAM_BYTES",
    "NETWORK_VERSION",
    "PART_BYTES",
    "PIECE_BYTES",
    "Answer",
    "AskStatus",
    "AskWhyLost",
    "Bye",
    "Ending",
    "Greet",
    "Leave",
    "Left",
    "LinkLost",
    "OpenPlace",
    "PlaceClosed",
    "PlaceOpened",
    "Question",
    "Ran",
    "Refused",
    "RunFrame",
    "Status",
    "Took",
    "Upload",
    "UploadWanted",
    "Welcome",
)

NETWORK_VERSION = 1
PART_BYTES = 256 * 1024
PIECE_BYTES = 8 * 1024 * 1024  # of a program, in one message
MAX_FRAME_BYTES = 256 * 1024 * 1024
MAX_PROGRAM_BYTES = 2 * 1024 * 1024 * 1024


# -- from the client


class Greet(msgspec.Struct, frozen=True, tag="hello"):
    """The first message."""

    number: int
    version: int


class OpenPlace(msgspec.Struct, frozen=True, tag="open"):
    """Asks for a program on a device; `program` is the SHA-256 of its bytes."""

    number: int
    device: int
    program: str
    name: str
    size_bytes: int
    settings: ShareSettings


class Upload(msgspec.Struct, frozen=True, tag="upload"):
    """A piece of a program's bytes, after `UploadWanted`; pieces come in order."""

    number: int
    program: str
    offset: int


class RunFrame(msgspec.Struct, frozen=True, tag="r"):
    """Execute a model on the arrays that follow."""

    number: int
    place: int
    model: int
    shapes: Shapes


class PlaceClosed(msgspec.Struct, frozen=True, tag="close"):
    """The client does not need the place any more; there is no answer."""

    place: int


class AskWhyLost(msgspec.Struct, frozen=True, tag="why"):
    """Asks what became of a worker, or of the manager; the answer is `Refused` with it."""

    number: int
    worker_pid: int


class AskStatus(msgspec.Struct, frozen=True, tag="status"):
    """Asks for `Status`."""

    number: int


class Leave(msgspec.Struct, frozen=True, tag="leave"):
    """Asks for `Left` once the workers have freed what the client had."""

    number: int


Question = Greet | OpenPlace | Upload | RunFrame | PlaceClosed | AskWhyLost | AskStatus | Leave


# -- from the gateway


class Welcome(msgspec.Struct, frozen=True, tag="welcome"):
    """The client is in."""

    number: int
    version: int
    pid: int
    devices: tuple[DeviceInfo, ...]


class UploadWanted(msgspec.Struct, frozen=True, tag="wanted"):
    """The gateway does not have the program's bytes; upload them, then ask again."""

    number: int


class Took(msgspec.Struct, frozen=True, tag="took"):
    """The piece has arrived."""

    number: int


class PlaceOpened(msgspec.Struct, frozen=True, tag="opened"):
    """The program is ready; `links` frames may be under way at once."""

    number: int
    place: int
    device: int
    worker_pid: int
    links: int
    models: tuple[ModelPorts, ...]


class Ran(msgspec.Struct, frozen=True, tag="d"):
    """The frame's outputs follow."""

    number: int
    shapes: Shapes


class LinkLost(msgspec.Struct, frozen=True, tag="lost"):
    """The worker is gone, and the frame with it."""

    number: int


class Refused(msgspec.Struct, frozen=True, tag="refused"):
    """What was asked cannot be done, or the device failed on the frame."""

    number: int
    error: WireError


class Status(msgspec.Struct, frozen=True, tag="told"):
    """Everything the manager knows."""

    number: int
    status: ManagerStatus


class Left(msgspec.Struct, frozen=True, tag="left"):
    """The client holds nothing any more."""

    number: int


class Ending(msgspec.Struct, frozen=True, tag="ending"):
    """The manager ends now; nobody asked."""

    reason: str


class Bye(msgspec.Struct, frozen=True, tag="bye"):
    """Tells a client that it is not served any more; nobody asked, and the connection ends."""

    error: WireError


Answer = (
    Welcome
    | UploadWanted
    | Took
    | PlaceOpened
    | Ran
    | LinkLost
    | Refused
    | Status
    | Left
    | Ending
    | Bye
)
