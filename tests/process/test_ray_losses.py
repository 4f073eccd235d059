"""Runners on a cluster of several nodes whose nodes and workers are killed; how it is joined."""

import os
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import psutil
import pytest

from engine.errors import BusyError, ClosedError, WorkerDiedError
from engine.runner import OrderedRunner, RayExecutor
from tests.support.ray_cluster import living_actors, node, ray_cluster, ray_head
from tests.support.runners import Obeying, Sleeper, Squares

Start = Callable[..., Any]
ROOT = Path(__file__).resolve().parents[2]


def on_ray(test: Any) -> Any:
    """Mark a test that needs a cluster: slow, and Ray's own processes come and go beside it."""
    for mark in (
        pytest.mark.slow,
        pytest.mark.soak,
        pytest.mark.expected_log,
        pytest.mark.leaks("Ray's own"),
    ):
        test = mark(test)
    return test


@pytest.fixture(scope="module")
def cluster() -> Iterator[Any]:
    """A cluster with a head that takes no work, and two nodes that do."""
    with ray_cluster(head_cpus=0) as started:
        started.add_node(**node(cpus=2))
        started.wait_for_nodes()
        yield started


@pytest.fixture
def second(cluster: Any) -> Iterator[Any]:
    """Another node of the cluster, for the test alone."""
    added = cluster.add_node(**node(cpus=2))
    cluster.wait_for_nodes()
    yield added
    if added in cluster.list_all_nodes():
        cluster.remove_node(added, allow_graceful=False)


@pytest.fixture
def start(cluster: Any, poll_for: Any) -> Iterator[Start]:
    made: list[Any] = []

    def make(kind: Callable[..., Any], *args: Any, **keywords: Any) -> Any:
        made.append(kind(*args, **{"executor": "ray", **keywords}))
        return made[-1]

    yield make
    for runner in made:
        since = time.monotonic()
        runner.close()
        assert time.monotonic() - since < 1
    poll_for(lambda: living_actors() == [], 20)


class Whereabouts(OrderedRunner):
    """Gives an item back with where it was done; big ones are arrays."""

    @staticmethod
    def producer_work(device: Any, cfg: Any, data: Any) -> Any:
        import ray

        time.sleep(0.01)
        number = int(data[0]) if isinstance(data, np.ndarray) else data
        place = ray.get_runtime_context().get_node_id(), os.getpid()
        return number, np.full(200_000, number, np.int32), place


def big_and_small(count: int) -> Iterator[Any]:
    for number in range(count):
        yield np.full(100_000, number, np.int32) if number % 3 == 0 else number


# -- losses


@on_ray
def test_a_node_that_is_killed_during_a_run_loses_and_doubles_nothing(
    cluster: Any, second: Any, start: Start
) -> None:
    runner = start(Whereabouts, 4)
    seen: set[tuple[str, int]] = set()
    count = 0
    for number, (item, array, place) in enumerate(runner.imap(big_and_small(600))):
        assert item == number
        assert (array == number).all()
        seen.add(place)
        count += 1
        if len({found for found, _ in seen}) == 2 and second in cluster.list_all_nodes():
            cluster.remove_node(second, allow_graceful=False)
    assert count == 600
    assert len({found for found, _ in seen}) == 2  # both nodes took part
    assert second not in cluster.list_all_nodes()
    assert 1 <= runner.statistics.workers_lost <= 4
    assert runner.statistics.results == 600


@on_ray
def test_the_items_of_a_killed_actor_are_done_by_others(start: Start) -> None:
    runner = start(Whereabouts, 2)
    killed: set[int] = set()
    for number, (item, _, (_, pid)) in enumerate(runner.imap(range(300))):
        assert item == number
        if number in {50, 150} and pid not in killed:
            os.kill(pid, signal.SIGKILL)
            killed.add(pid)
    assert number == 299
    assert runner.statistics.workers_lost >= len(killed) == 2  # others may go with an old node


@on_ray
def test_an_item_that_ends_every_worker_is_named_after_some_tries(start: Start) -> None:
    runner = start(Obeying, 1, retries=1)
    with pytest.raises(WorkerDiedError, match=r"worker 0 of Obeying .* ended at item 2") as caught:
        runner([1, 2, "kill", 4])
    assert caught.value.details["item"] == 2
    assert "worker" in str(caught.value.details["role"])
    assert runner.statistics.workers_lost >= 2
    assert runner([1, 2]) == [10, 20]


