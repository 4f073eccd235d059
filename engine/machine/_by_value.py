"""Pickle what a worker cannot find by name: functions of an interactive session, lambdas."""

import builtins
import importlib
import io
import marshal
import pickle
import sys
from collections.abc import Callable
from types import CellType, CodeType, FunctionType, ModuleType
from typing import Any

__all__ = ("dumps_by_value",)

_MAIN = {"__main__", "__mp_main__"}
Parts = dict[str, Any]


def dumps_by_value(
    what: object, buffer_callback: Callable[[pickle.PickleBuffer], object] | None
) -> bytes:
    """Pickle `what`; functions that have no importable name travel as code.

    With a function go the global names and closed-over values that it uses. Classes of the main
    program still travel by name.
    """
    file = io.BytesIO()
    _Pickler(file, protocol=5, buffer_callback=buffer_callback).dump(what)
    return file.getvalue()


class _Pickler(pickle.Pickler):
    def reducer_override(self, obj: Any) -> Any:  # noqa: ANN401 - pickle's interface
        if isinstance(obj, ModuleType):
            return importlib.import_module, (obj.__name__,)
        if type(obj) is FunctionType and not _is_importable(obj):
            return _reduce(obj)
        return NotImplemented


def _is_importable(function: FunctionType) -> bool:
    if function.__module__ in _MAIN:
        return False
    found: Any = sys.modules.get(function.__module__ or "")
    for name in function.__qualname__.split("."):
        found = getattr(found, name, None)
    return found is function


def _reduce(function: FunctionType) -> tuple[object, ...]:
    cells = function.__closure__ or ()
    state: Parts = {
        "globals": _used_globals(function),
        "cells": [cell.cell_contents if _is_set(cell) else _EMPTY for cell in cells],
        "defaults": function.__defaults__,
        "kwdefaults": function.__kwdefaults__,
        "dict": function.__dict__,
        "qualname": function.__qualname__,
    }
    code = marshal.dumps(function.__code__)
    made_from = (code, function.__name__, function.__module__, len(cells))
    # The function is made first and filled later, so that it may refer to itself.
    return _make, made_from, state, None, None, _fill


def _used_globals(function: FunctionType) -> Parts:
    names = _names_in(function.__code__)
    return {name: value for name, value in function.__globals__.items() if name in names}


def _names_in(code: CodeType) -> set[str]:
    names = set(code.co_names)
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            names |= _names_in(constant)
    return names


_EMPTY = "engine.machine: this variable has no value yet"


def _is_set(cell: CellType) -> bool:
    try:
        _ = cell.cell_contents
    except ValueError:
        return False
    return True


def _make(code: bytes, name: str, module: str, cells: int) -> FunctionType:
    space = {"__builtins__": builtins, "__name__": module}
    closure = tuple(CellType() for _ in range(cells))
    return FunctionType(marshal.loads(code), space, name, None, closure)  # noqa: S302 - from our parent


def _fill(function: FunctionType, state: Parts) -> None:
    function.__globals__.update(state["globals"])
    for cell, value in zip(function.__closure__ or (), state["cells"], strict=True):
        if not (isinstance(value, str) and value == _EMPTY):
            cell.cell_contents = value
    function.__defaults__ = state["defaults"]
    function.__kwdefaults__ = state["kwdefaults"]
    function.__dict__.update(state["dict"])
    function.__qualname__ = state["qualname"]
