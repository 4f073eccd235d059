"""Every message reads back from its bytes as it was written, whatever its fields hold."""

import types
from enum import Enum
from functools import cache
from typing import Any, get_args, get_origin, get_type_hints

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from engine import protocol
from engine.config import ProgramSettings, Project, StreamSettings
from engine.errors import WireError
from engine.protocol import AnyCommand, Command, Hello, Reply, Request, Telemetry

COMMANDS = get_args(AnyCommand)
STRUCTS = [
    value
    for name in protocol.__all__
    if isinstance(value := getattr(protocol, name), type)
    and issubclass(value, msgspec.Struct)
    and value is not Command
]

# Structs of the project file have rules; a few that keep them are enough here.
SAMPLES: dict[type, list[Any]] = {
    StreamSettings: [
        StreamSettings("a", "p", "d"),
        StreamSettings("b", "p", "d", {"path": "x", "n": 1, "on": True}, threshold=0.25),
    ],
    Project: [
        Project(),
        Project(
            name="n",
            programs=(ProgramSettings("p", "p.dfp"),),
            streams=(StreamSettings("a", "p", "d", {"rate_hz": 2.5}),),
        ),
    ],
}
PLAIN: dict[Any, st.SearchStrategy[Any]] = {
    int: st.integers(-(2**63), 2**64 - 1),
    float: st.floats(allow_nan=False, allow_infinity=False),
    str: st.text(st.characters(exclude_categories=["Cs"]), max_size=8),
    bool: st.booleans(),
    bytes: st.binary(max_size=8),
    type(None): st.none(),
}


@cache
def values_of(kind: Any) -> st.SearchStrategy[Any]:
    """Return a strategy for a type as it stands in an annotation of a message."""
    if kind in PLAIN:
        return PLAIN[kind]
    if kind in SAMPLES:
        return st.sampled_from(SAMPLES[kind])
    if get_args(kind):
        return _combined(kind, get_args(kind))
    if issubclass(kind, Enum):
        return st.sampled_from(kind)
    if kind.__module__ == "engine.config.processing":
        return st.just(kind())
    hints = get_type_hints(kind)
    return st.builds(kind, **{name: values_of(hints[name]) for name in kind.__struct_fields__})


def _combined(kind: Any, parts: tuple[Any, ...]) -> st.SearchStrategy[Any]:
    if isinstance(kind, types.UnionType):
        return st.one_of([values_of(part) for part in parts])
    if get_origin(kind) is tuple:
        return st.lists(values_of(parts[0]), max_size=2).map(tuple)
    if get_origin(kind) is dict:
        return st.dictionaries(values_of(parts[0]), values_of(parts[1]), max_size=2)
    return st.sampled_from(parts)  # Literal


@pytest.mark.parametrize("kind", STRUCTS, ids=lambda kind: kind.__name__)
@given(data=st.data())
@settings(max_examples=25, suppress_health_check=[HealthCheck.too_slow], deadline=None)
def test_a_message_reads_back_equal(kind: type[msgspec.Struct], data: st.DataObject) -> None:
    message = data.draw(values_of(kind))
    for codec in (msgspec.msgpack, msgspec.json):
        assert codec.decode(codec.encode(message), type=kind) == message


@pytest.mark.parametrize("kind", COMMANDS, ids=lambda kind: kind.__name__)
@given(data=st.data())
@settings(max_examples=10, suppress_health_check=[HealthCheck.too_slow], deadline=None)
def test_a_request_tells_its_command(kind: type[Command], data: st.DataObject) -> None:
    request = Request(7, data.draw(values_of(kind)))
    again = msgspec.msgpack.decode(msgspec.msgpack.encode(request), type=Request)
    assert type(again.command) is kind
    assert again == request


def test_every_command_can_be_requested_and_has_a_verb_of_its_own() -> None:
    public = {kind for kind in STRUCTS if issubclass(kind, Command)}
    assert public == set(COMMANDS)
    verbs = [kind.__struct_config__.tag for kind in COMMANDS]
    assert len(set(verbs)) == len(verbs)
    for kind, verb in zip(COMMANDS, verbs, strict=True):
        assert str(verb).replace("_", "") == kind.__name__.lower()


def test_the_protocol_version_is_the_first_thing_said() -> None:
    data = msgspec.msgpack.encode(Request(1, Hello(protocol.PROTOCOL_VERSION, "test")))
    assert msgspec.msgpack.decode(data)["command"] == {
        "verb": "hello",
        "protocol_version": 1,
        "client": "test",
    }


@pytest.mark.parametrize(
    "command",
    [
        {"verb": "nonsense"},
        {"verb": "start_stream"},
        {"verb": "start_stream", "name": 3},
        {"verb": "start_all", "name": "a"},
        {},
    ],
)
def test_a_command_that_is_not_in_the_protocol_is_refused(command: dict[str, object]) -> None:
    data = msgspec.msgpack.encode({"request_id": 1, "command": command})
    with pytest.raises(msgspec.ValidationError):
        msgspec.msgpack.decode(data, type=Request)


def test_a_project_with_a_contradiction_is_refused_on_the_wire_too() -> None:
    project = {"streams": [{"name": "a", "program": "p", "driver": "d"}]}
    command = {"verb": "set_project", "project": project}
    data = msgspec.msgpack.encode({"request_id": 1, "command": command})
    with pytest.raises(msgspec.ValidationError, match="not among the programs"):
        msgspec.msgpack.decode(data, type=Request)


@given(st.binary(max_size=40))
def test_no_bytes_at_all_cause_anything_but_a_decode_error(data: bytes) -> None:
    for kind in (Request, Reply, Telemetry):
        with pytest.raises(msgspec.DecodeError):
            msgspec.msgpack.decode(data, type=kind)


def test_a_reply_with_an_error_carries_text_and_a_code() -> None:
    reply = Reply(3, error=WireError("output", "no space", {"folder": "a"}))
    assert msgspec.msgpack.decode(msgspec.msgpack.encode(reply), type=Reply) == reply


@pytest.mark.parametrize("kind", STRUCTS, ids=lambda kind: kind.__name__)
def test_messages_cannot_be_changed_after_they_were_made(kind: type[msgspec.Struct]) -> None:
    assert kind.__struct_config__.frozen


@pytest.mark.parametrize("kind", STRUCTS, ids=lambda kind: kind.__name__)
def test_a_field_that_a_newer_peer_adds_is_ignored_except_in_commands(
    kind: type[msgspec.Struct],
) -> None:
    assert kind.__struct_config__.forbid_unknown_fields == issubclass(kind, Command)
