import msgspec
import pytest

from engine.drivers.messages import (
    Begin,
    Ended,
    Failed,
    FrameReady,
    Freed,
    Logged,
    Open,
    Opened,
    Stop,
    decode_from_engine,
    decode_from_host,
    encode,
    encode_logged,
)
from engine.errors import MediaError
from engine.protocol import FrameFormat, FrameKind, LogEntry, Truth, TruthObject

ENTRY = LogEntry(at_ns=5, level="INFO", logger="driver.x", message="hello", pid=7)


@pytest.mark.parametrize(
    "message",
    [
        Open(1, "cam", "/d", "driver.py", "s", {"path": ["a"], "rate": 2.5, "loop": True}),
        Begin("ring"),
        Freed(),
        Stop(),
    ],
)
def test_messages_of_the_engine_come_back_equal(message: object) -> None:
    assert decode_from_engine(encode(message)) == message


@pytest.mark.parametrize(
    "message",
    [
        Opened(FrameFormat(FrameKind.LINE, (5, 6), "uint16", 60.0, 3, (400.0, 410.5))),
        FrameReady(3, 2**40, 5, 6, Truth((TruthObject("cat", 0.1, -0.2, 1.5, 0.5),), (1, 2))),
        FrameReady(0, 0, 1, 2),
        Ended(12),
        Failed("media", "it is gone", {"file": "a"}),
        Logged(ENTRY),
    ],
)
def test_messages_of_the_host_come_back_equal(message: object) -> None:
    assert decode_from_host(encode(message)) == message


def test_a_packed_log_entry_needs_no_second_packing() -> None:
    assert decode_from_host(encode_logged(msgspec.msgpack.encode(ENTRY))) == Logged(ENTRY)


def test_an_error_travels_as_code_and_sentence() -> None:
    failed = Failed.of(MediaError("video x is gone", file="x"))

    error = failed.to_error()

    assert type(error) is MediaError
    assert (error.message, error.details) == ("video x is gone", {"file": "x"})


def test_an_error_that_is_too_long_is_cut() -> None:
    failed = Failed.of(MediaError("m" * 10**6, **{f"d{i}": "x" * 10**5 for i in range(100)}))

    assert len(encode(failed)) < 63 * 1024


@pytest.mark.parametrize("data", [b"", b"\x00", b"nonsense", encode(Stop())])
def test_nonsense_is_refused(data: bytes) -> None:
    with pytest.raises(msgspec.DecodeError):
        decode_from_host(data)
