"""Workers that are actors on a Ray cluster."""

import contextlib
import logging
import threading
import time
import weakref
from collections import deque
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import ray
from ray.exceptions import RayError

from engine.errors import BrokenError, ClosedError, WorkerDiedError
from engine.process import Deadline, WakePipe, wait_readable
from engine.runner import _ray_session
from engine.runner._codec import Entry
from engine.runner._crew_api import CrewPlan, Event, Guard, Lost, NotBegun, Parcel
from engine.runner._failures import FailureParts, rebuild
from engine.runner._ray_codec import Parts, take_apart
from engine.runner._ray_link import News, RayLink, StoredItem, living_nodes
from engine.runner._ray_shipping import by_value, by_value_no_more, packed_cfg, packed_hooks
from engine.runner._ray_worker import RayWorker

if TYPE_CHECKING:
    from engine.runner.ray_executor import RayExecutor

__all__ = ("RayCrew",)

log = logging.getLogger(__name__)

_PARCEL_S = 0.01  # a way there and back takes about a millisecond
_PARCEL_BYTES = 512 * 1024
_TRAVEL_S = 0.1
_PATIENCE_AHEAD_S = 1.5  # three times as long as a parcel takes
_EXIT_GRACE_S = 0.7
_RAY_FAILED = (RayError, ConnectionError, RuntimeError)
"""What Ray's functions raise when the cluster is gone or disconnected."""


