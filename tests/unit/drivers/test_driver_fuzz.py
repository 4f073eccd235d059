"""Whatever a driver host sends: the engine takes it or says that it makes no sense."""

from collections.abc import Callable
from typing import Any

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from engine.drivers import DriverCatalog, DriverProcess, Ended, Failed, FrameReady
from engine.drivers.messages import Logged, Opened, decode_from_host, encode
from engine.errors import DriverProtocolError, EngineError
from engine.process import Channel
from engine.protocol import FrameFormat, FrameKind, LogEntry, Truth, TruthObject
from engine.shm import SlotRing

SLOTS = 3
MESSAGES = [
    encode(message)
    for message in (
        Opened(FrameFormat(FrameKind.LINE, (5, 6), "uint16", 60.0, 3, (400.0, 410.5))),
        FrameReady(1, 7, 5, 6, Truth((TruthObject("cat", 0.1, -0.2, 1.5, 0.5),), (1, 2))),
        Ended(12),
        Failed("media", "it is gone", {"file": "a"}),
        Logged(LogEntry(at_ns=5, level="INFO", logger="driver.x", message="hello", pid=7)),
    )
]


@st.composite
def damaged(draw: st.DrawFn) -> bytes:
    """Return a real message with bytes changed, removed or put in."""
    data = bytearray(draw(st.sampled_from(MESSAGES)))
    for _ in range(draw(st.integers(1, 4))):
        where = draw(st.integers(0, len(data) - 1)) if data else 0
        match draw(st.sampled_from(["change", "cut", "insert", "remove"])):
            case "change" if data:
                data[where] = draw(st.integers(0, 255))
            case "cut":
                del data[where:]
            case "insert":
                data[where:where] = draw(st.binary(max_size=9))
            case "remove":
                del data[where : where + draw(st.integers(1, 9))]
    return bytes(data)


values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**64 - 1)
    | st.floats()
    | st.text(max_size=9),
    lambda inner: (
        st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=9), inner, max_size=4)
    ),
    max_leaves=8,
)


@st.composite
def well_formed(draw: st.DrawFn) -> bytes:
    """Return msgpack with the right tag and anything in its fields."""
    tag = draw(st.sampled_from(["opened", "frame", "ended", "failed", "logged", "open", "?"]))
    names = ["slot", "frame_id", "captured_at_ns", "ready_at_ns", "truth", "frame_count", "code"]
    names += ["message", "details", "entry", "frame_format"]
    chosen = draw(st.dictionaries(st.sampled_from(names), values, max_size=6))
    return msgspec.msgpack.encode({"type": tag, **chosen})


anything = st.binary(max_size=200) | damaged() | well_formed()


@given(anything)
def test_decoding_never_raises_anything_but_a_decode_error(data: bytes) -> None:
    try:
        decode_from_host(data)
    except msgspec.DecodeError:
        return


@pytest.fixture
def talk() -> Callable[[list[bytes]], list[Any]]:
    """Send messages to the engine's side of a host, over a real channel, and return its events."""
    entry = DriverCatalog().get("pattern")

    def send(messages: list[bytes]) -> list[Any]:
        process = DriverProcess(entry, {}, stream="s", on_log=lambda _: None)
        process._channel, theirs = Channel.pair()
        process._ring = SlotRing.create(SLOTS, 64, purpose="fuzz")
        try:
            with theirs:
                for message in messages:
                    theirs.send(message)
                return events_of(process, len(messages))
        finally:
            process.stop(grace_s=0.0)

    return send


def events_of(process: DriverProcess, count: int) -> list[Any]:
    found = []
    for _ in range(count):
        event = process.receive(0.0)
        found.append(event)
        if isinstance(event, Ended | Failed):
            assert process.receive(0.0) is None  # nothing comes after the end
            break
    return found


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=60)
@given(st.lists(anything.filter(len), min_size=1, max_size=5))
def test_fuzzed_messages_never_crash_the_engine(
    talk: Callable[[list[bytes]], list[Any]], messages: list[bytes]
) -> None:
    for event in talk(messages):
        assert event is None or isinstance(event, Ended | Failed)  # no slot was ever filled
        if isinstance(event, Failed):
            assert isinstance(event.to_error(), EngineError)


def packed(fields: dict[str, bytes]) -> bytes:
    """Return a message whose values are msgpack already, or not quite."""
    pack = msgspec.msgpack.encode
    return bytes([0x80 + len(fields)]) + b"".join(pack(k) + v for k, v in fields.items())


@pytest.mark.parametrize(
    "fields",
    [
        {"type": b"\xa1\x80"},
        {"type": b"\xa6failed", "code": b"\xa1\x80", "message": b"\xa0"},
        {"type": b"\xa5ended", "frame_count": b"\x01", "x": b"\x91" * 30_000 + b"\x01"},
    ],
    ids=["tag", "text", "nested"],
)
def test_what_msgspec_has_no_decode_error_for_is_told_as_nonsense(
    fields: dict[str, bytes], talk: Callable[[list[bytes]], list[Any]]
) -> None:
    [event] = talk([packed(fields)])

    assert isinstance(event, Failed)
    assert type(event.to_error()) is DriverProtocolError


def test_a_frame_in_a_slot_that_was_never_filled_is_not_believed(
    talk: Callable[[list[bytes]], list[Any]],
) -> None:
    for slot in (-1, 0, SLOTS - 1, SLOTS, 2**40):
        [event] = talk([encode(FrameReady(slot, 0, 1, 2))])
        assert isinstance(event, Failed)
        assert type(event.to_error()) is DriverProtocolError
