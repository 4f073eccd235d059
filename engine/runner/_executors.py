"""Where workers are: the one place that knows the executors by name."""

import re
from collections.abc import Callable, Sequence
from typing import Any

from engine.errors import InvalidArgumentError
from engine.runner._cfg_copies import CfgCopies
from engine.runner._crew_api import Crew, CrewPlan
from engine.runner._local_crew import LocalCrew
from engine.runner.ray_executor import RayExecutor

__all__ = ("Executor", "open_crew")

Executor = Callable[[CrewPlan], Crew]
"""Makes a crew from a plan. A crew of another kind only has to do what `Crew` says."""

_ADDRESS = re.compile(r"(ray://)?[^\s/:]+:\d+")


def open_crew(
    executor: Executor | str | None,
    hooks: type[Any],
    devices: Sequence[Any],
    cfg: CfgCopies,
    start_method: str | None,
) -> Crew:
    """Start the workers.

    Raises
    ------
    InvalidArgumentError : no executor has that name.
    """
    plan = CrewPlan(hooks, devices, cfg, start_method)
    if executor is None or executor == "processes":
        return LocalCrew(plan)
    if executor == "ray":
        return RayExecutor()(plan)
    if isinstance(executor, str) and _ADDRESS.fullmatch(executor):
        return RayExecutor(executor)(plan)
    if callable(executor):
        return executor(plan)
    raise InvalidArgumentError(
        f"executor {executor!r} is not known; leave it out, or say 'processes', 'ray', "
        "'ray://HOST:PORT' or 'HOST:PORT'"
    )
