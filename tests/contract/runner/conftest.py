import contextlib
import gc
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.support.ray_cluster import living_actors, ray_cluster

Start = Callable[..., Any]
CPUS = 8
CLUSTER = pytest.StashKey[contextlib.ExitStack]()

# Ray's own processes come and go while tests run, so that the usual count of what is left would
# meet those. What is ours is counted instead, by `closing`, and all of Ray's at the cluster's end.
# A worker on a busy machine may take longer to leave than it is given, which is logged.
ON_RAY = [
    pytest.mark.slow,
    pytest.mark.soak,
    pytest.mark.expected_log,
    pytest.mark.leaks("a cluster runs beside the tests"),
]


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Run the tests on a cluster last, so that none of those that count processes is beside it."""
    here = Path(__file__).parent
    places = [index for index, item in enumerate(items) if item.path.parent == here]
    for index, item in zip(places, sorted([items[i] for i in places], key=on_cluster), strict=True):
        items[index] = item


def on_cluster(item: pytest.Item) -> bool:
    return getattr(item, "callspec", None) is not None and "[ray" in item.name


@pytest.hookimpl(trylast=True)
def pytest_runtest_teardown(item: pytest.Item, nextitem: pytest.Item | None) -> None:
    """End the cluster after the last test that needs it."""
    if on_cluster(item) and not (nextitem is not None and on_cluster(nextitem)):
        item.session.stash[CLUSTER].close()
        del item.session.stash[CLUSTER]


@pytest.fixture(params=["processes", pytest.param("ray", marks=ON_RAY)])
def executor(request: pytest.FixtureRequest) -> str:
    """Where workers are: each test that asks for it runs on this machine and on a cluster."""
    stash = request.session.stash
    if request.param == "ray" and CLUSTER not in stash:
        stash[CLUSTER] = contextlib.ExitStack()
        stash[CLUSTER].enter_context(ray_cluster(CPUS))
    return str(request.param)


@pytest.fixture
def start() -> Iterator[Start]:
    """Make runners on this machine and close them after the test."""
    yield from closing("processes")


@pytest.fixture
def start_anywhere(executor: str) -> Iterator[Start]:
    """Make runners, on this machine and in another round on a cluster, and close them."""
    yield from closing(executor)
    if executor == "ray":
        wait_until_nothing_is_left()


def closing(executor: str) -> Iterator[Start]:
    made: list[Any] = []

    def make(kind: Callable[..., Any], *args: Any, **keywords: Any) -> Any:
        made.append(kind(*args, executor=executor, **keywords))
        if executor == "ray":
            wait_for_workers(made[-1]._crews[0])
        return made[-1]

    yield make
    while made:
        made.pop().close()


def wait_for_workers(crew: Any) -> None:
    """Workers on a cluster take a second to start, which no test is about."""
    deadline = time.monotonic() + 30
    while not all(link is None or link.has_begun for link in crew._links):
        assert time.monotonic() < deadline, "the workers do not start"
        crew.step(0.1)


def wait_until_nothing_is_left() -> None:
    deadline = time.monotonic() + 10
    while left := what_is_left():
        if time.monotonic() > deadline:
            pytest.fail(f"left behind: {left}", pytrace=False)
        time.sleep(0.02)
        gc.collect()


def what_is_left() -> list[str]:
    ours = ("consumer-", "runner-", "ray-leave")
    threads = [t.name for t in threading.enumerate() if t.name.startswith(ours)]
    return living_actors() + threads + descriptors()


def descriptors() -> list[str]:
    links = [target(fd) for fd in Path("/proc/self/fd").iterdir()]
    return [link for link in links if link.startswith(("/memfd:penstock", "/dev/shm/penstock"))]


def target(fd: Path) -> str:
    try:
        return str(fd.readlink())
    except OSError:
        return ""
