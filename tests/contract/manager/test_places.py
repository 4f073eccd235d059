"""How a manager is found, started and ended, and what goes without one."""

import json
import logging
import socket
import threading
from pathlib import Path
from typing import Any

import pytest

from app.main import main
from engine import SyncAccl
from engine.errors import BusyError, InvalidArgumentError
from engine.manager import (
    ManagerUnavailableError,
    NetworkAddress,
    find_address,
    find_folder,
    manager_status,
    start_manager,
)
from engine.manager import address as address_module
from tests.support.manager_rig import Poll, Rig, frame, heard


def test_the_published_folder_means_the_user_s_own_manager_where_it_is_missing(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path))
    monkeypatch.setattr(address_module, "PUBLISHED_FOLDER", str(tmp_path / "mxa") + "/")
    found = find_folder(str(tmp_path / "mxa") + "/", 10000)
    assert found.folder == str(tmp_path / "penstock" / "manager")
    (tmp_path / "mxa").mkdir()
    assert find_folder(str(tmp_path / "mxa") + "/", 10000).folder == str(tmp_path / "mxa")


@pytest.mark.parametrize(
    ("address", "host"),
    [
        ("127.0.0.1", "127.0.0.1"),
        ("edge-7.local", "edge-7.local"),
        ("::1", "::1"),
        ("[::1]", "::1"),
    ],
)
def test_what_is_no_folder_is_a_host(address: str, host: str) -> None:
    assert find_address(address, 10001) == NetworkAddress(host, 10001)


@pytest.mark.parametrize("address", ["", "tcp://host", "host:10000", "a b", "./folder", "[x", "-x"])
def test_what_is_neither_folder_nor_host_is_refused_with_a_sentence(address: str) -> None:
    with pytest.raises(InvalidArgumentError, match="neither a folder of this machine"):
        find_address(address, 10000)


def test_devices_of_other_machines_cannot_be_taken_in_local_mode(managed: Rig) -> None:
    with pytest.raises(InvalidArgumentError, match="leave local_mode out"):
        SyncAccl(managed.dfp, local_mode=True, manager_addr="127.0.0.1")


@pytest.mark.parametrize("port", [0, -1, 65536, "10000", None])
def test_a_port_out_of_range_is_refused(port: Any, tmp_path: Path) -> None:
    with pytest.raises(InvalidArgumentError, match="manager_port"):
        find_address(str(tmp_path), port)


def test_a_folder_too_long_for_a_socket_is_refused() -> None:
    with pytest.raises(InvalidArgumentError, match="too long"):
        find_address("/" + "x" * 200, 10000)


def test_managers_of_different_ports_stand_side_by_side(own: Rig) -> None:
    own.start("onnxruntime-cpu")
    other = type(own.address)(own.address.folder, 10001)
    assert manager_status(other) is None
    assert start_manager(other, devices=["onnxruntime-cpu"], idle_timeout_s=0.1)
    assert not start_manager(own.address)


def test_a_manager_ends_some_time_after_its_last_client(own: Rig, poll_for: Poll) -> None:
    own.start("onnxruntime-cpu", idle_timeout_s=0.3)
    with SyncAccl(own.dfp, **own.place) as accl:
        accl.run(frame(1))
        pid = own.status.pid
        threading.Event().wait(0.6)
        assert own.status.pid == pid
    poll_for(lambda: not Path(own.address.socket_path).exists())
    assert manager_status(own.address) is None


def test_the_first_client_starts_the_manager(own: Rig) -> None:
    assert manager_status(own.address) is None
    with SyncAccl(own.dfp, **own.place) as accl:
        assert accl.run(frame(1))[0, 0] == 1
        assert len(own.client_pids) == 1


