"""Kills clients, device workers and the manager at each stage: nothing leaks, all go on."""

import contextlib
import os
import signal
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from engine import AsyncAccl, SyncAccl
from engine.errors import BusyError, EngineError, WorkerDiedError
from engine.manager import ManagerLostError, manager_status, stop_manager
from tests.support.manager_rig import (
    CLIENT_STAGES,
    Poll,
    Rig,
    frame,
    heard,
    is_running,
    kill,
    rig,
    segments_of,
)

pytestmark = pytest.mark.slow


@pytest.fixture
def managed() -> Iterator[Rig]:
    with rig() as made:
        yield made


STAGES = {
    "has said hello": (
        "from engine.manager.address import ManagerAddress\n"
        "from engine.manager.control import Control\n"
        "control = Control.reach(ManagerAddress(place['manager_addr']))"
    ),
    **CLIENT_STAGES,
    "has had frames": "accl = SyncAccl(dfp, **place); accl.run([frame(n) for n in range(20)])",
}


@pytest.mark.parametrize("stage", STAGES)
def test_a_killed_client_frees_all_it_held_and_others_go_on(
    managed: Rig, stage: str, poll_for: Poll
) -> None:
    managed.start()
    with SyncAccl(managed.dfp, **managed.place) as other:
        assert other.run(frame(5))[0, 0] == 5
        worker = managed.status.devices[0].worker_pid
        before = segments_of(worker)
        if stage == "has frames under way":
            managed.device.hold()
        client = managed.client(STAGES[stage] + "\nsay(done=1); forever()")
        heard(client)
        kill(client.pid)
        managed.device.release()
        client.wait()
        poll_for(lambda: client.pid not in managed.client_pids)
        poll_for(lambda: segments_of(worker) == before)
        assert segments_of(client.pid) == []
        assert [other.run(frame(n))[0, 0] for n in range(50)] == list(range(50))
        assert managed.status.devices[0].worker_pid == worker


def test_the_last_client_s_death_frees_the_device_for_local_mode(
    managed: Rig, poll_for: Poll
) -> None:
    managed.start("onnxruntime-cpu")
    client = managed.client("accl = SyncAccl(dfp, **place); say(done=1); forever()")
    heard(client)
    with pytest.raises(EngineError, match="device 0 is in use by the device manager"):
        SyncAccl(managed.dfp, local_mode=True, **managed.place)
    kill(client.pid)
    client.wait()

    def runs_in_local_mode() -> bool:
        with (
            contextlib.suppress(BusyError),
            SyncAccl(managed.dfp, local_mode=True, **managed.place) as accl,
        ):
            return bool(accl.run(frame(1))[0, 0] == 1)
        return False

    poll_for(runs_in_local_mode)


def test_a_killed_worker_is_an_error_that_says_so_and_it_comes_back(
    managed: Rig, poll_for: Poll
) -> None:
    managed.start()
    with SyncAccl(managed.dfp, **managed.place) as accl:
        accl.run(frame(1))
        worker = managed.status.devices[0].worker_pid
        managed.device.hold()
        for number in range(3):
            accl.send(frame(number))
        poll_for(lambda: managed.status.devices[0].clients[0].executing)
        kill(worker)
        for _ in range(3):
            with pytest.raises(
                WorkerDiedError,
                match=f"worker of device 0 .process {worker}. was killed by SIGKILL",
            ):
                accl.receive(timeout=10_000)
        managed.device.release()
        assert accl.run(frame(7))[0, 0] == 7
        device = managed.status.devices[0]
        assert device.restarts == 1
        assert device.worker_pid != worker
        assert segments_of(worker) == []


def test_a_worker_killed_while_nothing_is_under_way_costs_one_frame_at_most(managed: Rig) -> None:
    managed.start()
    with SyncAccl(managed.dfp, **managed.place) as accl:
        accl.run(frame(1))
        kill(managed.status.devices[0].worker_pid)
        with pytest.raises(WorkerDiedError, match="was killed by SIGKILL"):
            accl.run(frame(2))
        assert accl.run(frame(3))[0, 0] == 3


def test_all_clients_of_a_killed_worker_hear_of_it_and_go_on(managed: Rig) -> None:
    managed.start()
    with (
        SyncAccl(managed.dfp, **managed.place) as first,
        SyncAccl(managed.dfp, **managed.place) as second,
    ):
        first.run(frame(1))
        kill(managed.status.devices[0].worker_pid)
        for accl in (first, second):
            with pytest.raises(WorkerDiedError):
                accl.run(frame(2))
            assert accl.run(frame(3))[0, 0] == 3


@pytest.mark.expected_log
def test_a_stream_whose_worker_dies_ends_with_the_reason_and_may_be_connected_again(
    managed: Rig,
) -> None:
    managed.start()
    managed.device.die_on(5)
    numbers: list[int] = []
    source = iter(range(100))
    with AsyncAccl(managed.dfp, **managed.place) as accl:
        accl.connect_input(lambda: frame(next(source)))
        accl.connect_output(lambda y: numbers.append(int(y[0, 0])))
        with pytest.raises(WorkerDiedError, match="SIGKILL"):
            accl.wait()
        assert numbers == list(range(len(numbers)))
        managed.device.reset()
        fresh = iter(range(10))
        numbers.clear()
        accl.connect_input(lambda: frame(next(fresh)))
        accl.connect_output(lambda y: numbers.append(int(y[0, 0])))
        accl.wait()
    assert numbers == list(range(10))


