"""Runs a script as Python itself would, with the published modules served by the engine."""

import io
import sys
from collections.abc import Sequence
from pathlib import Path
from types import ModuleType, TracebackType

import engine
from engine.compat.finder import install
from engine.errors import ConfigError

__all__ = ("run_script",)

_ROOT = str(Path(engine.__file__).resolve().parents[1])


def run_script(script: str, arguments: Sequence[str] = ()) -> None:
    """Execute a script in this process, as its main program.

    The module of the caller is replaced, so that spawned processes find the script's functions.

    Raises
    ------
    ConfigError
        When the script cannot be read or is no Python.
    BaseException
        What the script does not catch; `sys.excepthook` then shows its part of the traceback.
    """
    path = Path(script)
    try:
        with io.open_code(str(path.absolute())) as file:
            source = file.read()
    except OSError as error:
        raise ConfigError(f"the script {script} cannot be read: {error.strerror}") from error
    install()
    main = ModuleType("__main__")
    main.__file__ = str(path.absolute())
    sys.modules["__main__"] = main
    sys.argv = [script, *arguments]
    _set_path(str(path.absolute().parent))
    sys.excepthook = _show
    exec(compile(source, main.__file__, "exec"), vars(main))  # noqa: S102 - that is what it is for


def _set_path(folder: str) -> None:
    """Let the script find what lies beside it first, and the engine in any case."""
    if sys.path and not sys.flags.safe_path and not getattr(sys, "frozen", False):
        del sys.path[0]  # the folder this very program was started from
    sys.path.insert(0, folder)
    if _ROOT not in sys.path:
        sys.path.append(_ROOT)


def _show(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
    """Print a traceback that begins in the script."""
    script = getattr(sys.modules["__main__"], "__file__", "")
    first = trace
    while first is not None and first.tb_frame.f_code.co_filename != script:
        first = first.tb_next
    sys.__excepthook__(kind, error.with_traceback(first), first)
