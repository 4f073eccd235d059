"""Pools to test: one of each kind per module, and new ones."""

import multiprocessing.forkserver
import multiprocessing.resource_tracker
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from engine.machine import FakePool, ProcessPool, ThreadPool, close_pools

MAKERS: dict[str, Callable[[], Any]] = {
    "fake": FakePool,
    "threads": lambda: ThreadPool(2),
    "fork": lambda: ProcessPool(2, start_method="fork"),
    "spawn": lambda: ProcessPool(2, start_method="spawn"),
}
METHODS = ("spawn", "fork", pytest.param("forkserver", marks=pytest.mark.slow))
NEW = ("fake", "threads", "fork", pytest.param("spawn", marks=pytest.mark.slow))


def stop_fork_server() -> None:
    """Stop multiprocessing's own helpers, which otherwise stay until the program ends."""
    multiprocessing.forkserver._forkserver._stop()  # type: ignore[attr-defined]
    multiprocessing.resource_tracker._resource_tracker._stop()  # type: ignore[attr-defined]


@pytest.fixture(params=MAKERS, scope="module")
def pool(request: pytest.FixtureRequest) -> Iterator[Any]:
    """Return a pool of each kind; tests leave it open and whole."""
    with MAKERS[request.param]() as made:
        yield made
    made.join()


@pytest.fixture(params=("fork", "spawn"), scope="module")
def workers(request: pytest.FixtureRequest) -> Iterator[ProcessPool]:
    """Return a pool of processes; tests leave it open and whole."""
    with ProcessPool(2, start_method=request.param) as made:
        yield made
    made.join()


@pytest.fixture(params=NEW)
def new_pool(request: pytest.FixtureRequest) -> Iterator[Any]:
    """Return a pool of each kind that the test may close."""
    with MAKERS[request.param]() as made:
        yield made
    made.join()


@pytest.fixture(params=METHODS)
def any_method(request: pytest.FixtureRequest) -> Iterator[str]:
    """Return each way of starting processes, and tidy up after it."""
    yield request.param
    if request.param == "forkserver":
        stop_fork_server()


@pytest.fixture
def shared_pools() -> Iterator[None]:
    """Stop the program's own pools after the test."""
    yield
    close_pools()
