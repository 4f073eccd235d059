import msgspec
import pytest

from engine.drivers.control_messages import (
    ForceLightOff,
    ReadAll,
    ReadOne,
    Reply,
    RunCommand,
    SetValue,
    decode_reply,
    decode_request,
    encode_control,
    replies,
)
from engine.drivers.live import LiveParameter
from engine.drivers.messages import Failed
from engine.process import MAX_MESSAGE_BYTES

FULL = LiveParameter(
    "Gain", "number", "Gain", 1.5, "dB", "Louder", 0.0, 24.0, 0.5, ("a",), "ro", ("Exposure",)
)


@pytest.mark.parametrize(
    "message",
    [
        ReadAll(1),
        ReadOne(6, "Gain"),
        SetValue(2, "Gain", 1.5),
        SetValue(3, "Mode", "fast"),
        RunCommand(4, "Reset"),
        ForceLightOff(5, True),
    ],
)
def test_requests_come_back_equal(message: ReadAll) -> None:
    assert decode_request(encode_control(message)) == message


@pytest.mark.parametrize(
    "message", [Reply(1), Reply(2, (FULL,), True), Reply(3, (), False, Failed("media", "no"))]
)
def test_replies_come_back_equal(message: Reply) -> None:
    assert decode_reply(encode_control(message)) == message


def test_a_long_list_is_split_into_messages_that_fit() -> None:
    many = [LiveParameter(f"p{i}", "text", help="x" * 900) for i in range(300)]
    failed = Failed("media", "no")

    parts = list(replies(7, many, failed))

    assert len(parts) > 2
    assert all(len(encode_control(part)) <= MAX_MESSAGE_BYTES for part in parts)
    assert [part.has_more for part in parts] == [True] * (len(parts) - 1) + [False]
    assert [part.failed for part in parts] == [None] * (len(parts) - 1) + [failed]
    assert [one for part in parts for one in part.parameters] == many


def test_a_parameter_that_fits_into_no_message_hides_no_other() -> None:
    huge = LiveParameter("huge", "text", help="x" * MAX_MESSAGE_BYTES)
    (part,) = replies(1, [FULL, huge, FULL], None)
    assert part.parameters == (FULL, FULL)


def test_an_empty_list_is_answered_all_the_same() -> None:
    assert list(replies(1, [], None)) == [Reply(1)]


@pytest.mark.parametrize("data", [b"", b"\xc1", encode_control(Reply(1))])
def test_a_request_that_is_nonsense_is_refused(data: bytes) -> None:
    with pytest.raises(msgspec.DecodeError):
        decode_request(data)
