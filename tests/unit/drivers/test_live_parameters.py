"""What may be done with a live parameter, and what is refused with which error."""

from typing import Any

import pytest

from engine.drivers.live import (
    LiveParameter,
    ParameterAccessError,
    ParameterRangeError,
    ParameterTypeError,
    UnknownParameterError,
    check_command,
    check_readable,
    check_value,
    coerced,
    damage,
    find_parameter,
)
from engine.errors import from_wire, to_wire

GAIN = LiveParameter("gain", "integer", value=4, minimum=2, maximum=10, step=2, unit="dB")
EXPOSURE = LiveParameter("exposure", "number", value=1.0, minimum=0.5, maximum=9.5)
MODE = LiveParameter("mode", "choice", value="a", choices=("a", "b"))
SWITCH = LiveParameter("switch", "boolean", value=True)
NAME = LiveParameter("name", "text", value="x")
RESET = LiveParameter("reset", "command", access="wo")


@pytest.mark.parametrize(
    ("parameter", "value"),
    [
        (GAIN, 2),
        (GAIN, 10),
        (EXPOSURE, 0.5),
        (EXPOSURE, 9),
        (MODE, "b"),
        (SWITCH, False),
        (NAME, ""),
    ],
)
def test_a_value_within_the_limits_is_taken(parameter: LiveParameter, value: Any) -> None:
    check_value(parameter, value, device="camera")


@pytest.mark.parametrize(
    ("parameter", "value", "kind", "words"),
    [
        (GAIN, 4.0, ParameterTypeError, "whole number"),
        (GAIN, True, ParameterTypeError, "whole number"),
        (GAIN, "4", ParameterTypeError, "whole number"),
        (GAIN, 0, ParameterRangeError, "at least 2 dB"),
        (GAIN, 12, ParameterRangeError, "at most 10 dB"),
        (GAIN, 5, ParameterRangeError, "steps of 2"),
        (GAIN, 10**400, ParameterRangeError, "at most 10"),
        (EXPOSURE, float("nan"), ParameterTypeError, "finite"),
        (EXPOSURE, float("inf"), ParameterTypeError, "finite"),
        (EXPOSURE, 0.4, ParameterRangeError, "at least 0.5"),
        (EXPOSURE, 10**400, ParameterTypeError, "finite"),
        (MODE, "c", ParameterRangeError, "a or b"),
        (MODE, 0, ParameterTypeError, "text"),
        (SWITCH, 1, ParameterTypeError, "true or false"),
        (RESET, 1, ParameterTypeError, "command"),
        (LiveParameter("x", "text", access="ro"), "y", ParameterAccessError, "read-only"),
        (LiveParameter("x", "text", access="na"), "y", ParameterAccessError, "not available"),
    ],
)
def test_each_kind_of_wrong_value_has_its_own_error(
    parameter: LiveParameter, value: Any, kind: type[Exception], words: str
) -> None:
    with pytest.raises(kind, match=words):
        check_value(parameter, value, device="camera")


def test_an_unknown_name_is_told_with_those_there_are() -> None:
    with pytest.raises(UnknownParameterError, match="it has gain, mode"):
        find_parameter([GAIN, MODE], "gian", device="camera")


def test_a_command_is_run_and_a_value_is_read() -> None:
    check_command(RESET, device="camera")
    check_readable(GAIN, device="camera")
    with pytest.raises(ParameterTypeError):
        check_command(GAIN, device="camera")
    with pytest.raises(ParameterAccessError):
        check_readable(RESET, device="camera")
    with pytest.raises(ParameterAccessError):
        check_readable(LiveParameter("x", "text", access="wo"), device="camera")


@pytest.mark.parametrize(
    ("parameter", "given", "value"),
    [
        (GAIN, "4", 4),
        (GAIN, 4.0, 4),
        (GAIN, 4.5, 4.5),
        (GAIN, "four", "four"),
        (EXPOSURE, 3, 3.0),
        (EXPOSURE, "1e-3", 0.001),
        (SWITCH, "True", True),
        (SWITCH, "Off", False),
        (SWITCH, "1", True),
        (SWITCH, "maybe", "maybe"),
        (NAME, "4", "4"),
    ],
)
def test_texts_of_project_files_become_values_of_the_parameters_kind(
    parameter: LiveParameter, given: Any, value: Any
) -> None:
    found = coerced(parameter, given)
    assert (found, type(found)) == (value, type(value))


@pytest.mark.parametrize(
    "wrong",
    [
        LiveParameter("x", "pointer"),
        LiveParameter("x", "text", access="all"),
        LiveParameter("", "text"),
        LiveParameter("x", "number", minimum=float("nan")),
        LiveParameter("x", "number", value=float("nan")),
        LiveParameter("x", "choice", choices=("a",) * 5000),
    ],
)
def test_a_parameter_that_makes_no_sense_is_noticed(wrong: LiveParameter) -> None:
    assert damage(wrong)
    assert damage(GAIN) == ""


@pytest.mark.parametrize(
    "kind", [UnknownParameterError, ParameterTypeError, ParameterRangeError, ParameterAccessError]
)
def test_the_errors_keep_their_class_between_processes(kind: Any) -> None:
    assert type(from_wire(to_wire(kind("no", parameter="x")))) is kind
    assert issubclass(kind, RuntimeError)
    assert issubclass(kind, ValueError)
