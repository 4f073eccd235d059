"""Whatever comes over a control line: an answer, or one clear error, in time."""

import contextlib
import threading
from typing import Any

import msgspec
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.drivers.control import ControlLine
from engine.drivers.control_messages import Reply, encode_control
from engine.drivers.live import LiveParameter
from engine.drivers.messages import Failed
from engine.errors import BrokenError, EngineError
from engine.process import MAX_MESSAGE_BYTES, Channel

GOOD = encode_control(
    Reply(
        1,
        (
            LiveParameter("a", "integer", value=1, minimum=0, maximum=9, step=2),
            LiveParameter("b", "choice", value="x", choices=("x", "y"), affects=("a",)),
        ),
        failed=Failed("media", "no", {"file": "x"}),
    )
)


@st.composite
def damaged(draw: st.DrawFn) -> bytes:
    """A good reply with bytes changed, cut off or added."""
    data = bytearray(GOOD)
    for _ in range(draw(st.integers(1, 6))):
        data[draw(st.integers(0, len(data) - 1))] = draw(st.integers(0, 255))
    return bytes(data[: draw(st.integers(1, len(data)))]) + draw(st.binary(max_size=8))


TREES: Any = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**64 - 1)
    | st.floats()
    | st.text(max_size=9),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=9), inner),
    max_leaves=12,
)
FIELDS = st.sampled_from(["name", "kind", "value", "minimum", "step", "choices", "access"])


@st.composite
def strange(draw: st.DrawFn) -> bytes:
    """A reply of the right form whose parameters hold anything."""
    base = {"name": "a", "kind": "integer"}
    parameters = [base | draw(st.dictionaries(FIELDS, TREES, max_size=4)) for _ in range(2)]
    return msgspec.msgpack.encode({"type": "reply", "number": 1, "parameters": parameters})


def answered(data: bytes) -> None:
    """Ask once of somebody who answers with `data`, then use what was understood."""
    ours, theirs = Channel.pair()
    line = ControlLine(
        ours, device="the device", why_gone=lambda: BrokenError("gone"), timeout_s=0.02
    )
    peer = Channel(theirs)
    try:
        peer.send_bytes(data[:MAX_MESSAGE_BYTES])
        for use in (line.parameters, lambda: line.set_value("a", 3), line.read_all):
            with contextlib.suppress(EngineError):  # nothing else may come out
                use()
    finally:
        line.close()
        peer.close()


@settings(max_examples=40, deadline=None)
@given(damaged() | strange() | st.binary(min_size=1, max_size=200))
def test_no_answer_breaks_more_than_the_question(data: bytes) -> None:
    before = threading.active_count()
    answered(data)
    assert threading.active_count() == before


def test_the_good_answer_is_understood() -> None:
    ours, theirs = Channel.pair()
    line = ControlLine(ours, device="d", why_gone=lambda: BrokenError("gone"), timeout_s=5)
    peer = Channel(theirs)
    peer.send_bytes(GOOD.replace(b"failed", b"ignore"))
    assert [one.name for one in line.parameters()] == ["a", "b"]
    line.close()
    peer.close()
