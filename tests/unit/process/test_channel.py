"""Channels, both ends in one process."""

import os
import socket
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import msgspec
import pytest

from engine.errors import BrokenError, ClosedError, InvalidArgumentError
from engine.process import MAX_MESSAGE_BYTES, Channel, PeerGoneError, channel, wait_readable

Ends = tuple[Channel, Channel]
PollFor = Callable[..., None]


@pytest.fixture
def ends() -> Iterator[Ends]:
    ours, other = Channel.pair()
    with ours, Channel.from_fd(other.detach()) as theirs:
        yield ours, theirs


class Ping(msgspec.Struct, frozen=True, tag="ping"):
    number: int


class Text(msgspec.Struct, frozen=True, tag="text"):
    text: str


def test_messages_stay_apart_and_in_order_both_ways(ends: Ends) -> None:
    ours, theirs = ends
    for data in (b"one", b"two", bytes(MAX_MESSAGE_BYTES)):
        assert ours.send_bytes(data)
    assert theirs.send_bytes(b"back")
    assert [theirs.recv_bytes(1), theirs.recv_bytes(1)] == [b"one", b"two"]
    assert theirs.recv_bytes(1) == bytes(MAX_MESSAGE_BYTES)
    assert ours.recv_bytes(1) == b"back"


def test_structs_travel_as_their_union(ends: Ends) -> None:
    ours, theirs = ends
    decoder = msgspec.msgpack.Decoder(Ping | Text)
    ours.send(Ping(3))
    ours.send(Text("hello"))
    assert theirs.recv(decoder, 1) == Ping(3)
    assert theirs.recv(decoder, 1) == Text("hello")
    assert theirs.recv(decoder, 0) is None


def test_nonsense_from_the_peer_is_an_error_with_a_sentence(ends: Ends) -> None:
    ours, theirs = ends
    decoder = msgspec.msgpack.Decoder(Ping | Text)
    for nonsense in (b"\xc1", msgspec.msgpack.encode({"type": "ping", "number": "3"})):
        ours.send_bytes(nonsense)
        with pytest.raises(BrokenError, match="makes no sense"):
            theirs.recv(decoder, 1)


@pytest.mark.parametrize("size", [0, MAX_MESSAGE_BYTES + 1])
def test_a_message_of_unfit_size_is_refused(ends: Ends, size: int) -> None:
    ours, theirs = ends
    with pytest.raises(InvalidArgumentError, match=f"{size} bytes cannot be sent"):
        ours.send_bytes(bytes(size))
    assert theirs.recv_bytes(0) is None


def test_a_peer_that_sends_too_much_at_once_is_told_from_a_good_one() -> None:
    ours, other = Channel.pair()
    with ours, other:
        other.send(bytes(MAX_MESSAGE_BYTES + 100))
        with pytest.raises(BrokenError, match=f"{MAX_MESSAGE_BYTES + 100} bytes; the limit"):
            ours.recv_bytes(1)
        other.send(b"good")
        assert ours.recv_bytes(1) == b"good"


def test_nothing_to_receive_is_none_when_the_time_is_over(ends: Ends) -> None:
    ours, _ = ends
    assert ours.recv_bytes(0) is None
    assert ours.recv_bytes(0.01) is None


def test_a_full_queue_is_reported_and_recovers(ends: Ends) -> None:
    ours, theirs = ends
    sent = 0
    while ours.send_bytes(sent.to_bytes(4, "little")):
        sent += 1
    assert not ours.send_bytes(b"x", timeout_s=0.01)
    received = []
    while (data := theirs.recv_bytes(0)) is not None:
        received.append(int.from_bytes(data, "little"))
    assert received == list(range(sent))
    assert ours.send_bytes(b"x")


def test_a_waiting_sender_goes_on_when_the_peer_reads(ends: Ends) -> None:
    ours, theirs = ends
    while ours.send_bytes(bytes(1000)):
        pass
    sent: list[bool] = []
    sender = threading.Thread(target=lambda: sent.append(ours.send_bytes(b"last", 10)))
    sender.start()
    while theirs.recv_bytes(10) != b"last":
        pass
    sender.join(10)
    assert sent == [True]


def test_what_a_peer_sent_before_it_left_is_still_received(ends: Ends) -> None:
    ours, theirs = ends
    ours.send_bytes(b"never read by them")  # makes the system report a reset first
    theirs.send_bytes(b"last words")
    theirs.close()
    assert ours.recv_bytes(1) == b"last words"
    for _ in range(2):
        with pytest.raises(PeerGoneError, match="is gone"):
            ours.recv_bytes(1)
    with pytest.raises(PeerGoneError):
        ours.send_bytes(b"x")


def test_the_end_of_the_line_wakes_a_receiver_that_waits_for_ever(
    ends: Ends, monkeypatch: pytest.MonkeyPatch, poll_for: PollFor
) -> None:
    ours, theirs = ends
    with _receiving(ours, monkeypatch, poll_for) as caught:
        theirs.close()
    assert [type(error) for error in caught] == [PeerGoneError]


def test_closing_wakes_our_own_receiver(
    ends: Ends, monkeypatch: pytest.MonkeyPatch, poll_for: PollFor
) -> None:
    ours, _ = ends
    with _receiving(ours, monkeypatch, poll_for) as caught:
        ours.close()
    assert [type(error) for error in caught] == [ClosedError]


@contextmanager
def _receiving(
    line: Channel, monkeypatch: pytest.MonkeyPatch, poll_for: PollFor
) -> Iterator[list[BaseException]]:
    """Let a thread wait for a message, and collect the error that ends its wait."""
    caught: list[BaseException] = []
    begins_to_wait = threading.Event()

    def wait(fds: Sequence[int], timeout_s: float | None) -> list[int]:
        begins_to_wait.set()
        return wait_readable(fds, timeout_s)

    def receive() -> None:
        try:
            line.recv_bytes(None)
        except (PeerGoneError, ClosedError) as error:
            caught.append(error)

    monkeypatch.setattr(channel, "wait_readable", wait)
    thread = threading.Thread(target=receive, daemon=True)
    thread.start()
    assert begins_to_wait.wait(5)
    poll_for(lambda: _is_asleep(thread))
    yield caught
    thread.join(5)
    assert not thread.is_alive()


def _is_asleep(thread: threading.Thread) -> bool:
    stat = Path(f"/proc/self/task/{thread.native_id}/stat").read_bytes()
    return stat.rpartition(b")")[2].split()[0] == b"S"


def test_a_closed_channel_refuses_everything(ends: Ends) -> None:
    ours, _ = ends
    ours.close()
    ours.close()
    assert ours.is_closed
    for call in (ours.fileno, lambda: ours.send_bytes(b"x"), lambda: ours.recv_bytes(0)):
        with pytest.raises(ClosedError):
            call()


def test_the_childs_end_is_inherited_and_ours_is_not() -> None:
    ours, theirs = Channel.pair()
    with ours, theirs:
        assert os.get_inheritable(theirs.fileno())
        assert not os.get_inheritable(ours.fileno())


def test_only_a_socket_makes_a_channel() -> None:
    reading, writing = os.pipe()
    try:
        with pytest.raises(InvalidArgumentError, match="is not a channel"):
            Channel.from_fd(reading)
    finally:
        os.close(reading)
        os.close(writing)


def test_a_system_without_such_sockets_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr(socket, "SOCK_SEQPACKET")
    with pytest.raises(Exception, match="need SOCK_SEQPACKET"):
        Channel.pair()
