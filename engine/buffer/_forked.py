"""What a forked worker does first: give up what belongs to its parent."""

import multiprocessing
import os
import sys
from collections.abc import Callable, Iterable
from typing import Any, NoReturn

import numpy as np

from engine.buffer._commander_loop import CommanderLoop
from engine.buffer._producer_loop import ProducerLoop
from engine.buffer._slab import Slab
from engine.buffer._worker import Link, Loop, Plan, run_worker

__all__ = ("run_forked",)


def run_forked(
    plan: Plan,
    user: Any,  # noqa: ANN401 - the user's
    stderr_fd: int,
    foreign_fds: Iterable[int],
) -> NoReturn:
    """Be a worker, in a process that was just forked; ends it.

    Parameters
    ----------
    foreign_fds : descriptors of the parent that this worker must not keep open.
    """
    os.dup2(stderr_fd, 2)
    sys.stderr = open(2, "w", buffering=1, encoding="utf-8", errors="replace", closefd=False)  # noqa: SIM115
    for fd in foreign_fds:
        os.close(fd)
    multiprocessing.current_process().daemon = False  # user code may start processes
    _reseed(plan.worker)
    make_loop: Callable[[Link, Any], Loop] = ProducerLoop if plan.worker else CommanderLoop
    # Not the parent's mapping: a fork leaves its page table behind, and every page would fault.
    slab = Slab(plan.slab_fd, plan.layout.size_bytes)
    sys.exit(run_worker(Link(plan, slab), make_loop, lambda: user))


def _reseed(worker: int) -> None:
    """Give each worker random numbers of its own, which still follow from the parent's seed.

    Python's own generator is seeded anew by every fork.
    """
    state: Any = np.random.get_state(legacy=True)
    seeds = np.random.SeedSequence([*(int(number) for number in state[1][:16]), worker])
    np.random.seed(seeds.generate_state(8))
