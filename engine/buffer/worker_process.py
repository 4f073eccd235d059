"""What a spawned worker runs: ``python -m engine.buffer.worker_process FD``."""

import os
import pickle
import sys
from collections.abc import Callable
from multiprocessing import process, resource_tracker, spawn
from typing import Any

from engine.buffer._commander_loop import CommanderLoop
from engine.buffer._producer_loop import ProducerLoop
from engine.buffer._slab import Slab
from engine.buffer._starting import Payload
from engine.buffer._worker import Link, Loop, run_worker

__all__ = ("main",)


def main() -> int:
    """Read what the parent wrote down, and be a worker."""
    fd = int(sys.argv[1])
    payload: Payload = pickle.loads(_read_all(fd))  # noqa: S301 - our parent wrote it
    os.close(fd)
    for name, value in payload.environment.items():  # as the parent's, not as ours was started
        os.environ.pop(name, None)
        if value is not None:
            os.environ[name] = value
    if payload.tracker_fd is not None:
        tracker: Any = resource_tracker._resource_tracker  # noqa: SLF001
        tracker._fd = payload.tracker_fd  # noqa: SLF001 - as multiprocessing does it
    plan = payload.plan
    slab = Slab(plan.slab_fd, plan.layout.size_bytes)
    make_loop: Callable[[Link, Any], Loop] = ProducerLoop if plan.worker else CommanderLoop
    link = Link(plan, slab)
    return run_worker(link, make_loop, lambda: _user(payload, link))


def _user(payload: Payload, link: Link) -> Any:  # noqa: ANN401 - the user's
    """Unpickle the user's object, after the main program was run where the object needs it."""
    current: Any = process.current_process()
    current._inheriting = True  # noqa: SLF001 - multiprocessing then sees a missing main guard
    link.doing = "importing the main program"
    try:
        spawn.prepare(payload.preparation)
        link.doing = "unpickling"
        return pickle.loads(payload.user)  # noqa: S301 - our parent wrote it
    finally:
        del current._inheriting  # noqa: SLF001


def _read_all(fd: int) -> bytes:
    size = os.fstat(fd).st_size
    parts, at = [], 0
    while at < size:
        part = os.pread(fd, size - at, at)
        parts.append(part)
        at += len(part)
    return b"".join(parts)


if __name__ == "__main__":
    sys.exit(main())
