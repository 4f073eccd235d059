"""Refuses to start with Qt bindings that are known to crash, with a sentence that helps."""

import sys
from importlib.metadata import PackageNotFoundError, version

from engine.errors import WrongStateError

__all__ = ("check_bindings", "is_known_bad")


def is_known_bad(binding: str, python: tuple[int, int]) -> bool:
    """Tell whether these bindings abort this Python.

    PySide6 6.12.0 drops a reference of ``True`` with every emitted signal and of ``None`` with
    every call that returns nothing; interpreters before 3.12 then abort within a minute.
    """
    return binding.startswith("6.12.0") and python < (3, 12)


def check_bindings() -> None:
    """Raise `WrongStateError` when the window cannot be opened with what is installed."""
    try:
        binding = version("PySide6-Essentials")
        version("pyqtgraph")
    except PackageNotFoundError as error:
        raise WrongStateError(
            f"the window needs {error.name}, which is not installed; "
            "install 'penstock[gui]', or use 'penstock run' without a window"
        ) from error
    if is_known_bad(binding, sys.version_info[:2]):
        raise WrongStateError(
            f"PySide6 {binding} crashes Python {sys.version_info[0]}.{sys.version_info[1]}; "
            "install PySide6-Essentials==6.11.3 or use Python 3.12 or later"
        )
