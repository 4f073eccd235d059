"""Whether this process may open the files that a new worker takes, asked before it is begun."""

import os

from engine.errors import WorkerDiedError

__all__ = ("check_descriptors",)

_COUNT = 24  # the lines of a worker, its group's, what starting takes meanwhile, and some


def check_descriptors(role: str) -> None:
    """Raise unless this process may open the files that one more worker takes.

    A start that runs out of them halfway could leave some open: a fork by multiprocessing does.

    Raises
    ------
    WorkerDiedError : `role` cannot be started.
    """
    opened = []
    try:
        opened.append(os.open(os.devnull, os.O_RDONLY))
        while len(opened) < _COUNT:
            opened.append(os.dup(opened[0]))
    except OSError as error:
        raise WorkerDiedError(
            f"{role} could not be started: {error.strerror}; use fewer workers, close files, or "
            "raise the limit with 'ulimit -n'",
            role=role,
        ) from error
    finally:
        for fd in opened:
            os.close(fd)
