"""Parameters of a connected device: they have values, and change while frames come.

A driver publishes them (`BaseDriver.live_parameters`); the engine checks every change against what
was published last, before it disturbs the device.
"""

import math
from collections.abc import Sequence
from typing import ClassVar

import msgspec

from engine.config import ParameterValue
from engine.errors import InvalidArgumentError
from engine.protocol import DeviceInfo

__all__ = (
    "DeviceInfo",
    "LiveParameter",
    "ParameterAccessError",
    "ParameterRangeError",
    "ParameterTypeError",
    "UnknownParameterError",
    "check_command",
    "check_readable",
    "check_value",
    "coerced",
    "damage",
    "find_parameter",
)

_KINDS = ("boolean", "choice", "command", "integer", "number", "text")
_ACCESS = ("na", "ro", "rw", "wo")
_CHOICES_LIMIT = 4096
_BOOLEANS = {
    **dict.fromkeys(("true", "on", "yes", "1"), True),
    **dict.fromkeys(("false", "off", "no", "0"), False),
}


class LiveParameter(msgspec.Struct, frozen=True, omit_defaults=True):
    """A parameter of a connected device as it stands now.

    Attributes
    ----------
    kind : "integer", "number", "boolean", "choice", "text" or "command".
    value : what it is now; None for commands and for what cannot be read.
    minimum, maximum : inclusive limits of numbers.
    step : numbers are `minimum` plus a multiple of it; None or 0 when any number will do.
    access : "rw", "ro", "wo", or "na" while the device does not offer it.
    affects : names of parameters whose value, limits or access may change with this one.
    affects_references : a reference measured with another value does not fit.
    """

    name: str
    kind: str
    label: str = ""
    value: str | int | float | bool | None = None
    unit: str = ""
    help: str = ""
    minimum: int | float | None = None
    maximum: int | float | None = None
    step: int | float | None = None
    choices: tuple[str, ...] = ()
    access: str = "rw"
    affects: tuple[str, ...] = ()
    affects_references: bool = False


class UnknownParameterError(InvalidArgumentError, RuntimeError):
    """The device has no parameter of that name."""

    code: ClassVar[str] = "parameter_unknown"


class ParameterTypeError(InvalidArgumentError, RuntimeError):
    """The value is of the wrong type, or the parameter is no command."""

    code: ClassVar[str] = "parameter_type"


class ParameterRangeError(InvalidArgumentError, RuntimeError):
    """The value is outside the limits that the parameter has now."""

    code: ClassVar[str] = "parameter_range"


class ParameterAccessError(InvalidArgumentError, RuntimeError):
    """The parameter cannot be read or written now."""

    code: ClassVar[str] = "parameter_access"


def find_parameter(parameters: Sequence[LiveParameter], name: str, *, device: str) -> LiveParameter:
    """Return the parameter of that name; raises `UnknownParameterError`."""
    for parameter in parameters:
        if parameter.name == name:
            return parameter
    known = ", ".join(one.name for one in parameters[:12]) or "none"
    more = ", ..." if len(parameters) > 12 else ""
    raise UnknownParameterError(
        f"{device} has no parameter {name!r}; it has {known}{more}", parameter=name
    )


def check_value(parameter: LiveParameter, value: ParameterValue, *, device: str) -> None:
    """Refuse a value that the parameter cannot take now.

    Raises
    ------
    ParameterAccessError, ParameterTypeError, ParameterRangeError
        In this order: it is not writable, the value is of the wrong type, it is out of range.
    """
    _check_writable(parameter, device)
    if problem := _type_problem(parameter, value):
        raise ParameterTypeError(
            f"parameter {parameter.name!r} of {device} {problem}, not {value!r}",
            parameter=parameter.name,
        )
    if problem := _range_problem(parameter, value):
        raise ParameterRangeError(
            f"parameter {parameter.name!r} of {device} {problem}, not {value!r}",
            parameter=parameter.name,
        )