@on_ray
def test_skip_leaves_an_item_out_that_ends_every_worker(start: Start) -> None:
    runner = start(Obeying, 2, on_error="skip", retries=0)
    assert runner([1, 2, "exit", 4, 5]) == [10, 20, 40, 50]
    assert runner.statistics.skipped == 1


@on_ray
def test_without_any_node_left_the_call_ends_with_an_error(cluster: Any, start: Start) -> None:
    only = cluster.add_node(**node(cpus=1), resources={"rare": 1})
    cluster.wait_for_nodes()
    runner = start(Sleeper, 1, executor=RayExecutor(resources={"rare": 1}, wait_s=10.0))
    stream = runner.imap([0.0] * 2 + [0.01] * 100_000)
    assert next(stream) == 0.0
    cluster.remove_node(only, allow_graceful=False)
    with pytest.raises(WorkerDiedError, match=r"no worker of Sleeper is on the cluster"):
        list(stream)


@on_ray
def test_a_worker_on_cuda_asks_for_a_gpu_and_sees_it_as_the_first(
    cluster: Any, start: Start
) -> None:
    class Device(OrderedRunner):
        @staticmethod
        def producer_work(device: Any, cfg: Any, data: Any) -> Any:
            return device, os.environ.get("CUDA_VISIBLE_DEVICES")

    with_gpu = cluster.add_node(**{**node(cpus=1), "num_gpus": 1})
    cluster.wait_for_nodes()
    (seen,) = start(Device, "cuda:5").imap([0])
    assert seen == ("cuda:0", "0")
    with pytest.raises(WorkerDiedError, match="GPU"):
        list(start(Device, "cuda:5", executor=RayExecutor(num_gpus=2, wait_s=0.5)).imap([0]))
    cluster.remove_node(with_gpu)


@on_ray
def test_many_big_items_pass_through_a_small_store(start: Start) -> None:
    items = (np.full(4_000_000, number, np.uint8) for number in range(100))
    for number, result in enumerate(start(OrderedRunner, 2).imap(items)):
        assert (result == number).all()
        assert result.flags.writeable
    assert number == 99


@on_ray
def test_read_only_arrays_are_views_into_the_store(start: Start) -> None:
    runner = start(Writeable, 1, executor=RayExecutor(read_only=True))
    (result,) = runner.imap([np.zeros(4_000_000, np.uint8)])
    was_writeable, array = result
    assert not was_writeable
    assert not array.flags.writeable
    assert not array.flags.owndata


class Writeable(OrderedRunner):
    @staticmethod
    def producer_work(device: Any, cfg: Any, data: Any) -> Any:
        return data.flags.writeable, data


@on_ray
def test_close_from_another_thread_ends_a_call_on_the_cluster(start: Start) -> None:
    runner = start(Sleeper, 2)
    assert runner([0.0]) == [0.0]
    threading.Timer(0.3, runner.close).start()
    since = time.monotonic()
    with pytest.raises(ClosedError, match="closed during the call"):
        runner([30.0] * 4)
    assert time.monotonic() - since < 2


@on_ray
def test_workers_get_the_environment_that_is_asked_for(start: Start) -> None:
    runner = start(Variable, 1, executor=RayExecutor(runtime_env={"env_vars": {"PST_W": "there"}}))
    assert list(runner.imap(["PST_W"])) == ["there"]


class Variable(OrderedRunner):
    @staticmethod
    def producer_work(device: Any, cfg: Any, data: Any) -> Any:
        return os.environ.get(data)


# -- the user's files


