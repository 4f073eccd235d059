"""Messages that make no sense end the connection they came through, and nothing else."""

import contextlib
import random
import socket
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import msgspec
import numpy as np
import pytest
import zmq

from engine import Dfp, SyncAccl
from engine.errors import BrokenError
from engine.manager.network import messages
from engine.manager.network.payload import arrays_of, parts_of, private_arrays_of
from engine.manager.sharing import ShareSettings
from engine.protocol import TensorInfo
from tests.support.manager_rig import frame, identity_program
from tests.support.network_rig import HOST, NetworkRig, network_rig

SETTINGS = ShareSettings()
CASES = 150


@pytest.fixture(scope="module")
def away() -> Iterator[NetworkRig]:
    """Return a manager that tests share."""
    with network_rig() as made:
        made.start("onnxruntime-cpu")
        yield made


@pytest.fixture(autouse=True)
def others_go_on(away: NetworkRig) -> Iterator[None]:
    """Use the manager beside every test; it and its gateway are the same afterwards."""
    before = away.status.pid, away.gateway_pid
    with SyncAccl(away.dfp, **away.place) as accl:
        accl.run(frame(1))
        worker = away.status.devices[0].worker_pid
        yield
        assert [accl.run(frame(n))[0, 0] for n in range(20)] == list(range(20))
        assert away.status.devices[0].worker_pid == worker
    assert (away.status.pid, away.gateway_pid) == before


class Raw:
    """A client with an allowed key that says what it wants."""

    def __init__(self, away: NetworkRig, context: "zmq.Context[zmq.Socket[bytes]]") -> None:
        pair = away.keys.client_pair(away.network)
        self._end = context.socket(zmq.DEALER)
        self._end.setsockopt(zmq.LINGER, 0)
        self._end.setsockopt(zmq.RECONNECT_IVL, -1)
        self._end.setsockopt(zmq.CURVE_PUBLICKEY, pair.public.encode())
        self._end.setsockopt(zmq.CURVE_SECRETKEY, pair.secret.encode())
        self._end.setsockopt(zmq.CURVE_SERVERKEY, away.keys.manager_key(away.network).encode())
        self._end.connect(f"tcp://{away.network}")

    def send(self, *parts: Any) -> None:
        with contextlib.suppress(zmq.Again):  # it was put out
            self._end.send_multipart([*parts], zmq.NOBLOCK)

    def ask(self, question: messages.Question, *parts: bytes) -> messages.Answer:
        self.send(msgspec.msgpack.encode(question), *parts)
        return self.hear()

    def hear(self) -> messages.Answer:
        assert self._end.poll(20_000), "the gateway does not answer"
        answer: messages.Answer = msgspec.msgpack.decode(
            self._end.recv_multipart()[0], type=messages.Answer
        )
        return answer

    def greet(self) -> None:
        assert isinstance(self.ask(messages.Greet(1, 1)), messages.Welcome)

    def open(self, program: Dfp) -> messages.PlaceOpened:
        number, size = 2, len(program.data)
        question = messages.OpenPlace(number, 0, program.sha256, "x", size, SETTINGS)
        answer = self.ask(question)
        if isinstance(answer, messages.UploadWanted):
            piece = messages.Upload(3, program.sha256, 0)
            assert isinstance(self.ask(piece, program.data), messages.Took)
            answer = self.ask(question)
        assert isinstance(answer, messages.PlaceOpened)
        return answer

    def close(self) -> None:
        self._end.close()


@pytest.fixture
def raw(away: NetworkRig) -> Iterator[Callable[[], Raw]]:
    """Make clients that say what they want."""
    context: zmq.Context[zmq.Socket[bytes]] = zmq.Context()
    made: list[Raw] = []

    def make() -> Raw:
        made.append(Raw(away, context))
        return made[-1]

    yield make
    for one in made:
        one.close()
    context.term()


def valid_questions(place: int) -> list[list[bytes]]:
    frame_bytes = frame(3).tobytes()
    questions: list[tuple[messages.Question, list[bytes]]] = [
        (messages.Greet(1, 1), []),
        (messages.OpenPlace(2, 0, "0" * 64, "x", 10, SETTINGS), []),
        (messages.Upload(3, "0" * 64, 0), [b"x" * 10]),
        (messages.RunFrame(4, place, 0, ((1, 4),)), [frame_bytes]),
        (messages.PlaceClosed(place), []),
        (messages.AskWhyLost(5, 1), []),
        (messages.AskStatus(6), []),
        (messages.Leave(7), []),
    ]
    return [[msgspec.msgpack.encode(question), *parts] for question, parts in questions]