def check_command(parameter: LiveParameter, *, device: str) -> None:
    """Refuse to run what is no command, or not available now."""
    if parameter.kind != "command":
        raise ParameterTypeError(
            f"parameter {parameter.name!r} of {device} is no command; set its value instead",
            parameter=parameter.name,
        )
    _check_writable(parameter, device)


def check_readable(parameter: LiveParameter, *, device: str) -> None:
    """Refuse to read what cannot be read now; raises `ParameterAccessError`."""
    if parameter.kind == "command" or parameter.access not in ("ro", "rw"):
        raise ParameterAccessError(
            f"parameter {parameter.name!r} of {device} cannot be read now",
            parameter=parameter.name,
        )


def coerced(parameter: LiveParameter, value: ParameterValue) -> ParameterValue:
    """Return a value that came as text, or as another kind of number, as the parameter's kind.

    What does not stand for such a value is returned as it is, for `check_value` to refuse.
    """
    if isinstance(value, str) and parameter.kind in ("integer", "number", "boolean"):
        if parameter.kind == "boolean":
            return _BOOLEANS.get(value.lower(), value)
        try:
            return int(value) if parameter.kind == "integer" else float(value)
        except ValueError:
            return value
    if parameter.kind == "number" and isinstance(value, int) and not isinstance(value, bool):
        return float(value)
    is_whole = isinstance(value, float) and value.is_integer()
    if parameter.kind == "integer" and is_whole and isinstance(value, float):
        return int(value)
    return value


def damage(parameter: LiveParameter) -> str:
    """Return what makes no sense about a parameter that a driver sent, empty when all does."""
    if parameter.kind not in _KINDS:
        return f"parameter {parameter.name!r} is of the unknown kind {parameter.kind!r}"
    if parameter.access not in _ACCESS:
        return f"parameter {parameter.name!r} has the unknown access {parameter.access!r}"
    numbers = (parameter.minimum, parameter.maximum, parameter.step, parameter.value)
    if any(isinstance(one, float) and math.isnan(one) for one in numbers):
        return f"parameter {parameter.name!r} has a limit or value that is not a number"
    if not parameter.name or len(parameter.choices) > _CHOICES_LIMIT:
        return f"parameter {parameter.name!r} has no name or too many choices"
    return ""


def _check_writable(parameter: LiveParameter, device: str) -> None:
    if parameter.access not in ("rw", "wo"):
        why = "is read-only now" if parameter.access == "ro" else "is not available now"
        raise ParameterAccessError(
            f"parameter {parameter.name!r} of {device} {why}; what it depends on may release it, "
            f"or stopping the acquisition",
            parameter=parameter.name,
        )


def _type_problem(parameter: LiveParameter, value: ParameterValue) -> str:
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    match parameter.kind:
        case "boolean":
            return "" if isinstance(value, bool) else "is true or false"
        case "integer":
            return "" if is_number and isinstance(value, int) else "is a whole number"
        case "number":
            return "" if is_number and math.isfinite(float(str(value))) else "is a finite number"
        case "command":
            return "is a command, which is run and has no value"
        case _:
            return "" if isinstance(value, str) else "is a text"


def _range_problem(parameter: LiveParameter, value: ParameterValue) -> str:
    if parameter.kind == "choice":
        known = parameter.choices
        return "" if value in known else f"is {' or '.join(known) or 'nothing at present'}"
    if isinstance(value, bool) or not isinstance(value, int | float):
        return ""
    unit = f" {parameter.unit}" if parameter.unit else ""
    if parameter.minimum is not None and value < parameter.minimum:
        return f"is at least {parameter.minimum:g}{unit}"
    if parameter.maximum is not None and value > parameter.maximum:
        return f"is at most {parameter.maximum:g}{unit}"
    base = parameter.minimum or 0
    if parameter.kind == "integer" and parameter.step and (value - base) % parameter.step:
        return f"goes in steps of {parameter.step:g} from {base:g}"
    return ""