@on_ray
def test_hooks_of_a_module_the_workers_do_not_have_travel_with_the_runner(
    start: Start, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    name = "not_on_the_cluster"
    path = tmp_path / f"{name}.py"
    path.write_text(MODULE)
    monkeypatch.syspath_prepend(tmp_path)
    module = __import__(name)
    path.unlink()
    runner = start(module.Halving, 2)
    assert list(runner.imap([module.Pair(2, 4)])) == [module.Pair(1, 2)]
    with pytest.raises(module.OddError, match="3 is odd"):
        list(runner.imap([module.Pair(3, 4)]))
    del sys.modules[name]


MODULE = """
from dataclasses import dataclass
from engine.runner import OrderedRunner

class OddError(Exception):
    pass

@dataclass
class Pair:
    left: int
    right: int

def half(number):
    if number % 2:
        raise OddError(f"{number} is odd")
    return number // 2

class Halving(OrderedRunner):
    @staticmethod
    def producer_work(device, cfg, data):
        return Pair(half(data.left), half(data.right))
"""

SCRIPT = """
import sys, time
from engine.runner import OrderedRunner

class OddError(Exception):
    pass

class Doubling(OrderedRunner):
    @staticmethod
    def producer_work(device, cfg, data):
        if data < 0:
            raise OddError("negative")
        return 2 * data

    @staticmethod
    def producer_end(device, cfg):
        print("ended", file=sys.stderr, flush=True)

if __name__ == "__main__":
    runner = Doubling(1, executor=sys.argv[1])
    print(list(runner.imap([1, 2, 3])))
    try:
        list(runner.imap([-1]))
    except OddError as error:
        print("caught", error)
    if sys.argv[2] == "close":
        since = time.monotonic()
        runner.close()
        assert time.monotonic() - since < 1
"""


def run_script(
    tmp_path: Path, executor: str, how: str, **variables: str
) -> subprocess.CompletedProcess[str]:
    """Run the script in a folder of its own; no node that it has started is left."""
    (tmp_path / "script.py").write_text(SCRIPT)
    with tempfile.TemporaryDirectory(prefix="r-", ignore_cleanup_errors=True) as short:
        variables |= {"PYTHONPATH": str(ROOT), "RAY_TMPDIR": short}  # Ray's sockets lie there
        done = subprocess.run(
            [sys.executable, str(tmp_path / "script.py"), executor, how],
            capture_output=True,
            text=True,
            timeout=50,
            cwd=tmp_path,
            env={**os.environ, **variables},
            check=False,
        )
        deadline = time.monotonic() + 20
        while left := nodes_of(short):
            assert time.monotonic() < deadline, f"still there: {left}"
            time.sleep(0.05)
    return done


def nodes_of(folder: str) -> list[int]:
    """Return the processes that tell of the folder in their command line: a node's own do."""
    return [
        process.pid
        for process in psutil.process_iter(["cmdline"])
        if any(folder in word for word in process.info["cmdline"] or ())
    ]


@on_ray
@pytest.mark.parametrize("how", ["close", "leave"])
def test_a_script_starts_ray_where_none_runs_and_ends_it(how: str, tmp_path: Path) -> None:
    done = run_script(tmp_path, "ray", how, RAY_ADDRESS="local")  # not that of other tests
    assert done.returncode == 0, done.stderr
    assert done.stdout == "[2, 4, 6]\ncaught negative\n"


@on_ray
def test_a_script_joins_the_cluster_of_an_address(cluster: Any, tmp_path: Path) -> None:
    done = run_script(tmp_path, cluster.address, "close")
    assert done.returncode == 0, done.stderr
    assert done.stdout == "[2, 4, 6]\ncaught negative\n"
    with Squares(1, executor="ray") as runner:
        assert runner([3]) == [9]  # the cluster goes on


@on_ray
def test_another_address_than_the_one_the_program_is_connected_to_is_refused(cluster: Any) -> None:
    with pytest.raises(BusyError, match="connected to another Ray cluster"):
        Squares(1, executor="127.0.0.1:1")
    with pytest.raises(BusyError, match="connected to another Ray cluster"):
        Squares(1, executor="ray://127.0.0.1:1")
    with Squares(1, executor=cluster.address) as runner:
        assert runner([3]) == [9]


@on_ray
@pytest.mark.parametrize("has_token", [False, True])
def test_a_script_uses_a_cluster_from_outside(has_token: bool, tmp_path: Path) -> None:
    pytest.importorskip("ray", reason="the extra 'cluster' is not installed")
    variables = {"RAY_AUTH_MODE": "disabled"}
    if has_token:  # a head asks for it when its user has one
        token = tmp_path / ".ray" / "auth_token"
        token.parent.mkdir()
        token.write_text("0123456789abcdef" * 4)
        variables = {"HOME": str(tmp_path)}
    with ray_head(**variables) as port:
        done = run_script(tmp_path, f"ray://127.0.0.1:{port}", "close", **variables)
    assert done.returncode == 0, done.stderr
    assert done.stdout == "[2, 4, 6]\ncaught negative\n"
