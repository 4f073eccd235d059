"""What a new interpreter runs as a worker: ``python -m engine.machine.worker_process FD``."""

import faulthandler
import os
import pickle
import signal
import socket
import sys
from multiprocessing import process, spawn
from typing import Any

from engine.machine._memory import copy_of
from engine.machine._wire import Line
from engine.machine._worker_loop import Plan, serve, settle

__all__ = ("main",)


def main() -> int:
    """Read what the parent wrote down, and be a worker."""
    fd = int(sys.argv[1])
    plan: Plan
    preparation: dict[str, Any]
    environment: dict[str, str | None]
    plan, preparation, environment = pickle.loads(copy_of(fd))  # noqa: S301 - our parent wrote it
    os.close(fd)
    for name, value in environment.items():  # as the parent's, not as we were started
        os.environ.pop(name, None)
        if value is not None:
            os.environ[name] = value
    settle(plan)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGINT})
    faulthandler.enable()
    tasks, results = (Line(socket.socket(fileno=fd)) for fd in (plan.tasks_fd, plan.results_fd))
    current: Any = process.current_process()
    current._inheriting = True  # noqa: SLF001 - multiprocessing then sees a missing main guard
    try:
        spawn.prepare(preparation)
    finally:
        del current._inheriting  # noqa: SLF001
    serve(plan, tasks, results)
    return 0


if __name__ == "__main__":
    sys.exit(main())
