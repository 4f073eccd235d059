"""The caller's end of one worker on a cluster: its actor and what it has in hand."""

import re
import time
from collections.abc import Callable
from concurrent.futures import Future
from typing import Any, NamedTuple

import ray

from engine.errors import WorkerDiedError
from engine.runner._codec import Entry
from engine.runner._crew_api import Arrived, Parcel
from engine.runner._ray_codec import decode
from engine.runner._ray_worker import Place, Reply, Stored

__all__ = ("News", "RayLink", "StoredItem", "Task", "living_nodes")


_CAUSE = re.compile("The actor (is dead|died) because ")


class Task(NamedTuple):
    """Something an actor was asked to do.

    Attributes
    ----------
    name : "begin", "ping", "work" or "end".
    parcel : which items, for work.
    reference : what Ray calls the answer.
    """

    name: str
    parcel: Parcel | None
    reference: Any


class StoredItem:
    """What Ray calls an item in its store; unlike that it can be referred to weakly."""

    __slots__ = ("__weakref__", "reference")

    def __init__(self, reference: Any) -> None:  # noqa: ANN401 - Ray's
        self.reference = reference


class News(NamedTuple):
    """An actor has answered, or never will."""

    link: "RayLink"
    task: Task
    answer: "Future[Any]"


class RayLink:
    """Speaks to one actor. Used by one thread at a time.

    Attributes
    ----------
    found : where it is, once its process runs.
    has_begun : whether its first hook has returned.
    is_ready : whether it can be sent parcels.
    tasks : what it was sent and has not answered, oldest first.
    room : how many parcels it may be sent now, as the crew has counted.
    heard_s : when it last delivered a result of the current call.
    """

    def __init__(
        self,
        number: int,
        role: str,
        actor: Any,  # noqa: ANN401 - Ray makes its type
        hear: Callable[[News], None],
        *,
        read_only: bool,
    ) -> None:
        self.number = number
        self.role = role
        self.found: Place | None = None
        self.has_begun = False
        self.is_ready = False
        self.tasks: list[Task] = []
        self.room = 0
        self.heard_s = 0.0
        self._actor = actor
        self._hear = hear
        self._read_only = read_only

    @property
    def parcels(self) -> list[Parcel]:
        """What was sent and is not finished, oldest first."""
        return [task.parcel for task in self.tasks if task.parcel is not None]

    def ask(self, name: str, *arguments: Any, parcel: Parcel | None = None) -> None:  # noqa: ANN401
        """Call a method of the actor; the answer is heard of later, in a thread of Ray's."""
        reference = getattr(self._actor, name).remote(*arguments)
        task = Task(name, parcel, reference)
        self.tasks.append(task)
        reference.future().add_done_callback(lambda answer: self._hear(News(self, task, answer)))

    def send(self, parcel: Parcel) -> None:
        """Send what of a parcel is not done; what lies in the store is fetched before its turn."""
        stored: list[Any] = []
        entries = [_named(entry, stored) for entry in parcel.entries[parcel.done :]]
        self.ask("work", entries, *stored, parcel=parcel)

    def arrived(self, parcel: Parcel, reply: Reply) -> Arrived:
        """Take in results; the parcel knows how far it is."""
        first, count = parcel.first + parcel.done, len(reply.results)
        items = parcel.entries[parcel.done : parcel.done + count]
        parcel.done += count
        self.heard_s = time.monotonic()
        return Arrived(
            parcel.call,
            first,
            items,
            reply.results,
            reply.seconds,
            reply.moved_bytes,
            reply.is_plain,
            self._decode,
            self.place,
        )

    def place(self, item: int) -> str:
        """Say where an item was done."""
        return f"item {item} ({self.where()})"

    def where(self) -> str:
        """Say which worker this is."""
        if self.found is None:
            return self.role
        return f"{self.role}, process {self.found.pid} on node {self.found.node[:8]}"

    def died(self, reason: BaseException, culprit: int | None) -> WorkerDiedError:
        """Return the error that tells how the worker ended, in Ray's words."""
        words = "" if self.has_begun else " before its first hook had returned"
        words += f" at item {culprit}" if culprit is not None else ""
        return WorkerDiedError(
            f"{self.where()} has ended{words}: {_story(reason)}",
            role=self.role,
            pid=self.found.pid if self.found else None,
            node=self.found.node if self.found else None,
            item=culprit,
        )

    def kill(self) -> None:
        """End the actor at once."""
        ray.kill(self._actor)

    def _decode(self, entry: Entry) -> Any:  # noqa: ANN401 - any object of the user
        return decode(entry, read_only=self._read_only)


def _story(reason: BaseException) -> str:
    """Return what Ray knows of an end, without its general advice."""
    words = " ".join(str(reason).split())
    cause = _CAUSE.search(words)
    told = words[cause.start() :].partition(" Some common causes")[0] if cause else words
    return told[:400] or type(reason).__name__


def _named(entry: Entry, stored: list[Any]) -> Entry:
    """Return an entry as it travels; what lies in the store becomes an argument of its own."""
    if type(entry) is not tuple:
        return entry
    _, item, size_bytes = entry
    stored.append(item.reference)
    return Stored(len(stored) - 1, size_bytes)


def living_nodes() -> list[dict[str, Any]]:
    """Return what Ray tells of the nodes that are alive; asks the cluster."""
    nodes: list[dict[str, Any]] = ray.nodes()  # type: ignore[no-untyped-call]
    return [node for node in nodes if node["Alive"]]