def test_a_worker_that_keeps_dying_is_given_up_with_a_sentence(managed: Rig) -> None:
    managed.start()
    managed.device.die_on(6)
    with SyncAccl(managed.dfp, **managed.place) as accl:
        for _ in range(5):
            with pytest.raises(WorkerDiedError):
                accl.run(frame(6))
        with pytest.raises(EngineError, match="device 0 is out of order"):
            accl.run(frame(2))


def test_a_killed_manager_is_a_clear_error_and_the_next_frame_starts_another(
    managed: Rig, poll_for: Poll
) -> None:
    managed.start()
    with SyncAccl(managed.dfp, **managed.place) as accl, ThreadPoolExecutor(1) as pool:
        accl.run(frame(1))
        before = managed.status
        worker = before.devices[0].worker_pid
        managed.device.hold()
        waiting = pool.submit(accl.run, frame(2))
        poll_for(lambda: managed.status.devices[0].clients[0].executing)
        kill(before.pid)
        with pytest.raises(
            ManagerLostError, match=f"device manager .process {before.pid}. ended unexpectedly"
        ):
            waiting.result(10)
        managed.device.release()
        poll_for(lambda: not is_running(worker))
        assert accl.run(frame(3))[0, 0] == 3
        assert managed.status.pid != before.pid
        assert segments_of(worker) == []


def test_a_manager_killed_while_nothing_is_under_way_is_replaced(
    managed: Rig, poll_for: Poll
) -> None:
    managed.start()
    with SyncAccl(managed.dfp, **managed.place) as accl:
        pid = managed.status.pid
        worker = managed.status.devices[0].worker_pid
        kill(pid)
        poll_for(lambda: not is_running(worker))
        with pytest.raises(ManagerLostError):
            accl.run(frame(1))
        assert accl.run(frame(2))[0, 0] == 2


def test_a_stale_socket_of_a_killed_manager_is_replaced(managed: Rig) -> None:
    managed.start()
    pid = managed.status.pid
    kill(pid)
    assert Path(managed.address.socket_path).exists()
    with SyncAccl(managed.dfp, **managed.place) as accl:
        assert accl.run(frame(1))[0, 0] == 1
    assert managed.status.pid != pid


def test_a_stopped_manager_says_so_to_its_clients(managed: Rig) -> None:
    managed.start()
    with SyncAccl(managed.dfp, **managed.place) as accl, ThreadPoolExecutor(1) as pool:
        accl.run(frame(1))
        managed.device.hold()
        accl.send(frame(2))
        waiting = pool.submit(accl.receive)
        stopper = threading.Thread(target=stop_manager, args=(managed.address,))
        stopper.start()
        with pytest.raises(ManagerLostError, match="stopped by 'penstock manager stop'"):
            waiting.result(20)
        managed.device.release()
        stopper.join(20)
    assert manager_status(managed.address) is None


def test_a_manager_that_is_terminated_tidies_up(managed: Rig, poll_for: Poll) -> None:
    managed.start()
    with SyncAccl(managed.dfp, **managed.place) as accl:
        status = managed.status
        worker = status.devices[0].worker_pid
        managed.device.takes_s = 0.01
        os.kill(status.pid, signal.SIGTERM)
        with pytest.raises(ManagerLostError, match="told to end by a signal"):
            accl.run([frame(number) for number in range(1000)])
        poll_for(lambda: not is_running(status.pid) and not is_running(worker))
        assert segments_of(worker) == []
        assert accl.run(frame(1))[0, 0] == 1


def test_many_clients_that_start_at_once_start_one_manager(managed: Rig) -> None:
    clients = [
        managed.client(
            "accl = SyncAccl(dfp, **place)\n"
            "pid = accl._program._backend._programs[0]._control.pid\n"
            "say(pid=pid, y=float(accl.run(frame(3))[0, 0]))"
        )
        for _ in range(6)
    ]
    told = [heard(client) for client in clients]
    assert {one["y"] for one in told} == {3.0}
    assert {one["pid"] for one in told} == {managed.status.pid}


def test_a_killed_starter_does_not_keep_others_from_starting(managed: Rig) -> None:
    managed.address.make_folder()
    starter = managed.client(
        "from engine.manager.address import ManagerAddress\n"
        "from engine.manager.starting import _alone\n"
        "with _alone(ManagerAddress(place['manager_addr']), 5):\n"
        "    say(done=1); forever()"
    )
    heard(starter)
    with ThreadPoolExecutor(1) as pool:
        starting = pool.submit(managed.start)
        kill(starter.pid)
        starting.result(20)
    assert managed.status.devices[0].state == "idle"


def test_a_program_that_is_killed_while_its_frame_is_large_leaves_no_segment(
    managed: Rig, poll_for: Poll
) -> None:
    managed.start()
    client = managed.client(
        "from engine.shm import Segment\n"
        "accl = SyncAccl(dfp, **place); accl.run(frame(1))\n"
        "segment = Segment.create(100, purpose='frame'); say(done=1); forever()"
    )
    heard(client)
    assert segments_of(client.pid)
    kill(client.pid)
    client.wait()
    poll_for(lambda: segments_of(client.pid) == [])


def test_a_worker_that_hangs_does_not_keep_clients_from_leaving_or_the_manager_from_ending(
    managed: Rig, poll_for: Poll
) -> None:
    managed.start()
    with SyncAccl(managed.dfp, **managed.place) as accl:
        accl.run(frame(0))
        managed.device.hold()
        for number in range(4):
            accl.send(frame(number))
    status = managed.status
    stop_manager(managed.address)
    poll_for(lambda: not is_running(status.pid))
    poll_for(lambda: not is_running(status.devices[0].worker_pid))
    assert segments_of(status.devices[0].worker_pid) == []
