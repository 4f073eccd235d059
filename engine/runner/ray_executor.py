"""Workers on a Ray cluster: what can be chosen, without loading Ray."""

from importlib.util import find_spec
from typing import Any

import msgspec

from engine.errors import InvalidArgumentError
from engine.runner._crew_api import Crew, CrewPlan

__all__ = ("RayExecutor",)


class RayExecutor(msgspec.Struct, frozen=True):
    """Run a runner's workers as actors on a Ray cluster; give it to the runner as `executor`.

    ``executor="ray"`` is short for ``RayExecutor()``, an address for ``RayExecutor(address)``.

    Attributes
    ----------
    address : "ray://host:port" reaches a cluster from outside, through its client server;
        "host:port" joins the cluster this machine belongs to. None uses the program's own
        connection to Ray, or joins what ``RAY_ADDRESS`` names or what runs on this machine, or
        starts Ray here.
    num_cpus : processors that each worker reserves.
    num_gpus : GPUs that a worker with device "cuda" or "cuda:N" reserves, besides; fractions share
        one. Ray shows a worker its own GPUs only, so the hooks get "cuda:0" for any "cuda:N".
    resources : custom resources that each worker reserves.
    runtime_env : Ray's description of packages, modules, files and variables the workers need;
        those of this machine travel when the runner makes the connection, not with an earlier one.
    read_only : whether workers and caller see big arrays where Ray keeps them, which saves a copy
        each way; these cannot be written, and those that are kept fill Ray's memory. By default
        each array is yours to keep and to change, as on one machine.
    wait_s : how long the cluster may have no room for a single worker before a call fails.
    """

    address: str | None = None
    num_cpus: float = 1.0
    num_gpus: float = 1.0
    resources: dict[str, float] = {}
    runtime_env: dict[str, Any] | None = None
    read_only: bool = False
    wait_s: float = 60.0

    def __post_init__(self) -> None:
        for name in ("num_cpus", "num_gpus", "wait_s"):
            value = getattr(self, name)
            if not value >= 0:
                raise InvalidArgumentError(f"{name} must be 0 or more, not {value!r}")

    def __call__(self, plan: CrewPlan) -> Crew:
        """Start the workers.

        Raises
        ------
        InvalidArgumentError : Ray is not installed, or the plan does not fit it.
        BrokenError : the cluster cannot be joined, or Ray does not start.
        """
        if find_spec("ray") is None:
            raise InvalidArgumentError(
                "this executor needs Ray, which is not installed; "
                "run: pip install 'penstock[cluster]'"
            )
        if plan.start_method is not None:
            raise InvalidArgumentError(
                f"start_method {plan.start_method!r} is about processes of this machine; "
                "leave it out for workers on a cluster"
            )
        from engine.runner._ray_crew import RayCrew  # noqa: PLC0415 - loads Ray

        return RayCrew(plan, self)
