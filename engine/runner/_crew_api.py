"""What a run needs of the workers, wherever they are: the seam for other executors."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple, Protocol

from engine.runner._cfg_copies import CfgCopies
from engine.runner._codec import Entry
from engine.runner._failures import FailureParts
from engine.runner._worker import Hooks

__all__ = ("Arrived", "Crew", "CrewPlan", "Dropped", "Event", "Guard", "Lost", "NotBegun", "Parcel")


class CrewPlan(NamedTuple):
    """What a crew is made from.

    Attributes
    ----------
    hooks : the runner's class.
    devices : one worker for each.
    cfg : the configuration; the crew closes it.
    start_method : "fork", "spawn", "forkserver"; None as the program has set it, else fork.
    """

    hooks: type[Hooks]
    devices: Sequence[Any]
    cfg: CfgCopies
    start_method: str | None


@dataclass(slots=True)
class Parcel:
    """Consecutive items on their way to a worker, or with it.

    Attributes
    ----------
    call : number of the call they belong to.
    first : number of the first item.
    entries : the items as they travel, kept until their results are here.
    done : how many of them are finished.
    """

    call: int
    first: int
    entries: Sequence[Entry]
    done: int = 0

    def rest(self) -> list[tuple[int, Entry]]:
        """Return number and entry of the items that are not finished."""
        return list(enumerate(self.entries[self.done :], self.first + self.done))


@dataclass(slots=True)
class Arrived:
    """Results of consecutive items of one parcel.

    `decode` turns an entry into the value; `place` says where an item was done, for messages.
    """

    call: int
    first: int
    items: Sequence[Entry]
    results: Sequence[Entry]
    seconds: float
    size_bytes: int
    is_plain: bool
    decode: Callable[[Entry], Any]
    place: Callable[[int], str]


@dataclass(slots=True)
class Dropped:
    """Items of a call that was given up were not done."""

    call: int
    count: int


@dataclass(slots=True)
class NotBegun:
    """A worker's first hook failed; the worker has ended."""

    failure: FailureParts
    place: str


@dataclass(slots=True)
class Lost:
    """A worker ended without being told to.

    Attributes
    ----------
    error : what to raise.
    culprit : the item it had in hand, None when it had none.
    rest : all unfinished items of the current call that were with it, the culprit included.
    has_begun : whether its first hook had returned, or its machine was lost, so that the hook is
        not to blame.
    is_movable : whether its items are done by others even under ``on_error="raise"``: on a cluster,
        where machines come and go. Each item is tried again as often as ``retries`` says.
    """

    worker: int
    error: BaseException
    culprit: int | None
    rest: list[tuple[int, Entry]]
    has_begun: bool
    is_movable: bool = False


Event = Arrived | Dropped | NotBegun | Lost


class Guard(Protocol):
    """A lock that its holder may take again, such as `threading.RLock`."""

    def acquire(self, blocking: bool = True, timeout: float = -1) -> bool:
        """Take it; False when that took too long."""

    def release(self) -> None:
        """Let go."""

    def __enter__(self) -> bool: ...

    def __exit__(self, kind: Any, error: Any, trace: Any, /) -> object: ...  # noqa: ANN401


class Crew(Protocol):
    """Workers that do parcels of items. `encode` belongs to the feeding thread, the rest to the
    thread that runs the call, `wake` to everybody.
    """  # noqa: D205

    size: int
    parcel_s: float
    """About how much work pays for the way of a parcel there and back."""
    parcel_bytes: int
    """How many bytes fit into a parcel, beside the big buffers that travel apart."""
    is_closing: bool
    guard: Guard
    """Held by whoever talks to the workers; nobody holds it in the user's code."""

    def fresh_cfg(self) -> Any:  # noqa: ANN401 - as the user gave it
        """Return a private copy of the configuration."""

    def encode(self, value: Any) -> Entry:  # noqa: ANN401 - any object of the user
        """Take an item down, so that its owner may change it."""

    def begin(self, call: int, *, keeps_items: bool) -> None:
        """Start a call; missing workers are replaced. `keeps_items`: items may be sent again."""

    def cancel(self) -> None:
        """Let the workers drop what they have of the current call."""

    def room(self, depth: int, patience_s: float) -> int:
        """Return how many parcels may be sent now.

        A worker without any may have one; one that keeps delivering, that is, has done so in this
        call and was not silent for `patience_s`, up to `depth`.
        """

    def send(self, parcel: Parcel) -> None:
        """Give a parcel to the worker with the least to do."""

    def drop(self, entry: Entry) -> None:
        """Forget an item that is with no worker and will not be sent (again)."""

    def settled(self, entry: Entry) -> None:
        """Forget an item that was done and will not be sent again, if it was kept."""

    def step(self, timeout_s: float | None) -> list[Event]:
        """Wait for something to happen, or for `wake`, and return it."""

    def replace(self, worker: int) -> None:
        """Start a new worker for a lost one."""

    def abandon_busy(self) -> None:
        """End the workers that are still at something."""

    def wake(self) -> None:
        """End a wait in `step`."""

    def end(self, grace_s: float) -> list[BaseException]:
        """Stop all workers; kill those that take longer. Return failures of their last hooks."""

    def release(self) -> None:
        """Let go of everything; no worker is left. Safe to call twice."""
