"""Kills and stops both ends of a network connection, and what is between them: all go on."""

import contextlib
import os
import signal
import socket
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from engine import AsyncAccl, SyncAccl
from engine.errors import EngineError, WorkerDiedError
from engine.manager import (
    ManagerKeyError,
    ManagerLostError,
    ManagerUnavailableError,
    manager_status,
    stop_manager,
)
from tests.support.manager_rig import (
    CLIENT_STAGES,
    Poll,
    frame,
    heard,
    is_running,
    kill,
    segments_of,
)
from tests.support.network_rig import NetworkRig, network_rig

pytestmark = pytest.mark.slow


@pytest.fixture
def away() -> Iterator[NetworkRig]:
    with network_rig() as made:
        made.start()
        yield made


def descriptors_of(pid: int) -> int:
    return len(list(Path(f"/proc/{pid}/fd").iterdir()))


STAGES = {
    "has said hello": (
        "from engine.manager import NetworkAddress\n"
        "from engine.manager.network.control import NetworkControl\n"
        "control = NetworkControl.reach(NetworkAddress(place['manager_addr'],"
        " place['manager_port']))"
    ),
    **CLIENT_STAGES,
}


@pytest.mark.parametrize("stage", STAGES)
def test_a_killed_client_frees_all_it_held_and_others_go_on(
    away: NetworkRig, stage: str, poll_for: Poll
) -> None:
    with SyncAccl(away.dfp, **away.place) as other:
        assert other.run(frame(5))[0, 0] == 5
        worker, gateway = away.status.devices[0].worker_pid, away.gateway_pid
        before = segments_of(worker), descriptors_of(gateway)
        if stage == "has frames under way":
            away.device.hold()
        client = away.client(STAGES[stage] + "\nsay(done=1); forever()")
        heard(client)
        kill(client.pid)
        away.device.release()
        client.wait()
        poll_for(lambda: away.peers == ["tester (127.0.0.1)"], 20)
        poll_for(lambda: (segments_of(worker), descriptors_of(gateway)) == before, 20)
        assert [other.run(frame(n))[0, 0] for n in range(50)] == list(range(50))
        assert away.status.devices[0].worker_pid == worker


def test_a_client_that_falls_silent_frees_all_it_held(away: NetworkRig, poll_for: Poll) -> None:
    client = away.client("accl = SyncAccl(dfp, **place); say(done=1); forever()")
    heard(client)
    assert away.peers == ["tester (127.0.0.1)"]
    os.kill(client.pid, signal.SIGSTOP)  # its kernel keeps the connection, but no heart beats
    try:
        poll_for(lambda: away.peers == [], 30)
    finally:
        os.kill(client.pid, signal.SIGCONT)


def test_a_gateway_that_falls_silent_is_an_error_in_bounded_time(away: NetworkRig) -> None:
    with SyncAccl(away.dfp, **away.place) as accl, ThreadPoolExecutor(1) as pool:
        accl.run(frame(1))
        gateway = away.gateway_pid
        os.kill(gateway, signal.SIGSTOP)
        try:
            with pytest.raises(ManagerLostError, match="the connection broke"):
                pool.submit(accl.run, frame(2)).result(30)
        finally:
            os.kill(gateway, signal.SIGCONT)


def test_a_killed_gateway_is_an_error_and_comes_back(away: NetworkRig, poll_for: Poll) -> None:
    with SyncAccl(away.dfp, **away.place) as accl, ThreadPoolExecutor(1) as pool:
        accl.run(frame(1))
        before = away.status
        away.device.hold()
        waiting = pool.submit(accl.run, frame(2))
        poll_for(lambda: away.status.devices[0].clients[0].executing)
        gateway = away.gateway_pid
        kill(gateway)
        with pytest.raises(ManagerLostError, match="the connection broke"):
            waiting.result(20)
        away.device.release()
        poll_for(lambda: away.gateway_pid not in (0, gateway), 20)

        def runs() -> bool:
            try:
                return bool(accl.run(frame(7))[0, 0] == 7)
            except ManagerUnavailableError:
                return False

        poll_for(runs, 20)
        status = away.status
        assert status.pid == before.pid
        assert status.devices[0].worker_pid == before.devices[0].worker_pid
        assert away.peers == ["tester (127.0.0.1)"]
        assert segments_of(gateway) == []


def test_a_killed_gateway_does_not_disturb_local_clients(away: NetworkRig) -> None:
    with SyncAccl(away.dfp, **away.local) as near:
        near.run(frame(1))
        kill(away.gateway_pid)
        assert [near.run(frame(n))[0, 0] for n in range(50)] == list(range(50))


