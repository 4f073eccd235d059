"""Who may use a device manager over a network, and what everybody else hears."""

import contextlib
import socket
import stat
import struct
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import zmq

from app.main import main
from engine import SyncAccl
from engine.errors import EngineError, InvalidArgumentError
from engine.manager import (
    ManagerKeyError,
    ManagerUnavailableError,
    NetworkAddress,
    manager_status,
)
from engine.manager.network.door import MOST_CONNECTIONS
from engine.manager.network.keys import CLIENT, MANAGER, ManagerKeys, fingerprint, read_public
from tests.support.manager_rig import Poll, frame
from tests.support.network_rig import HOST, NetworkRig, free_port, network_rig


@pytest.fixture(scope="module")
def away() -> Iterator[NetworkRig]:
    """Return a manager that tests share."""
    with network_rig() as made:
        made.start("onnxruntime-cpu")
        yield made


def test_who_was_refused_is_in_the_gateway_s_log(
    away: NetworkRig, guest: ManagerKeys, poll_for: Poll
) -> None:
    with pytest.raises(ManagerKeyError):
        manager_status(away.network)
    log = Path(away.address.gateway_log_path)
    poll_for(lambda: "127.0.0.1: its key is not allowed" in log.read_text(), 20)


@pytest.fixture
def guest(away: NetworkRig, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> ManagerKeys:
    """Return the keys of another machine: its own pair, and the manager's public key."""
    keys = ManagerKeys(tmp_path / "guest")
    keys.make(CLIENT)
    keys.trust(away.network, away.keys.folder / "manager.pub")
    monkeypatch.setenv("PENSTOCK_MANAGER_KEYS", str(keys.folder))
    return keys


def public(keys: ManagerKeys) -> Path:
    return keys.folder / "client.pub"


# -- what is missing or wrong


def test_a_key_that_is_not_allowed_is_refused_with_what_to_do(
    away: NetworkRig, guest: ManagerKeys
) -> None:
    own = fingerprint(read_public(public(guest), CLIENT))
    with pytest.raises(ManagerKeyError, match=rf"does not allow the key .*{own}.*manager allow"):
        SyncAccl(away.dfp, **away.place)


def test_a_key_is_let_in_as_soon_as_it_is_allowed(away: NetworkRig, guest: ManagerKeys) -> None:
    away.keys.allow("guest", public(guest))
    try:
        with SyncAccl(away.dfp, **away.place) as accl:
            assert accl.run(frame(5))[0, 0] == 5
            assert away.peers == ["guest (127.0.0.1)"]
    finally:
        away.keys.revoke("guest")


def test_a_client_without_a_key_is_told_to_make_one(away: NetworkRig, guest: ManagerKeys) -> None:
    (guest.folder / "client.key").unlink()
    with pytest.raises(ManagerKeyError, match=r"no key to reach .*penstock manager keygen"):
        SyncAccl(away.dfp, **away.place)


def test_a_client_that_does_not_know_the_manager_is_told_to_trust_it(
    away: NetworkRig, guest: ManagerKeys
) -> None:
    elsewhere = NetworkAddress("localhost", away.network.port)
    with pytest.raises(ManagerKeyError, match=r"is not known here .*penstock manager trust"):
        manager_status(elsewhere)


def test_a_manager_with_another_key_is_not_believed(
    away: NetworkRig, guest: ManagerKeys, tmp_path: Path
) -> None:
    away.keys.allow("guest", public(guest))
    try:
        guest.trust(away.network, guest.make(MANAGER, tmp_path / "impostor"))
        with pytest.raises(ManagerKeyError, match="does not have the key that is known for it"):
            SyncAccl(away.dfp, **away.place)
    finally:
        away.keys.revoke("guest")


def test_a_manager_that_is_not_there_is_named(away: NetworkRig, guest: ManagerKeys) -> None:
    nobody = NetworkAddress(HOST, free_port())
    guest.trust(nobody, away.keys.folder / "manager.pub")
    with pytest.raises(ManagerUnavailableError, match=rf"no device manager answers at {nobody}"):
        SyncAccl(away.dfp, manager_addr=HOST, manager_port=nobody.port)


def test_a_host_that_cannot_be_found_is_named(away: NetworkRig, guest: ManagerKeys) -> None:
    unknown = NetworkAddress("no-such-host.invalid")
    guest.trust(unknown, away.keys.folder / "manager.pub")
    with pytest.raises(ManagerUnavailableError, match=r"'no-such-host.invalid' .* cannot be found"):
        manager_status(unknown)


@pytest.mark.slow
def test_what_accepts_and_says_nothing_is_given_up_in_time(
    away: NetworkRig, guest: ManagerKeys
) -> None:
    with socket.create_server((HOST, 0)) as silent:
        address = NetworkAddress(HOST, silent.getsockname()[1])
        guest.trust(address, away.keys.folder / "manager.pub")
        begun = time.monotonic()
        with pytest.raises(ManagerUnavailableError, match="says nothing"):
            manager_status(address)
        assert time.monotonic() - begun < 15


@pytest.mark.parametrize(
    ("spoil", "words"),
    [
        (lambda path: path.write_text("rubbish"), "is not a key of a device manager"),
        (lambda path: path.write_bytes(b"\xff\xfe\x00"), "is not a key of a device manager"),
        (lambda path: path.write_bytes(b"#" * 9000), "it is too large"),
        (lambda path: path.write_text('kind = "client"\npublic = "abc"\n'), "public half"),
        (lambda path: path.write_text('kind = "client"\npublic = "####################"\n'), "Z85"),
        (lambda path: path.write_text('kind = "other"\npublic = "abc"\n'), "kind is"),
        (lambda path: path.chmod(0o644), "chmod 600"),
    ],
)
def test_a_spoiled_key_file_is_named(
    away: NetworkRig, guest: ManagerKeys, spoil: Callable[[Path], object], words: str
) -> None:
    spoil(guest.folder / "client.key")
    with pytest.raises(ManagerKeyError, match=words) as caught:
        manager_status(away.network)
    assert "client.key" in str(caught.value)


def test_halves_of_different_keys_are_refused(guest: ManagerKeys, tmp_path: Path) -> None:
    other = read_public(guest.make(CLIENT, tmp_path / "other"), CLIENT)
    path = guest.folder / "client.key"
    own = read_public(public(guest), CLIENT)
    path.write_text(path.read_text().replace(own, other))
    with pytest.raises(ManagerKeyError, match="do not belong together"):
        guest.client_pair(NetworkAddress(HOST))


# -- who does not keep to the rules


def test_a_client_without_encryption_gets_nothing(away: NetworkRig) -> None:
    context = zmq.Context()
    try:
        with context.socket(zmq.DEALER) as plain:
            plain.setsockopt(zmq.LINGER, 0)
            plain.connect(f"tcp://{away.network}")
            plain.send(b"\x82\xa4type\xa5hello\xa6number\x01")
            assert plain.poll(1000) == 0
    finally:
        context.term()
    with socket.create_connection((HOST, away.network.port), timeout=20) as end:
        end.sendall(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
        told = b""
        with contextlib.suppress(ConnectionResetError):
            while data := end.recv(4096):
                told += data
    assert b"NULL" not in told
    assert b"PLAIN" not in told
    assert len(told) <= 64  # ZeroMQ's greeting, which names the kind of encryption


@pytest.mark.slow
def test_a_connection_that_says_nothing_is_ended(away: NetworkRig) -> None:
    with socket.create_connection((HOST, away.network.port), timeout=30) as end:
        while end.recv(4096):
            pass


@contextlib.contextmanager
def idle_connections(away: NetworkRig, count: int) -> Iterator[list[socket.socket]]:
    """Hold connections that never begin the handshake; the manager ends them after five seconds."""
    with contextlib.ExitStack() as stack:
        ends = []
        for _ in range(count):
            end = socket.create_connection((HOST, away.network.port), timeout=30)
            end.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            ends.append(stack.enter_context(end))
        yield ends


def lets_in(away: NetworkRig) -> bool:
    try:
        return manager_status(away.network) is not None
    except EngineError:
        return False


def test_one_connection_too_many_is_told_so(away: NetworkRig, poll_for: Poll) -> None:
    def is_told() -> bool:
        with idle_connections(away, MOST_CONNECTIONS + 10):
            try:
                return manager_status(away.network) is None
            except ManagerUnavailableError as error:
                return "has as many connections as it takes" in str(error)

    poll_for(is_told, 30)  # on a slow machine the first connections may have ended again
    poll_for(lambda: lets_in(away), 20)


def test_far_too_many_connections_are_ended_and_others_go_on(
    away: NetworkRig, poll_for: Poll
) -> None:
    with (
        SyncAccl(away.dfp, **away.place) as accl,
        idle_connections(away, 2 * MOST_CONNECTIONS + 20) as ends,
    ):
        with contextlib.suppress(ConnectionResetError):
            while ends[-1].recv(4096):
                pass
        assert [accl.run(frame(n))[0, 0] for n in range(20)] == list(range(20))
    poll_for(lambda: lets_in(away), 20)


def test_a_revoked_key_is_put_out_and_others_go_on(
    away: NetworkRig, guest: ManagerKeys, monkeypatch: pytest.MonkeyPatch, poll_for: Poll
) -> None:
    away.keys.allow("guest", public(guest))
    revoked = SyncAccl(away.dfp, **away.place)
    monkeypatch.setenv("PENSTOCK_MANAGER_KEYS", str(away.keys.folder))
    with revoked, SyncAccl(away.dfp, **away.place) as other:
        assert revoked.run(frame(1))[0, 0] == 1
        away.keys.revoke("guest")
        poll_for(lambda: away.peers == ["tester (127.0.0.1)"], 20)
        with pytest.raises(
            ManagerKeyError, match="does not allow the key of this machine any more"
        ):
            revoked.run(frame(2))
        assert other.run(frame(3))[0, 0] == 3
        monkeypatch.setenv("PENSTOCK_MANAGER_KEYS", str(guest.folder))
        with pytest.raises(ManagerKeyError, match="does not allow the key of this machine"):
            revoked.run(frame(4))


# -- the files


def test_secret_halves_are_for_this_user_only(tmp_path: Path) -> None:
    keys = ManagerKeys(tmp_path / "keys")
    for kind in (CLIENT, MANAGER):
        shared = keys.make(kind)
        secret = keys.folder / f"{kind}.key"
        assert stat.S_IMODE(secret.stat().st_mode) == 0o600
        assert "secret =" in secret.read_text()
        assert "secret =" not in shared.read_text()
    assert stat.S_IMODE(keys.folder.stat().st_mode) == 0o700


def test_a_key_is_not_replaced_unasked(tmp_path: Path) -> None:
    keys = ManagerKeys(tmp_path)
    before = keys.make(CLIENT).read_text()
    with pytest.raises(InvalidArgumentError, match="--replace"):
        keys.make(CLIENT)
    assert keys.make(CLIENT, replace=True).read_text() != before


def test_a_secret_file_is_not_taken_for_a_public_one(tmp_path: Path) -> None:
    keys = ManagerKeys(tmp_path)
    keys.make(CLIENT)
    with pytest.raises(ManagerKeyError, match="never leaves its machine"):
        keys.allow("laptop", tmp_path / "client.key")


def test_a_key_of_the_other_kind_is_refused(tmp_path: Path) -> None:
    keys = ManagerKeys(tmp_path)
    client, manager = keys.make(CLIENT), keys.make(MANAGER)
    with pytest.raises(ManagerKeyError, match="key of a manager, and that of a client is needed"):
        keys.allow("laptop", manager)
    with pytest.raises(ManagerKeyError, match="key of a client, and that of a manager is needed"):
        keys.trust(NetworkAddress("host"), client)


@pytest.mark.parametrize("name", ["", "../evil", "a b", ".hidden", "x" * 65])
def test_a_name_that_is_no_file_name_is_refused(tmp_path: Path, name: str) -> None:
    keys = ManagerKeys(tmp_path)
    with pytest.raises(InvalidArgumentError, match="no name for a key"):
        keys.allow(name, keys.make(CLIENT))
    with pytest.raises(InvalidArgumentError, match="no key is called"):
        keys.revoke(name)


def test_one_name_is_one_key_and_one_key_one_name(tmp_path: Path) -> None:
    keys = ManagerKeys(tmp_path)
    first, second = keys.make(CLIENT), keys.make(CLIENT, tmp_path / "second")
    keys.allow("laptop", first)
    keys.allow("laptop", first)
    with pytest.raises(InvalidArgumentError, match="allowed already, as 'laptop'"):
        keys.allow("other", first)
    with pytest.raises(InvalidArgumentError, match="name of another key"):
        keys.allow("laptop", second)
    assert list(keys.allowed().values()) == ["laptop"]


# -- commands


@pytest.fixture
def bare(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> ManagerKeys:
    monkeypatch.setenv("PENSTOCK_MANAGER_KEYS", str(tmp_path / "keys"))
    return ManagerKeys()


def test_listening_without_a_key_is_refused_with_what_to_do(
    bare: ManagerKeys, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    start = ["manager", "start", "--addr", f"{tmp_path}/m", "--listen", HOST]
    assert main(start) != 0
    assert "'penstock manager keygen --manager'" in capsys.readouterr().err
    bare.make(MANAGER)
    assert main(start) != 0
    assert "'penstock manager allow NAME client.pub'" in capsys.readouterr().err


def test_keys_are_made_exchanged_listed_and_revoked_by_commands(
    bare: ManagerKeys, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / "keys"
    assert main(["manager", "keygen"]) == 0
    assert main(["manager", "keygen", "--manager"]) == 0
    assert main(["manager", "keygen", "--out", str(tmp_path / "other")]) == 0
    assert main(["manager", "allow", "laptop", str(tmp_path / "other" / "client.pub")]) == 0
    assert main(["manager", "trust", "edge", str(folder / "manager.pub"), "--port", "10007"]) == 0
    capsys.readouterr()
    assert main(["manager", "keys"]) == 0
    told = capsys.readouterr().out
    assert "laptop" in told
    assert "edge-10007" in told
    assert told.count(fingerprint(read_public(folder / "manager.pub", MANAGER))) == 2
    assert main(["manager", "revoke", "laptop"]) == 0
    assert main(["manager", "revoke", "laptop"]) != 0
    assert "allowed are: none" in capsys.readouterr().err


def test_a_manager_that_runs_without_listening_is_not_taken_for_one_that_does(
    away: NetworkRig, capsys: pytest.CaptureFixture[str]
) -> None:
    start = ["manager", "start", "--addr", away.address.folder, "--port", str(away.network.port)]
    assert main([*start, "--listen", HOST]) == 0
    assert "already running" in capsys.readouterr().out
    assert main([*start, "--listen", "0.0.0.0"]) != 0
    assert "does not listen at 0.0.0.0" in capsys.readouterr().err


def test_an_address_that_is_not_this_machine_s_is_refused_with_the_reason(
    away: NetworkRig, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    start = ["manager", "start", "--addr", f"{tmp_path}/m", "--device", "onnxruntime-cpu"]
    assert main([*start, "--listen", "192.0.2.1"]) != 0
    assert "cannot listen at 192.0.2.1:10000" in capsys.readouterr().err
    assert manager_status(NetworkAddress(HOST, away.network.port)) is not None


def test_a_manager_is_not_started_on_another_machine(
    bare: ManagerKeys, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["manager", "start", "--addr", "192.0.2.1"]) != 0
    assert "started on its own machine" in capsys.readouterr().err