def test_ignore_manager_opens_no_socket_and_takes_no_lock(
    own: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    def no_socket(*_: object, **__: object) -> None:
        raise AssertionError("a socket was opened")

    monkeypatch.setattr(socket, "socket", no_socket)
    with SyncAccl(own.dfp, ignore_manager=True, **own.place) as accl:
        assert accl.run(frame(1))[0, 0] == 1
    assert not Path(own.address.folder).exists()


def test_local_mode_starts_no_manager(own: Rig) -> None:
    with SyncAccl(own.dfp, local_mode=True, **own.place) as accl:
        assert accl.run(frame(1))[0, 0] == 1
    assert manager_status(own.address) is None


def test_local_mode_keeps_the_device_from_other_processes(own: Rig) -> None:
    client = own.client(
        "accl = SyncAccl(dfp, local_mode=True, **place); say(done=1)\n"
        "say(y=float(accl.run(frame(2))[0, 0])); forever()"
    )
    heard(client)
    with pytest.raises(BusyError, match=f"local mode .process {client.pid}."):
        SyncAccl(own.dfp, local_mode=True, **own.place)
    with pytest.raises(BusyError, match=f"local mode .process {client.pid}."):
        SyncAccl(own.dfp, **own.place)
    with SyncAccl(own.dfp, ignore_manager=True, **own.place) as accl:
        assert accl.run(frame(1))[0, 0] == 1
    assert heard(client)["y"] == 2
    client.kill()
    client.wait()
    with SyncAccl(own.dfp, local_mode=True, **own.place) as accl:
        assert accl.run(frame(1))[0, 0] == 1


def test_accelerators_of_one_process_share_a_device_in_local_mode(own: Rig) -> None:
    with (
        SyncAccl(own.dfp, local_mode=True, **own.place) as first,
        SyncAccl(own.dfp, local_mode=True, **own.place) as second,
    ):
        assert first.run(frame(1))[0, 0] == second.run(frame(1))[0, 0]


@pytest.mark.expected_log
def test_without_a_manager_that_could_be_started_it_runs_here_and_says_so(
    own: Rig, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    runtime = own.folder / "runtime"
    (runtime / "penstock" / "manager").mkdir(mode=0o700, parents=True)
    (runtime / "penstock").chmod(0o700)
    (runtime / "penstock" / "manager" / "penstock-10000.start").mkdir()  # no lock can be made
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(runtime))
    with caplog.at_level(logging.WARNING), SyncAccl(own.dfp) as accl:
        assert accl.run(frame(1))[0, 0] == 1
    (told,) = [r.getMessage() for r in caplog.records if r.levelno == logging.WARNING]
    assert "running in local mode" in told
    assert "device manager cannot be started" in told


def test_a_manager_that_was_asked_for_and_cannot_be_started_is_a_runtime_error(own: Rig) -> None:
    Path(own.address.folder).mkdir()
    Path(own.address.start_lock_path).mkdir()
    with pytest.raises(ManagerUnavailableError, match="cannot be started") as caught:
        SyncAccl(own.dfp, **own.place)
    assert isinstance(caught.value, RuntimeError)


def test_a_manager_that_fails_to_start_says_why(own: Rig) -> None:
    own.address.make_folder()
    Path(own.address.socket_path).mkdir()  # cannot be replaced by a socket
    with pytest.raises(ManagerUnavailableError, match=r"cannot (listen|be reached)"):
        start_manager(own.address)


def test_the_command_line_starts_shows_and_stops_a_manager(
    own: Rig, capsys: pytest.CaptureFixture[str]
) -> None:
    place = ["--addr", own.address.folder]
    assert main(["manager", "status", *place]) == 1
    assert "no manager runs" in capsys.readouterr().out
    assert main(["manager", "start", *place, "--device", "onnxruntime-cpu"]) == 0
    assert main(["manager", "start", *place]) == 0
    told = capsys.readouterr().out
    assert "started in" in told
    assert "already running" in told
    with SyncAccl(own.dfp, **own.place) as accl:
        accl.run([frame(n) for n in range(10)])
        assert main(["manager", "status", *place]) == 0
        assert "identity.dfp" in capsys.readouterr().out
        assert main(["manager", "status", "--json", *place]) == 0
    status = json.loads(capsys.readouterr().out)
    (client,) = status["devices"][0]["clients"]
    assert client["frames"] == 10
    assert client["name"] == "identity.dfp"
    assert main(["manager", "stop", *place]) == 0
    assert main(["manager", "stop", *place]) == 0
    told = capsys.readouterr().out
    assert f"stopped process {status['pid']}" in told
    assert "no manager runs" in told
