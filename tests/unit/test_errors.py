"""Every error is a sentence with plain details and a code, and survives every kind of travel."""

import copy
import importlib
import pickle
import re
from pathlib import Path

import msgspec
import pytest

import engine
from engine import errors
from engine.errors import EngineError, OutputError, RemoteError, WireError, from_wire, to_wire

DETAILS = {"stream": "street", "signal": 9, "share": 0.5, "is_late": True, "reason": None}


def all_kinds() -> list[type[EngineError]]:
    root = Path(engine.__file__).parent
    for path in sorted(root.rglob("*.py")):
        if re.search(r"^class \w+Error\(", path.read_text(encoding="utf-8"), re.MULTILINE):
            importlib.import_module(".".join(path.relative_to(root.parent).with_suffix("").parts))
    found: list[type[EngineError]] = []
    waiting: list[type[EngineError]] = [EngineError]
    while waiting:
        kind = waiting.pop()
        found.append(kind)
        waiting.extend(k for k in kind.__subclasses__() if k.__module__.startswith("engine."))
    return sorted(set(found), key=lambda kind: kind.__qualname__)


KINDS = all_kinds()


@pytest.fixture(params=KINDS, ids=lambda kind: kind.__name__)
def kind(request: pytest.FixtureRequest) -> type[EngineError]:
    found: type[EngineError] = request.param
    return found


def test_the_message_is_what_people_read(kind: type[EngineError]) -> None:
    error = kind("the stream broke", **DETAILS)
    assert str(error) == error.message == "the stream broke"
    assert error.args == ("the stream broke",)
    assert error.details == DETAILS


@pytest.mark.parametrize("protocol", range(2, pickle.HIGHEST_PROTOCOL + 1))
def test_it_survives_pickling(kind: type[EngineError], protocol: int) -> None:
    error = pickle.loads(pickle.dumps(kind("the stream broke", **DETAILS), protocol))
    assert type(error) is kind
    assert str(error) == "the stream broke"
    assert error.args == ("the stream broke",)
    assert error.details == DETAILS


def test_it_survives_copying(kind: type[EngineError]) -> None:
    error = kind("the stream broke", **DETAILS)
    twin = copy.deepcopy(error)
    assert (type(twin), twin.message, twin.details) == (kind, error.message, error.details)
    assert twin.details is not error.details


def test_it_survives_the_wire(kind: type[EngineError]) -> None:
    data = msgspec.msgpack.encode(to_wire(kind("the stream broke", **DETAILS)))
    error = from_wire(msgspec.msgpack.decode(data, type=WireError))
    assert type(error) is kind
    assert (error.message, error.details) == ("the stream broke", DETAILS)


def test_its_name_ends_in_error_and_its_first_line_is_a_sentence(kind: type[EngineError]) -> None:
    assert kind.__name__.endswith("Error")
    first = (kind.__doc__ or "").splitlines()[0]
    assert first.endswith(".")
    assert kind.__doc__ not in {base.__doc__ for base in kind.__bases__}


def test_it_can_be_raised_with_a_cause(kind: type[EngineError]) -> None:
    cause = KeyError("x")
    error = kind.chained("the stream broke", cause, stream="street")
    assert type(error) is kind
    assert error.__cause__ is cause
    assert error.details == {"stream": "street"}


def test_codes_are_unique() -> None:
    codes = [kind.code for kind in KINDS]
    assert sorted(codes) == sorted(set(codes))


def test_every_kind_has_a_code_of_its_own() -> None:
    assert [kind.__name__ for kind in KINDS if "code" not in vars(kind)] == []


def test_every_error_of_the_tree_is_public() -> None:
    here = {kind.__name__ for kind in KINDS if kind.__module__ == errors.__name__}
    assert here <= set(errors.__all__)


@pytest.mark.parametrize(
    ("name", "builtin"),
    [
        ("EngineTimeoutError", TimeoutError),
        ("DriverTimeoutError", TimeoutError),
        ("DriverDirectoryMissingError", NotADirectoryError),
        ("OutputError", OSError),
        ("LicenseMalformedError", RuntimeError),
        ("ClosedError", RuntimeError),
        ("InvalidArgumentError", ValueError),
    ],
)
def test_published_built_ins_catch_it(name: str, builtin: type[Exception]) -> None:
    assert issubclass(getattr(errors, name), builtin)


def test_an_error_that_is_not_ours_travels_as_text() -> None:
    wire = to_wire(ZeroDivisionError("division by zero"))
    assert wire == WireError("remote", "ZeroDivisionError: division by zero")
    assert type(from_wire(wire)) is RemoteError


def test_a_code_unknown_here_becomes_a_remote_error_with_its_sentence() -> None:
    error = from_wire(WireError("from_the_future", "the flux is empty", {"flux": 0}))
    assert type(error) is RemoteError
    assert (error.message, error.details) == ("the flux is empty", {"flux": 0})


@pytest.mark.parametrize("key", ["message", "self", "code", "not an identifier", ""])
def test_details_from_afar_may_have_any_name(key: str) -> None:
    assert from_wire(WireError("output", "no space", {key: 1})).details == {key: 1}


def test_details_on_the_wire_are_a_copy() -> None:
    error = OutputError("no space", folder="a")
    wire = to_wire(error)
    error.details["folder"] = "b"
    assert wire.details == {"folder": "a"}