class RayCrew:
    """Starts, feeds, watches and ends actors, one per device.

    What Ray tells comes in a thread of its own and is only noted there; `step` deals with it. A
    worker takes parcels once its first hook has returned. One that ends is replaced by a new actor,
    wherever the cluster has room; until then, and if that takes for ever, the others do the work.

    Raises
    ------
    InvalidArgumentError : the class or its configuration cannot be sent to other machines.
    BrokenError : the cluster cannot be joined.
    """

    def __init__(self, plan: CrewPlan, chosen: "RayExecutor") -> None:
        self.size = len(plan.devices)
        self.parcel_s = _PARCEL_S
        self.parcel_bytes = _PARCEL_BYTES
        self.guard: Guard = threading.RLock()
        self.is_closing = False
        self._plan = plan
        self._chosen = chosen
        self._call = 0
        self._links: list[RayLink | None] = [None] * self.size
        self._news: deque[News] = deque()
        self._stored: weakref.WeakSet[StoredItem] = weakref.WeakSet()
        self._nobody_since_s = time.monotonic()
        self._is_released = False
        env = chosen.runtime_env
        is_new = _ray_session.join(chosen.address, self.size, env, self._at_exit)
        self._runtime_env = None if is_new else env
        self._by_value = by_value(plan.hooks)
        self._wake = WakePipe()
        try:
            with _told_in_our_words(self):
                self._setup = ray.put(packed_hooks(plan.hooks))
                self._cfg = ray.put(packed_cfg(plan.cfg.fresh()))
            for number in range(self.size):
                self.replace(number)
        except BaseException:
            self.end(0.0)
            self.release()
            raise

    def fresh_cfg(self) -> Any:  # noqa: ANN401 - as the user gave it
        """Return a private copy of the configuration."""
        return self._plan.cfg.fresh()

    # -- a call

    def encode(self, value: Any) -> Entry:  # noqa: ANN401 - any object of the user
        """Take an item down; a big one into Ray's store. Raises what pickling raises."""
        return take_apart(value, self._store)

    def begin(self, call: int, *, keeps_items: bool) -> None:
        """Start a call; missing workers are replaced, idle ones show that they are there."""
        self._nobody_since_s = time.monotonic()
        for event in self.step(0.0):
            if isinstance(event, Lost):
                log.warning("%s; another takes its place", event.error)
        self._call = call
        for number, link in enumerate(self._links):
            if link is None:
                self.replace(number)
                continue
            link.heard_s = 0.0
            if link.is_ready and not link.tasks:
                link.is_ready = False
                self._ask(link, "ping")

    def cancel(self) -> None:
        """Give the call up; what the workers have, a parcel or two of quick items, nobody takes.

        `ray.cancel` is no help: an actor (2.60) stands still after one of its tasks was canceled.
        """
        self._call = 0

    def drop(self, entry: Entry) -> None:
        """Forget an item; Ray frees what nobody refers to."""

    def settled(self, entry: Entry) -> None:
        """Forget an item; Ray frees what nobody refers to."""

    def room(self, depth: int, patience_s: float) -> int:
        """Return how many parcels may be sent now.

        A worker without any may have one; one that keeps delivering, that is, has done so in this
        call and was not silent for `patience_s` and a bit for the way, up to `depth`. Unless items
        take very long the next is on its way while one is worked on, so that nobody waits for it.
        """
        depth = max(depth, 2) if patience_s < _PATIENCE_AHEAD_S else depth
        fresh_s = time.monotonic() - patience_s - _TRAVEL_S
        room = 0
        for link in self._alive():
            most = depth if link.heard_s > fresh_s else 1
            link.room = max(0, most - len(link.parcels)) if link.is_ready else 0
            room += link.room
        return room

    def send(self, parcel: Parcel) -> None:
        """Give a parcel to the worker with the least to do."""
        ready = [link for link in self._alive() if link.room]
        link = min(ready, key=lambda link: len(link.tasks))
        link.room -= 1
        with _told_in_our_words(self):
            link.send(parcel)

    def step(self, timeout_s: float | None) -> list[Event]:
        """Wait for something to happen, or for `wake`, and return it.

        Raises
        ------
        WorkerDiedError : the cluster has no room for a single worker, and had none for long.
        """
        patience_s = self._patience_s()
        waits = [wait for wait in (timeout_s, patience_s) if wait is not None]
        wait_readable([self._wake.fileno()], min(waits, default=None))
        self._wake.clear()
        events: list[Event] = []
        while self._news:
            event = self._learn(self._news.popleft())
            if event is not None:
                events.append(event)
        if patience_s is not None and self._patience_s() == 0.0:
            raise self._no_worker()
        return events

    def wake(self) -> None:
        """End a wait in `step`."""
        self._wake.wake()

    def replace(self, worker: int) -> None:
        """Start a worker where there is none."""
        device = self._plan.devices[worker]
        chosen = self._chosen
        wants_gpu = isinstance(device, str) and device.partition(":")[0] == "cuda"
        with _told_in_our_words(self):
            actor = (
                ray.remote(RayWorker)
                .options(
                    num_cpus=chosen.num_cpus,
                    num_gpus=chosen.num_gpus if wants_gpu else 0,
                    resources=chosen.resources,
                    runtime_env=self._runtime_env,
                    scheduling_strategy="SPREAD",
                )
                .remote()
            )
            role = f"worker {worker} of {self._plan.hooks.__qualname__} on device {device!r}"
            link = RayLink(worker, role, actor, self._hear, read_only=chosen.read_only)
            self._links[worker] = link
            link.ask("ping")
            link.ask("begin", device, self._setup, self._cfg, chosen.read_only)

    def abandon_busy(self) -> None:
        """End the workers that are still at something; others take their place in the next call."""
        for link in self._alive():
            if link.tasks:
                self._end_now(link)

    # -- the end

    def end(self, grace_s: float) -> list[BaseException]:
        """Stop all workers; kill those that take longer. Return failures of their last hooks."""
        self.is_closing = True
        self._call = 0
        failures: list[BaseException] = []
        if not self._is_released and ray.is_initialized():
            with contextlib.suppress(*_RAY_FAILED):
                failures = self._end_gently(Deadline(grace_s)) if grace_s else []
            for link in list(self._alive()):
                self._end_now(link)
        return failures

    def release(self) -> None:
        """Let go of everything, Ray included if nobody else uses it. Safe to call twice."""
        if self._is_released:
            return
        self._is_released = True
        # Ray (2.60) ends a program that drops a reference while it is shut down in `leave`: what is
        # ours goes before, what others may hold, items of a stream that is still read, is kept.
        kept = [item.reference for item in list(self._stored)]
        self._links[:] = [None] * self.size
        self._news.clear()
        for name in ("_setup", "_cfg"):
            vars(self).pop(name, None)
        self._plan.cfg.close()
        self._wake.close()
        by_value_no_more(self._by_value)
        _ray_session.leave(self._at_exit, kept)

    def _at_exit(self) -> None:
        for failure in self.end(_EXIT_GRACE_S):
            log.error("while closing a runner: %s", failure, exc_info=failure)
        self.release()

    def _end_gently(self, deadline: Deadline) -> list[BaseException]:
        """Let the workers that have begun call their last hook."""
        failures: list[BaseException] = []
        while self._news:  # one may have begun just now
            self._learn(self._news.popleft())
        for link in list(self._alive()):
            if not link.has_begun:
                self._end_now(link)
            else:
                self._ask(link, "end")
        while any(self._alive()) and deadline.left_s():
            wait_readable([self._wake.fileno()], deadline.left_s())
            self._wake.clear()
            while self._news:
                failures += self._ended(self._news.popleft())
        for link in self._alive():
            log.warning("%s did not end in time and was killed", link.role)
        return failures

    def _ended(self, news: News) -> list[BaseException]:
        """Take in that a worker has called its last hook, or has died; return its failure."""
        link, task, answer = news
        is_dead = answer.exception() is not None
        if self._links[link.number] is not link or not (task.name == "end" or is_dead):
            return []
        self._end_now(link)
        if is_dead or answer.result() is None:
            return []
        return [rebuild(answer.result(), link.where())]

    # -- what happened

    def _hear(self, news: News) -> None:
        """Note an answer, in a thread of Ray's."""
        self._news.append(news)
        self._wake.wake()

    def _learn(self, news: News) -> Event | None:
        link, task, answer = news
        if self._links[link.number] is not link:
            return None  # it was given up; what it did meanwhile is done again elsewhere
        error = answer.exception()
        if error is not None:
            return self._lost(link, error)
        link.tasks = [other for other in link.tasks if other is not task]
        if task.name == "begin":
            return self._begun(link, answer.result())
        if task.name == "ping":
            link.found = answer.result()
            link.is_ready = link.has_begun
        if task.parcel is None or task.parcel.call != self._call:
            return None
        event = link.arrived(task.parcel, answer.result())
        if task.parcel.done < len(task.parcel.entries):
            with _told_in_our_words(self):
                link.send(task.parcel)
        return event

    def _begun(self, link: RayLink, failure: FailureParts | None) -> Event | None:
        if failure is not None:
            self._end_now(link)
            return NotBegun(failure, link.where())
        link.is_ready = link.has_begun = True
        return None

    def _lost(self, link: RayLink, error: BaseException) -> Lost:
        """Tell of the end of a worker. Whose fault it was is known when one item was with it."""
        parcels = [parcel for parcel in link.parcels if parcel.call == self._call]
        rest = [pair for parcel in parcels for pair in parcel.rest()]
        is_gone = link.found is not None and link.found.node not in self._nodes()
        is_single = bool(parcels) and len(parcels[0].rest()) == 1
        culprit = rest[0][0] if is_single and not is_gone else None
        self._end_now(link)
        died = link.died(error, culprit)
        is_harmless = link.has_begun or is_gone
        return Lost(link.number, died, culprit, rest, is_harmless, is_movable=True)

    def _end_now(self, link: RayLink) -> None:
        self._links[link.number] = None
        if not any(other.found for other in self._alive()):
            self._nobody_since_s = time.monotonic()
        with contextlib.suppress(*_RAY_FAILED):
            link.kill()

    # -- the cluster

    def _patience_s(self) -> float | None:
        """Return how long to wait for a worker to be there; None when one is."""
        if any(link.found for link in self._alive()):
            return None
        return max(0.0, self._nobody_since_s + self._chosen.wait_s - time.monotonic())

    def _no_worker(self) -> WorkerDiedError:
        self._nobody_since_s = time.monotonic()
        with contextlib.suppress(*_RAY_FAILED):
            nodes = living_nodes()
            return WorkerDiedError(
                f"no worker of {self._plan.hooks.__qualname__} is on the cluster, after "
                f"{self._chosen.wait_s:g} s: each of {self._plan.devices[:3]} wants "
                f'{self._chosen.num_cpus:g} CPU (and {self._chosen.num_gpus:g} GPU for "cuda"), '
                f"the {len(nodes)} nodes that are alive have "
                f"{[_offered(node) for node in nodes[:4]]}; "
                "add nodes, end what occupies them, or look into Ray's logs",
                nodes=len(nodes),
            )
        return WorkerDiedError("the connection to the Ray cluster is lost; see whether it runs")

    def _nodes(self) -> set[str]:
        with contextlib.suppress(*_RAY_FAILED):
            return {node["NodeID"] for node in living_nodes()}
        return set()

    def _store(self, parts: Parts) -> StoredItem:
        with _ray_session.lock, _told_in_our_words(self):
            item = StoredItem(ray.put(parts))
        self._stored.add(item)
        return item

    def _ask(self, link: RayLink, name: str) -> None:
        with _told_in_our_words(self):
            link.ask(name)

    def _alive(self) -> "list[RayLink]":
        return [link for link in self._links if link is not None]


def _offered(node: dict[str, Any]) -> str:
    resources = node["Resources"]
    return " ".join(f"{name}: {resources.get(name, 0):g}" for name in ("CPU", "GPU"))


@contextlib.contextmanager
def _told_in_our_words(crew: RayCrew) -> Iterator[None]:
    """Raise an error of ours for one of Ray."""
    try:
        yield
    except _RAY_FAILED as error:
        if crew.is_closing:
            raise ClosedError("the workers were closed; nothing can be sent to them") from error
        raise BrokenError(
            f"Ray failed: {error}; see whether the cluster runs and its store has room"
        ) from error
