"""Checks values typed for the parameters of a driver."""

from engine.config import ParameterValue
from engine.protocol import DriverParameter

__all__ = ("changed_values", "check_value")


def check_value(parameter: DriverParameter, value: ParameterValue) -> str:
    """Return what is wrong with a value as a sentence, empty when nothing is."""
    if parameter.kind in ("integer", "number"):
        return _check_number(parameter, value)
    if parameter.kind == "choice" and parameter.choices and value not in parameter.choices:
        return f"Choose one of {', '.join(parameter.choices)}."
    if parameter.is_required and not str(value).strip():
        return _missing(parameter)
    return ""


def changed_values(
    parameters: tuple[DriverParameter, ...],
    values: dict[str, ParameterValue],
    before: dict[str, ParameterValue],
) -> dict[str, ParameterValue]:
    """Return the source settings to store: what was said before or differs from the default."""
    kept: dict[str, ParameterValue] = {}
    for parameter in parameters:
        value = values.get(parameter.name, parameter.default)
        if parameter.name in before or value != parameter.default:
            kept[parameter.name] = value
    return kept


def _missing(parameter: DriverParameter) -> str:
    if parameter.kind == "path":
        return "Choose a file."
    if parameter.kind == "folder":
        return "Choose a folder."
    return f"{parameter.label} is needed."


def _check_number(parameter: DriverParameter, value: ParameterValue) -> str:
    if isinstance(value, bool) or not isinstance(value, int | float):
        return f"{parameter.label} is a number."
    low, high = parameter.minimum, parameter.maximum
    is_low = low is not None and value < low
    is_high = high is not None and value > high
    if not (is_low or is_high):
        return ""
    unit = f" {parameter.unit}" if parameter.unit else ""
    if low is not None and high is not None:
        return f"Choose {low:g} to {high:g}{unit}."
    return f"Choose {low:g}{unit} or more." if is_low else f"Choose {high:g}{unit} or less."