def mutated(dice: random.Random, message: Sequence[bytes]) -> list[bytes]:
    parts = [bytearray(part) for part in message]
    for _ in range(dice.randint(1, 4)):
        part = dice.choice(parts)
        match dice.randint(0, 5):
            case 0 if part:
                part[dice.randrange(len(part))] = dice.randrange(256)
            case 1:
                part[:] = part[: dice.randint(0, len(part))]
            case 2:
                part += dice.randbytes(dice.randint(1, 50))
            case 3:
                parts.append(bytearray(dice.randbytes(dice.randint(0, 2000))))
            case 4:
                parts.pop(dice.randrange(len(parts)))
            case _:
                parts.insert(0, bytearray(dice.randbytes(dice.randint(0, 30))))
        if not parts:
            parts.append(bytearray())
    return [bytes(part) for part in parts]


def test_mutated_messages_harm_nobody_else(away: NetworkRig, raw: Callable[[], Raw]) -> None:
    dice = random.Random(11)
    program = Dfp(identity_program())
    client, place, said = raw(), 0, 0
    client.greet()
    place = client.open(program).place
    for _ in range(CASES):
        client.send(*mutated(dice, dice.choice(valid_questions(place))))
        said += 1
        if said == 5:  # those that are put out are not heard any more
            client.close()
            client, said = raw(), 0
            client.greet()
            place = client.open(program).place


@pytest.mark.parametrize(
    "parts",
    [
        [b""],
        [b"\xc1"],
        [b"\x00" * 1000],
        [b"\xdf\xff\xff\xff\xff"],
        [b"\x91" * 100_000],
        [b"\x82\xa4type\xa2\xff\xff\xa6number\x06"],
        [b"\x83\xa4type\xa6status\xa6number\x06\xa3zzz" + b"\x91" * 200_000],
        [msgspec.msgpack.encode({"type": "open", "number": -(2**63)})],
        [msgspec.msgpack.encode({"type": "hello", "number": 1, "version": "one"})],
    ],
)
def test_a_message_that_makes_no_sense_is_answered_with_a_goodbye(
    raw: Callable[[], Raw], parts: list[bytes]
) -> None:
    client = raw()
    client.greet()
    client.send(*parts)
    answer = client.hear()
    assert isinstance(answer, messages.Bye)
    assert "makes no sense" in answer.error.message


@pytest.mark.parametrize(
    ("shapes", "parts"),
    [
        (((1, 4),), []),
        (((1, 4),), [b"x" * 15]),
        (((1, 4),), [b"x" * 8, b"x" * 8]),
        (((1, 5),), [b"x" * 16]),
        (((-1, -4),), [b"x" * 16]),
        (((2**40, 2**40),), [b"x" * 16]),
        (((0, 2**62, 2**62),), []),
        (((1,) * 40,), [b"x" * 4]),
        ((), []),
        (((1, 4), (1, 4)), [b"x" * 16, b"x" * 16]),
    ],
)
def test_a_frame_that_is_not_what_it_says_is_answered_with_a_goodbye(
    raw: Callable[[], Raw], shapes: Any, parts: list[bytes]
) -> None:
    client = raw()
    client.greet()
    place = client.open(Dfp(identity_program())).place
    answer = client.ask(messages.RunFrame(9, place, 0, shapes), *parts)
    assert isinstance(answer, messages.Bye)


def test_a_model_that_is_not_there_is_answered_with_a_goodbye(raw: Callable[[], Raw]) -> None:
    for model in (1, -1, 2**62):
        client = raw()
        client.greet()
        place = client.open(Dfp(identity_program())).place
        run = messages.RunFrame(9, place, model, ((1, 4),))
        assert isinstance(client.ask(run, frame(1).tobytes()), messages.Bye)


