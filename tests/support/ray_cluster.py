"""A Ray cluster of several nodes on this machine, for tests, in a folder of its own."""

import os
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import psutil
import pytest

WAIT_S = 20.0
STORE_BYTES = 150_000_000


@contextmanager
def ray_cluster(head_cpus: int) -> Iterator[Any]:
    """Start a cluster whose first node has so many CPUs and connect this process to it.

    At the end nothing of Ray is left: no process and none of its threads.
    """
    ray = pytest.importorskip("ray", reason="the extra 'cluster' is not installed")
    from ray.cluster_utils import Cluster

    before, threads = children(), set(threading.enumerate())
    quiet = {"RAY_USAGE_STATS_ENABLED": "0", "RAY_AUTH_MODE": "disabled"}
    with tempfile.TemporaryDirectory(prefix="ray-", ignore_cleanup_errors=True) as folder:
        with environment({**quiet, "RAY_TMPDIR": folder}):
            cluster = Cluster(initialize_head=True, head_node_args=node(head_cpus))
            try:
                ray.init(address=cluster.address, logging_level="error", log_to_driver=False)
                yield cluster
            finally:
                ray.shutdown()
                cluster.shutdown()
        wait_until_gone(before, threads)


def node(cpus: int) -> dict[str, Any]:
    """What a node is started with."""
    return {
        "num_cpus": cpus,
        "num_gpus": 0,
        "include_dashboard": False,
        "object_store_memory": STORE_BYTES,
    }


@contextmanager
def environment(values: dict[str, str]) -> Iterator[None]:
    before = {name: os.environ.get(name) for name in values}
    os.environ.update(values)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value


def children() -> set[int]:
    return {child.pid for child in psutil.Process().children(recursive=True)}


def wait_until_gone(before: set[int], threads: set[threading.Thread]) -> None:
    deadline = time.monotonic() + WAIT_S
    while left := (children() - before, named(set(threading.enumerate()) - threads)):
        if not any(left):
            return
        if time.monotonic() > deadline:
            pytest.fail(f"Ray left processes or threads: {left}", pytrace=False)
        time.sleep(0.05)


def named(threads: set[threading.Thread]) -> set[str]:
    """Threads of ours and of Ray; one of Ray's own making cannot be told to end."""
    return {thread.name for thread in threads if not thread.name.startswith("Dummy")}


def living_actors() -> list[str]:
    """Return the actors that are alive or on their way."""
    from ray._private.state import actors

    return [
        f"{actor['ActorClassName']} {actor['State']}"
        for actor in actors().values()
        if actor["State"] != "DEAD"
    ]