def test_a_killed_manager_is_a_clear_error_and_a_new_accelerator_works_with_the_next_one(
    away: NetworkRig, poll_for: Poll
) -> None:
    with SyncAccl(away.dfp, **away.place) as accl, ThreadPoolExecutor(1) as pool:
        accl.run(frame(1))
        status, gateway = away.status, away.gateway_pid
        away.device.hold()
        waiting = pool.submit(accl.run, frame(2))
        poll_for(lambda: away.status.devices[0].clients[0].executing)
        kill(status.pid)
        with pytest.raises(ManagerLostError, match=f"device manager at {away.network}"):
            waiting.result(20)
        away.device.release()
        poll_for(lambda: not is_running(gateway), 20)
        with pytest.raises(ManagerUnavailableError, match="no device manager answers"):
            accl.run(frame(3))
    away.start()
    with SyncAccl(away.dfp, **away.place) as fresh:
        assert fresh.run(frame(4))[0, 0] == 4
    assert away.status.pid != status.pid


def test_a_stopped_manager_says_so_to_clients_of_the_network(
    away: NetworkRig, poll_for: Poll
) -> None:
    with SyncAccl(away.dfp, **away.place) as accl, ThreadPoolExecutor(2) as pool:
        accl.run(frame(1))
        away.device.hold()
        waiting = pool.submit(accl.run, frame(2))
        poll_for(lambda: away.status.devices[0].clients[0].executing)
        stopping = pool.submit(stop_manager, away.address)
        with pytest.raises(ManagerLostError, match="stopped by 'penstock manager stop'"):
            waiting.result(20)
        away.device.release()
        stopping.result(20)
    assert manager_status(away.address) is None


def test_a_killed_worker_is_an_error_that_says_so_and_it_comes_back(
    away: NetworkRig, poll_for: Poll
) -> None:
    with SyncAccl(away.dfp, **away.place) as accl:
        accl.run(frame(1))
        worker = away.status.devices[0].worker_pid
        away.device.hold()
        for number in range(3):
            accl.send(frame(number))
        poll_for(lambda: away.status.devices[0].clients[0].executing)
        kill(worker)
        for _ in range(3):
            with pytest.raises(WorkerDiedError, match="was killed by SIGKILL"):
                accl.receive(timeout=20_000)
        away.device.release()
        assert accl.run(frame(7))[0, 0] == 7
        assert away.status.devices[0].restarts == 1


@pytest.mark.expected_log
def test_a_stream_whose_manager_is_gone_ends_with_the_reason(away: NetworkRig) -> None:
    numbers: list[int] = []
    with AsyncAccl(away.dfp, **away.place) as accl:
        counted = iter(range(10**9))
        accl.connect_input(lambda: frame(next(counted)))
        accl.connect_output(lambda y: numbers.append(int(y[0, 0])))
        while len(numbers) < 50:
            pass
        kill(away.status.pid)
        with pytest.raises(EngineError, match=f"{away.network}"):
            accl.wait()
    assert numbers == list(range(len(numbers)))


def test_closing_while_the_gateway_is_silent_takes_a_second_at_most_and_leaves_nothing(
    away: NetworkRig,
) -> None:
    accl = SyncAccl(away.dfp, **away.place)
    accl.run(frame(1))
    gateway = away.gateway_pid
    os.kill(gateway, signal.SIGSTOP)
    try:
        with ThreadPoolExecutor(1) as pool:
            pool.submit(accl.shutdown).result(10)
    finally:
        os.kill(gateway, signal.SIGCONT)


def test_a_program_that_ends_without_shutdown_leaves_nothing_and_does_not_hang(
    away: NetworkRig, poll_for: Poll
) -> None:
    client = away.client(
        "accl = AsyncAccl(dfp, **place)\n"
        "accl.connect_input(lambda: frame(1)); accl.connect_output(lambda y: None)\n"
        "say(done=1)"
    )
    heard(client)
    assert client.wait(30) == 0
    poll_for(lambda: away.peers == [], 20)


def test_a_key_revoked_while_a_frame_is_under_way_ends_it_with_the_reason(
    away: NetworkRig, poll_for: Poll
) -> None:
    with SyncAccl(away.dfp, **away.place) as accl, ThreadPoolExecutor(1) as pool:
        accl.run(frame(1))
        away.device.hold()
        waiting = pool.submit(accl.run, frame(2))
        poll_for(lambda: away.status.devices[0].clients[0].executing)
        away.keys.revoke("tester")
        with pytest.raises(ManagerKeyError, match="not allow the key of this machine any more"):
            waiting.result(20)
        away.device.release()
    poll_for(lambda: away.peers == [], 20)


def test_a_gateway_whose_port_was_taken_meanwhile_comes_back_when_it_is_free(
    away: NetworkRig, poll_for: Poll
) -> None:
    with SyncAccl(away.dfp, **away.local) as near:
        near.run(frame(1))
        taker = socket.socket()
        taker.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)

        def takes() -> bool:
            with contextlib.suppress(OSError):
                taker.bind((away.network.host, away.network.port))
                taker.listen()
                return True
            return False

        with taker:
            kill(away.gateway_pid)
            poll_for(takes, 20)
            poll_for(lambda: "being started again" in away.status.listen, 20)
            assert near.run(frame(2))[0, 0] == 2
        poll_for(lambda: away.status.listen == str(away.network), 40)

        def lets_in() -> bool:
            with contextlib.suppress(ManagerUnavailableError):
                return manager_status(away.network) is not None
            return False

        poll_for(lets_in, 40)