def test_more_frames_than_links_are_answered_with_a_goodbye(
    away: NetworkRig, raw: Callable[[], Raw]
) -> None:
    client = raw()
    client.greet()
    opened = client.open(Dfp(identity_program()))
    for number in range(100 * opened.links):
        run = messages.RunFrame(number, opened.place, 0, ((1, 4),))
        client.send(msgspec.msgpack.encode(run), frame(1).tobytes())
    while not isinstance(answer := client.hear(), messages.Bye):
        assert isinstance(answer, messages.Ran)
    assert "are under way at one place" in answer.error.message


def test_a_place_that_is_not_there_is_lost(raw: Callable[[], Raw]) -> None:
    client = raw()
    client.greet()
    run = messages.RunFrame(9, 77, 0, ((1, 4),))
    assert isinstance(client.ask(run, frame(1).tobytes()), messages.LinkLost)


def test_nothing_is_answered_before_a_greeting(raw: Callable[[], Raw]) -> None:
    answer = raw().ask(messages.AskStatus(4))
    assert isinstance(answer, messages.Refused)
    assert "before it was greeted" in answer.error.message


def test_another_version_is_told_what_to_do(raw: Callable[[], Raw]) -> None:
    answer = raw().ask(messages.Greet(1, 99))
    assert isinstance(answer, messages.Refused)
    assert "install the same version of Penstock on both" in answer.error.message


@pytest.mark.parametrize(
    ("key", "size", "offset", "data"),
    [
        ("0" * 64, 10, 0, b"x" * 10),
        ("0" * 64, 10, 0, b"x" * 11),
        ("0" * 64, 10, 5, b"x" * 5),
        ("0" * 64, 10, 0, b""),
        ("0" * 64, 0, 0, b""),
        ("0" * 64, -5, 0, b""),
        ("0" * 64, messages.MAX_PROGRAM_BYTES + 1, 0, b"x"),
        ("not a hash", 4, 0, b"abcd"),
    ],
)
def test_an_upload_that_is_not_what_was_announced_is_refused(
    raw: Callable[[], Raw], key: str, size: int, offset: int, data: bytes
) -> None:
    client = raw()
    client.greet()
    answer = client.ask(messages.OpenPlace(2, 0, key, "liar", size, SETTINGS))
    if isinstance(answer, messages.UploadWanted):
        answer = client.ask(messages.Upload(3, key, offset), data)
    assert isinstance(answer, messages.Refused)


def test_a_message_too_large_ends_the_connection_before_it_is_read(
    away: NetworkRig, raw: Callable[[], Raw]
) -> None:
    client = raw()
    client.greet()
    client.send(b"x" * (4 * messages.PART_BYTES))
    client.send(msgspec.msgpack.encode(messages.AskStatus(5)))
    assert client._end.poll(1000) == 0


def test_rubbish_before_the_handshake_harms_nobody(away: NetworkRig) -> None:
    dice = random.Random(5)
    greeting = b"\xff" + b"\x00" * 8 + b"\x7f\x03\x01CURVE" + b"\x00" * 47
    for _ in range(60):
        with socket.create_connection((HOST, away.network.port), timeout=20) as end:
            head = greeting if dice.random() < 0.7 else b""
            with contextlib.suppress(OSError):
                end.sendall(head + dice.randbytes(dice.randint(0, 3000)))


def test_arrays_come_out_as_they_went_in_or_not_at_all() -> None:
    dice = random.Random(2)
    dtypes = ["float32", "uint8", "int64", "float16", "bool"]
    for _ in range(300):
        arrays = []
        for _ in range(dice.randint(0, 3)):
            shape = tuple(dice.randint(0, 25) for _ in range(dice.randint(0, 3)))
            arrays.append(np.ones(shape, dice.choice(dtypes)))
        tensors = [TensorInfo("x", array.shape, array.dtype.name) for array in arrays]
        shapes = tuple(array.shape for array in arrays)
        parts = parts_of(arrays)
        for give in (arrays_of, private_arrays_of):
            for before, after in zip(arrays, give(shapes, tensors, parts), strict=True):
                np.testing.assert_array_equal(before, after)
        spoiled = [*parts[1:], *(parts[:1] if dice.random() < 0.5 else [])]
        if [len(part) for part in spoiled] != [len(part) for part in parts]:
            with pytest.raises(BrokenError):
                arrays_of(shapes, tensors, spoiled)
