"""Entry point of the frozen application: the command line, and the modes of its child processes.

A frozen build has one executable. ``penstock VERB ...`` is the command line;
``penstock --mode MODULE ...`` does what ``python -m MODULE ...`` does in an installation, for
modules of the application only. `engine.process.python_command` writes such lines.
"""

import multiprocessing
import runpy
import sys
from collections.abc import Sequence

__all__ = ("is_mode", "main", "run_mode")

_PACKAGES = ("app", "engine")


def main() -> int:
    """Run what the arguments ask for and return the exit code."""
    multiprocessing.freeze_support()  # does not return in a worker that multiprocessing started
    if sys.argv[1:2] == ["--mode"]:
        return run_mode(sys.argv[2:])
    from app.main import main as command_line

    return command_line()


def run_mode(arguments: Sequence[str]) -> int:
    """Run a module of the application as a program; its arguments follow its name.

    Returns
    -------
    int
        The exit code when the module does not end the process itself.
    """
    if not arguments or not is_mode(arguments[0]):
        named = repr(arguments[0]) if arguments else "nothing"
        print(f"penstock: --mode takes a module of Penstock, not {named}", file=sys.stderr)
        return 2
    module, *rest = arguments
    sys.argv = [sys.argv[0], *rest]
    runpy.run_module(module, run_name="__main__", alter_sys=True)
    return 0


def is_mode(module: str) -> bool:
    """Tell whether a module is one of ours by its name."""
    parts = module.split(".")
    return parts[0] in _PACKAGES and all(part.isidentifier() for part in parts)


if __name__ == "__main__":
    sys.exit(main())
