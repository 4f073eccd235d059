"""The command line that starts one of our own modes as a child process."""

import sys

__all__ = ("python_command",)


def python_command(module: str, *args: str) -> list[str]:
    """Return the command that runs `module` as a program.

    A frozen build has no interpreter to hand a module to; its executable takes ``--mode MODULE``
    instead. This is the only place that knows.
    """
    if getattr(sys, "frozen", False):
        return [sys.executable, "--mode", module, *args]
    return [sys.executable, "-m", module, *args]
