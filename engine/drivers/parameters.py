"""Checks the parameters of a driver against its manifest, before any of its code runs."""

import difflib
import math
from collections.abc import Mapping
from pathlib import Path

from engine.config import ParameterValue
from engine.drivers.manifest import DriverEntry
from engine.errors import InvalidArgumentError
from engine.protocol import DriverParameter

__all__ = ("complete_parameters", "number", "resolve_paths", "single_path")

_PATH_KINDS = ("path", "folder")
_TEXT_KINDS = ("text", "secret", "url")


def complete_parameters(
    entry: DriverEntry, parameters: Mapping[str, ParameterValue]
) -> dict[str, ParameterValue]:
    """Return all parameters of the driver: the given ones checked, the others by default.

    Raises
    ------
    InvalidArgumentError
        When a parameter is unknown, missing, of the wrong type or out of range. A driver that
        `has_own_parameters` is given unknown ones as they are.
    """
    known = {parameter.name: parameter for parameter in entry.parameters}
    own = {name: value for name, value in parameters.items() if name not in known}
    for name in own:
        if not entry.has_own_parameters:
            near = difflib.get_close_matches(name, known, n=1)
            hint = f"did you mean {near[0]!r}?" if near else f"it has {', '.join(known) or 'none'}"
            raise InvalidArgumentError(
                f"driver {entry.name!r} has no parameter {name!r}; {hint}",
                driver=entry.name,
                parameter=name,
            )
    return {
        name: _checked(entry.name, parameter, parameters.get(name, parameter.default))
        for name, parameter in known.items()
    } | own


def resolve_paths(
    entry: DriverEntry, parameters: Mapping[str, ParameterValue], folder: Path
) -> dict[str, ParameterValue]:
    """Return the parameters with relative paths counted from `folder` (the project file's)."""
    kinds = {parameter.name: parameter.kind for parameter in entry.parameters}
    return {
        name: _resolved(value, folder) if kinds.get(name) in _PATH_KINDS else value
        for name, value in parameters.items()
    }


def single_path(parameters: Mapping[str, ParameterValue], name: str) -> Path:
    """Return a path parameter that must be one path, for use in a driver's `open`.

    Raises
    ------
    InvalidArgumentError
        When it is a list.
    """
    value = parameters[name]
    if not isinstance(value, str):
        raise InvalidArgumentError(f"parameter {name!r} takes one path, not a list", parameter=name)
    return Path(value)


def number(parameters: Mapping[str, ParameterValue], name: str) -> float:
    """Return a parameter that was checked to be a number, for use in a driver's `open`."""
    value = parameters[name]
    if not isinstance(value, int | float):
        raise InvalidArgumentError(f"parameter {name!r} is a number", parameter=name)
    return float(value)


def _resolved(value: ParameterValue, folder: Path) -> ParameterValue:
    if isinstance(value, str):
        return str(folder / Path(value).expanduser()) if value else value
    if isinstance(value, list):
        return [str(folder / Path(item).expanduser()) for item in value if isinstance(item, str)]
    return value


def _checked(driver: str, parameter: DriverParameter, value: ParameterValue) -> ParameterValue:
    if value in ("", []):
        if parameter.is_required:
            raise InvalidArgumentError(
                f"driver {driver!r} needs the parameter {parameter.name!r} ({parameter.label})",
                driver=driver,
                parameter=parameter.name,
            )
        if parameter.kind in (*_PATH_KINDS, *_TEXT_KINDS):
            return value
    problem = _problem(parameter, value)
    if problem:
        is_private = parameter.kind in ("secret", "url")  # it may hold a password
        found = f"a {type(value).__name__}" if is_private else repr(value)
        raise InvalidArgumentError(
            f"parameter {parameter.name!r} of driver {driver!r} {problem}, not {found}",
            driver=driver,
            parameter=parameter.name,
        )
    return value


def _problem(parameter: DriverParameter, value: ParameterValue) -> str:
    match parameter.kind:
        case "path" | "folder":
            items = value if isinstance(value, list) else [value]
            return "" if all(isinstance(item, str) and item for item in items) else "is a path"
        case "boolean":
            return "" if isinstance(value, bool) else "is true or false"
        case "choice":
            return "" if value in parameter.choices else f"is {' or '.join(parameter.choices)}"
        case "integer" | "number":
            return _number_problem(parameter, value)
        case _:
            return "" if isinstance(value, str) else "is a text"


def _number_problem(parameter: DriverParameter, value: ParameterValue) -> str:
    is_integer = parameter.kind == "integer"
    if isinstance(value, bool) or not isinstance(value, int if is_integer else int | float):
        return "is a whole number" if is_integer else "is a number"
    unit = f" {parameter.unit}" if parameter.unit else ""
    if not math.isfinite(value):
        return "is a finite number"
    if parameter.minimum is not None and value < parameter.minimum:
        return f"is at least {parameter.minimum:g}{unit}"
    if parameter.maximum is not None and value > parameter.maximum:
        return f"is at most {parameter.maximum:g}{unit}"
    return ""
