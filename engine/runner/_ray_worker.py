"""What runs on the cluster: an actor that calls the producer's hooks."""

import os
import re
import time
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np

from engine.runner._codec import PLAIN, Entry
from engine.runner._failures import FailureParts, describe
from engine.runner._ray_codec import Parts, bytes_in, decode, dumps, joined, take_apart, whole

__all__ = ("Place", "RayWorker", "Reply", "Stored")

_LONGEST_S = 0.05
"""After so long a worker tells of what is done, so that results and the caller's wishes flow."""
_MOST_BYTES = 4_000_000


class Stored(NamedTuple):
    """An item that lies in the store.

    Attributes
    ----------
    number : which of the arguments behind the others it is.
    size_bytes : its size.
    """

    number: int
    size_bytes: int


class Reply(NamedTuple):
    """Results of the first items of a parcel.

    Attributes
    ----------
    results : one entry each; fewer than items when these take long or much room.
    seconds : how long they took.
    moved_bytes : about how many bytes they and their items have.
    is_plain : whether all are values as they are.
    """

    results: list[Entry]
    seconds: float
    moved_bytes: int
    is_plain: bool


class Place(NamedTuple):
    """Where a worker is: the number of its process, and the name Ray has for the machine."""

    pid: int
    node: str


class RayWorker:
    """One worker. Ray calls its methods one after the other, in one thread."""

    def ping(self) -> Place:
        """Show that the worker is there."""
        import ray  # noqa: PLC0415 - only in Ray's own processes

        return Place(os.getpid(), ray.get_runtime_context().get_node_id())

    def begin(self, device: Any, setup: Parts, cfg: Parts, read_only: bool) -> FailureParts | None:  # noqa: ANN401
        """Take the hooks and a private copy of the configuration; call the first hook."""
        self._read_only = read_only
        self._device = _own_name(device)
        try:
            self._init, self._work, self._end = whole(setup, read_only=True)
            self._cfg = whole(cfg, read_only=read_only)
        except Exception as error:  # noqa: BLE001 - the user's classes
            return describe(error, "unpickling", dumps)
        return self._call(self._init, "producer_init")

    def work(self, entries: Sequence[Entry], *stored: Parts) -> Reply:
        """Do the first items of a parcel: all, or as many as a moment allows."""
        clock = time.perf_counter
        results: list[Entry] = []
        moved, since, is_plain = 0, clock(), True
        for index, entry in enumerate(entries, 1):
            result = self._one(entry, stored, is_last=index == len(entries))
            results.append(result)
            if type(result) not in PLAIN or type(entry) not in PLAIN:
                is_plain = is_plain and type(result) in PLAIN
                moved += entry.size_bytes if type(entry) is Stored else bytes_in(entry)
                moved += bytes_in(result)
            if clock() - since > _LONGEST_S or moved > _MOST_BYTES:
                break
        return Reply(results, clock() - since, moved, is_plain)

    def end(self) -> FailureParts | None:
        """Call the last hook; return its failure."""
        return self._call(self._end, "producer_end")

    def _one(self, entry: Entry, stored: Sequence[Parts], *, is_last: bool) -> Entry:
        try:
            if type(entry) is Stored:
                body, *buffers = stored[entry.number]
                data = joined(body, buffers, read_only=self._read_only)
            else:
                data = decode(entry, read_only=self._read_only)
        except Exception as error:  # noqa: BLE001 - the user's class
            return describe(error, "input", dumps)
        try:
            result = self._work(self._device, self._cfg, data)
        except Exception as error:  # noqa: BLE001 - the user's code; the caller raises it
            return describe(error, "producer_work", dumps)
        if type(result) in PLAIN:
            return result
        try:
            taken = take_apart(result)
        except Exception as error:  # noqa: BLE001 - the user's class
            return describe(error, "result", dumps)
        if type(taken) is tuple and not is_last:  # the hook may use its array again
            return taken[0], tuple(map(np.array, taken[1]))
        return taken

    def _call(self, hook: Callable[[Any, Any], object], name: str) -> FailureParts | None:
        try:
            hook(self._device, self._cfg)
        except Exception as error:  # noqa: BLE001 - the user's code; the caller raises it
            return describe(error, name, dumps)
        return None


def _own_name(device: Any) -> Any:  # noqa: ANN401 - any object may be a device
    """Return the device as the hooks see it: Ray shows this process no GPUs but its own."""
    if isinstance(device, str) and re.fullmatch(r"cuda:\d+", device):
        return "cuda:0"
    return device
