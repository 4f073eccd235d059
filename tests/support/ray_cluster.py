"""A Ray cluster of several nodes on this machine, for tests, in a folder of its own."""

import contextlib
import os
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import psutil
import pytest

from tests.support.network_rig import HOST, free_port

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


@contextmanager
def ray_head(**variables: str) -> Iterator[int]:
    """Start a cluster of one node as its users do; give the port of its client server."""
    before, threads = children(), set(threading.enumerate())
    port, gcs_port = free_port(), free_port()
    # Its client server forks beside gRPC's threads, which gRPC shall not try to support.
    quiet = {"RAY_USAGE_STATS_ENABLED": "0", "GRPC_ENABLE_FORK_SUPPORT": "0"}
    with tempfile.TemporaryDirectory(prefix="ray-", ignore_cleanup_errors=True) as folder:
        command = f"start --head --block --num-cpus 2 --include-dashboard false --port {gcs_port} "
        command += f"--ray-client-server-port {port} --node-ip-address {HOST} --temp-dir {folder} "
        command += f"--object-store-memory {STORE_BYTES}"
        started = subprocess.Popen(
            [sys.executable, "-m", "ray.scripts.scripts", *command.split()],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            env={**os.environ, **quiet, **variables},
        )
        try:
            wait_for_listener(port, started)
            yield port
        finally:
            started.terminate()
            started.wait(WAIT_S)
        wait_until_gone(before, threads)


def wait_for_listener(port: int, process: "subprocess.Popen[bytes]") -> None:
    deadline = time.monotonic() + 2 * WAIT_S
    while True:
        with contextlib.suppress(OSError):
            socket.create_connection((HOST, port), 1.0).close()
            return
        if process.poll() is not None or time.monotonic() > deadline:
            pytest.fail("Ray's client server does not start", pytrace=False)
        time.sleep(0.1)


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
