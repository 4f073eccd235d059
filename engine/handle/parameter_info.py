"""The class `ParameterInfo`: the parameters of a driver or device."""
# ruff: noqa: N802, N803, N815 - the published names are camelCase

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from enum import IntEnum

from engine.config import ParameterValue
from engine.drivers import LiveParameter
from engine.handle._arguments import is_text, whole_number
from engine.handle.errors import ArgumentError
from engine.protocol import DriverParameter

__all__ = ("LiveParameterInfo", "ParameterInfo", "typed_parameters")

_TRUE = ("True", "On", "Yes", "1")
_FALSE = ("False", "Off", "No", "0")


class ParameterInfo:
    """Describes parameters; every question takes a parameter's index or name."""

    class AccessMode(IntEnum):
        """Whether a parameter can be read (1) and written (2)."""

        NotAvailable = 0
        ReadOnly = 1
        WriteOnly = 2
        ReadWrite = 3

    class Type(IntEnum):
        """What the values of a parameter are."""

        Unknown = -1
        Boolean = 0
        Integer = 1
        Float = 2
        Enumeration = 3
        Command = 4
        String = 5
        File = 6

    @dataclass(frozen=True)
    class EnumerationEntry:
        """One of the values of an enumeration."""

        name: str
        value: int
        displayName: str | None = None

        def effectiveDisplayName(self) -> str:
            """Return the name for people."""
            return self.name if self.displayName is None else self.displayName

    @dataclass(frozen=True)
    class Parameter:
        """Everything about one parameter."""

        name: str
        type: "ParameterInfo.Type"
        accessMode: "ParameterInfo.AccessMode"
        displayName: str
        defaultValue: ParameterValue
        minimum: float | None
        maximum: float | None
        unit: str
        isRequired: bool
        enumerationEntries: tuple["ParameterInfo.EnumerationEntry", ...]
        step: float | None = None
        description: str = ""

    def __init__(self, rawInfo: Sequence[DriverParameter]) -> None:
        self._raw = tuple(rawInfo)

    @property
    def _parameters(self) -> "tuple[ParameterInfo.Parameter, ...]":
        return tuple(_described(one) for one in self._raw)

    def parameterCount(self) -> int:
        """Return the number of parameters."""
        return len(self._parameters)

    def parameterNames(self) -> tuple[str, ...]:
        """Return the names of all parameters."""
        return tuple(one.name for one in self._parameters)

    def parameter(self, parameter: int | str) -> "ParameterInfo.Parameter":
        """Return everything about a parameter.

        Raises
        ------
        ArgumentError
            When there is none of that index or name.
        """
        parameters = self._parameters
        if isinstance(parameter, str):
            for one in parameters:
                if one.name == parameter:
                    return one
            known = ", ".join(self.parameterNames()) or "none"
            raise ArgumentError(f"there is no parameter {parameter!r}; there are {known}")
        index = whole_number(parameter, "a parameter")
        if not 0 <= index < len(parameters):
            raise ArgumentError(f"a parameter's index is 0 to {len(parameters) - 1}, not {index}")
        return parameters[index]

    def affectedParameters(self, parameter: int | str) -> tuple[str, ...]:
        """Return which other parameters may change with this one; none before connecting."""
        self.parameter(parameter)
        return ()


class LiveParameterInfo(ParameterInfo):
    """Describes the parameters of a connected device as they are at the moment of the question.

    Parameters
    ----------
    read : returns the parameters as they were told last.
    """

    def __init__(self, read: Callable[[], Sequence[LiveParameter]]) -> None:
        super().__init__(())
        self._read = read

    @property
    def _parameters(self) -> tuple[ParameterInfo.Parameter, ...]:
        return tuple(_live(one) for one in self._read())

    def affectedParameters(self, parameter: int | str) -> tuple[str, ...]:
        """Return which other parameters may change with this one."""
        name = self.parameter(parameter).name
        return next((one.affects for one in self._read() if one.name == name), ())


_KINDS = {
    "boolean": ParameterInfo.Type.Boolean,
    "integer": ParameterInfo.Type.Integer,
    "number": ParameterInfo.Type.Float,
    "choice": ParameterInfo.Type.Enumeration,
    "text": ParameterInfo.Type.String,
    "path": ParameterInfo.Type.File,
    "folder": ParameterInfo.Type.File,
    "command": ParameterInfo.Type.Command,
    "secret": ParameterInfo.Type.String,
    "url": ParameterInfo.Type.String,
}
_ACCESS = {
    "na": ParameterInfo.AccessMode.NotAvailable,
    "ro": ParameterInfo.AccessMode.ReadOnly,
    "wo": ParameterInfo.AccessMode.WriteOnly,
    "rw": ParameterInfo.AccessMode.ReadWrite,
}


def typed_parameters(
    known: Sequence[DriverParameter], given: Mapping[str, str]
) -> dict[str, ParameterValue]:
    """Turn the texts of connection parameters into values; limits are checked by the driver host.

    Raises
    ------
    ArgumentError
        When a text does not stand for a value of the parameter's type.
    """
    kinds = {parameter.name: parameter for parameter in known}
    values: dict[str, ParameterValue] = {}
    for name, text in given.items():
        if not is_text(text):
            raise ArgumentError(f"connection parameters are texts, {name!r} has {text!r}")
        parameter = kinds.get(name)
        values[name] = text if parameter is None else _typed(parameter, text)
    return values


def _typed(parameter: DriverParameter, text: str) -> ParameterValue:
    problem = ""
    try:
        match parameter.kind:
            case "boolean" if text in (*_TRUE, *_FALSE):
                return text in _TRUE
            case "boolean":
                problem = f"is {', '.join((*_TRUE, *_FALSE))}"
            case "integer":
                return _integer(text)
            case "number":
                return float(text)
            case _:
                return text
    except ValueError:
        problem = "is a whole number" if parameter.kind == "integer" else "is a number"
    raise ArgumentError(
        f"connection parameter {parameter.name!r} {problem}, not {text!r}",
        parameter=parameter.name,
    )


def _integer(text: str) -> int:
    if not text.removeprefix("-").isdecimal() or not text.isascii():
        raise ValueError(text)
    return int(text)


def _described(parameter: DriverParameter) -> ParameterInfo.Parameter:
    return ParameterInfo.Parameter(
        name=parameter.name,
        type=_KINDS.get(parameter.kind, ParameterInfo.Type.Unknown),
        accessMode=ParameterInfo.AccessMode.ReadWrite,
        displayName=parameter.label or parameter.name,
        defaultValue=parameter.default,
        minimum=parameter.minimum,
        maximum=parameter.maximum,
        unit=parameter.unit,
        isRequired=parameter.is_required,
        enumerationEntries=_entries(parameter.choices),
        description=parameter.help,
    )


def _live(parameter: LiveParameter) -> ParameterInfo.Parameter:
    return ParameterInfo.Parameter(
        name=parameter.name,
        type=_KINDS.get(parameter.kind, ParameterInfo.Type.Unknown),
        accessMode=_ACCESS[parameter.access],
        displayName=parameter.label or parameter.name,
        defaultValue="",
        minimum=parameter.minimum,
        maximum=parameter.maximum,
        unit=parameter.unit,
        isRequired=False,
        enumerationEntries=_entries(parameter.choices),
        step=parameter.step,
        description=parameter.help,
    )


def _entries(choices: Sequence[str]) -> tuple[ParameterInfo.EnumerationEntry, ...]:
    return tuple(
        ParameterInfo.EnumerationEntry(name, number) for number, name in enumerate(choices)
    )
