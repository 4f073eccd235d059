"""What clients, the manager and its device workers say to each other."""

import msgspec

from engine.errors import WireError
from engine.manager.sharing import ShareSettings
from engine.manager.status import DeviceFigures, DeviceInfo, ManagerStatus
from engine.protocol import TensorInfo

__all__ = (
    "PROTOCOL_VERSION",
    "AskStatus",
    "Attach",
    "AttachRefused",
    "Attached",
    "Begin",
    "Detached",
    "Done",
    "Ending",
    "Failed",
    "Figures",
    "Hello",
    "Leave",
    "Left",
    "Listening",
    "Message",
    "ModelPorts",
    "Open",
    "Opened",
    "Refused",
    "Report",
    "Result",
    "Run",
    "Status",
    "Stop",
    "Welcome",
    "WorkerLost",
)

PROTOCOL_VERSION = 1


class ModelPorts(msgspec.Struct, frozen=True, array_like=True):
    """The tensors of one model, in the order of its graph."""

    inputs: tuple[TensorInfo, ...]
    outputs: tuple[TensorInfo, ...]


# -- client and manager


class Hello(msgspec.Struct, frozen=True, tag=True):
    """A client's first message; `peer` says on whose behalf, when that is not its own process."""

    version: int
    peer: str = ""


class Welcome(msgspec.Struct, frozen=True, tag=True):
    """The manager's answer."""

    version: int
    pid: int
    devices: tuple[DeviceInfo, ...]


class Open(msgspec.Struct, frozen=True, tag=True):
    """Asks for a program on a device; a descriptor of the program's bytes comes with it.

    `number` comes back with the answer.
    """

    number: int
    device: int
    program: str
    name: str
    settings: ShareSettings


class Opened(msgspec.Struct, frozen=True, tag=True):
    """The program is ready; the descriptors are the links, one frame at a time on each."""

    number: int
    device: int
    worker_pid: int
    requests: str
    replies: str
    models: tuple[ModelPorts, ...]


class Refused(msgspec.Struct, frozen=True, tag=True):
    """What was asked cannot be done."""

    error: WireError
    number: int = 0


class WorkerLost(msgspec.Struct, frozen=True, tag=True):
    """The worker of a device ended; its links are dead."""

    device: int
    worker_pid: int
    error: WireError


class Ending(msgspec.Struct, frozen=True, tag=True):
    """The manager ends now."""

    reason: str


class AskStatus(msgspec.Struct, frozen=True, tag=True):
    """Asks for `Status`."""

    number: int


class Status(msgspec.Struct, frozen=True, tag=True):
    """Everything the manager knows."""

    number: int
    status: ManagerStatus


class Leave(msgspec.Struct, frozen=True, tag=True):
    """Asks for `Left` once the workers have freed all that the client had."""

    number: int


class Left(msgspec.Struct, frozen=True, tag=True):
    """The client holds nothing any more."""

    number: int


class Stop(msgspec.Struct, frozen=True, tag=True):
    """Asks the manager to end; it closes the line when it has."""


# -- manager and gateway


class Listening(msgspec.Struct, frozen=True, tag=True):
    """The gateway of other machines is ready; the manager's last word to it is `Ending`."""

    address: str


# -- manager and worker


class Begin(msgspec.Struct, frozen=True, tag=True):
    """The first message to a worker."""

    device: int
    plugin: str
    lock_path: str
    plugin_index: int = 0


class Attach(msgspec.Struct, frozen=True, tag=True):
    """A client wants a program; a descriptor of the program's bytes comes with it."""

    client: int
    program: str
    name: str
    settings: ShareSettings


class Attached(msgspec.Struct, frozen=True, tag=True):
    """The program is loaded; the descriptors are the client's ends of the links."""

    client: int
    requests: str
    replies: str
    models: tuple[ModelPorts, ...]


class AttachRefused(msgspec.Struct, frozen=True, tag=True):
    """The program cannot be had."""

    client: int
    error: WireError


class Detached(msgspec.Struct, frozen=True, tag=True):
    """A client's links are gone, and all it held was freed."""

    client: int


class Report(msgspec.Struct, frozen=True, tag=True):
    """Asks a worker for `Figures`."""


class Figures(msgspec.Struct, frozen=True, tag=True):
    """What a worker counted."""

    figures: DeviceFigures


Message = (
    Hello
    | Welcome
    | Open
    | Opened
    | Refused
    | WorkerLost
    | Ending
    | AskStatus
    | Status
    | Leave
    | Left
    | Stop
    | Listening
    | Begin
    | Attach
    | Attached
    | AttachRefused
    | Detached
    | Report
    | Figures
)


# -- client and worker, per frame

Shapes = tuple[tuple[int, ...], ...]


class Run(msgspec.Struct, frozen=True, tag="r", array_like=True):
    """Execute a model on the frame in a slot of the requests' ring.

    `shapes` is None when they are the model's own; `spill` names a segment that holds the frame
    instead of the slot.
    """

    model: int
    slot: int
    shapes: Shapes | None = None
    spill: str = ""


class Done(msgspec.Struct, frozen=True, tag="d", array_like=True):
    """The outputs are in a slot of the replies' ring."""

    slot: int
    shapes: Shapes | None = None
    spill: str = ""


class Failed(msgspec.Struct, frozen=True, tag="f", array_like=True):
    """The frame could not be executed."""

    error: WireError


Result = Done | Failed
