"""Turns msgspec's complaints about a project file into sentences that name the field."""

import difflib
import re
from collections.abc import Mapping
from enum import Enum
from typing import Any

import msgspec
from msgspec import inspect

from engine.errors import ConfigError

__all__ = ("explain",)

_WORDS = {
    "array": "a list",
    "bool": "true or false",
    "date": "a date",
    "datetime": "a date with time",
    "float": "a number",
    "int": "a whole number",
    "object": "a table",
    "str": "text",
    "time": "a time",
}
_UNKNOWN = re.compile(r"Object contains unknown field `(.*)`$", re.DOTALL)
_MISSING = re.compile(r"Object missing required field `(.*)`$", re.DOTALL)
_TYPES = re.compile(r"Expected `(.*)`, got `(.*)`$", re.DOTALL)
_STEP = re.compile(r"\.([^.\[]+)|\[([^\]]*)\]")


def explain(
    error: msgspec.ValidationError, raw: object, kind: type[msgspec.Struct], source: str
) -> ConfigError:
    """Return an error that names the field first.

    Parameters
    ----------
    error : what `msgspec.convert` raised for `raw` and `kind`.
    raw : the value as it was read from the file.
    source : names the file.
    """
    problem, _, found = str(error).rpartition(" - at `$")
    if not problem:
        problem, found = str(error), "`"
    path, where = _walk(found.removesuffix("`"), raw, inspect.type_info(kind))
    names = [field.encode_name for field in getattr(where, "fields", ())]
    field, sentence = _sentence(problem, path, where, names)
    return ConfigError(f"{source}: {sentence}", file=source, path=field)


def _sentence(
    problem: str, path: str, where: inspect.Type | None, names: list[str]
) -> tuple[str, str]:
    """Return the field's path and a sentence about it."""
    if match := _UNKNOWN.match(problem):
        field = _join(path, match[1])
        near = difflib.get_close_matches(match[1], names, n=1)
        hint = f"did you mean {near[0]!r}?" if near else "remove it or correct its name"
        return field, f"unknown key {field!r}; {hint}"
    if match := _MISSING.match(problem):
        field = _join(path, match[1])
        return field, f"{field!r} is missing; add it"
    if match := _TYPES.match(problem):
        wanted = _in_words(match[1].split(" | "))
        return path, f"{path}: expected {wanted}, got {_in_words([match[2]])}"
    if isinstance(where, inspect.EnumType):
        return path, f"{path}: {_choices(problem, where.cls)}"
    first, _, _ = problem.partition(" ")
    if first in names:  # a rule of the struct, which begins with the field it is about
        return _join(path, first), _join(path, problem)
    return path, f"{path}: {problem}" if path else problem


def _walk(found: str, raw: object, kind: inspect.Type) -> tuple[str, inspect.Type | None]:
    """Follow msgspec's path; return it as the file spells it, and the type of the last step."""
    path = ""
    where: inspect.Type | None = kind
    for name, index in _STEP.findall(found):
        if name:
            path = _join(path, name)
            where = _field_type(where, name)
            raw = raw.get(name) if isinstance(raw, Mapping) else None
        elif index.isdecimal():
            path = f"{path}[{index}]"
            where = getattr(where, "item_type", None)
            raw = raw[int(index)] if isinstance(raw, list) else None
        elif isinstance(where, inspect.DictType) and isinstance(raw, Mapping):
            key = _bad_key(raw)
            path, where, raw = _join(path, key), where.value_type, raw.get(key)
    return path, where


def _field_type(where: inspect.Type | None, name: str) -> inspect.Type | None:
    fields = getattr(where, "fields", ())
    return next((field.type for field in fields if field.encode_name == name), None)


def _bad_key(raw: Mapping[str, Any]) -> str:
    """Return the first key whose value is neither a plain value nor a list of such."""
    plain = (str, int, float, bool)
    for key, value in raw.items():
        values = value if isinstance(value, list) else [value]
        if not all(isinstance(one, plain) for one in values):
            return key
    return "..."


def _choices(problem: str, kind: type[Enum]) -> str:
    given = problem.removeprefix("Invalid enum value ")
    names = [repr(str(member.value)) for member in kind]
    near = difflib.get_close_matches(given.strip("'"), [n.strip("'") for n in names], n=1)
    hint = f"; did you mean {near[0]!r}?" if near else ""
    return f"{given} is not one of {', '.join(names)}{hint}"


def _in_words(kinds: list[str]) -> str:
    hidden = {"null", "int"} if "float" in kinds else {"null"}
    words = [_WORDS.get(kind, kind) for kind in kinds if kind not in hidden]
    return " or ".join([", ".join(words[:-1]), words[-1]] if len(words) > 1 else words)


def _join(path: str, name: str) -> str:
    return f"{path}.{name}" if path else name
