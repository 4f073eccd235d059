"""``penstock exec``: an unchanged script, with the published modules served by the engine."""

import os
import subprocess
import sys
from typing import Annotated

import typer

from engine.process import python_command

__all__ = ("exec_command",)


def exec_command(  # noqa: RET503 - replacing the process does not return
    script: Annotated[str, typer.Argument(help="Python script.")],
    arguments: Annotated[
        list[str] | None, typer.Argument(help="What the script gets as arguments.")
    ] = None,
) -> int:
    """Run a script written for MemryX, fluxEngine, easycore, concurrentbuffer or PyNitride.

    Example: penstock exec detector.py --camera 0
    """
    command = python_command("engine.compat", script, *(arguments or []))
    if not getattr(sys, "frozen", False):
        command.insert(1, "-P")  # a folder called engine in the working folder is not meant
    sys.stdout.flush()
    if os.name == "nt":  # there is no replacing a process; its exit code is handed on
        return subprocess.run(command, check=False).returncode
    # A new interpreter, so that the script finds nothing of this program already imported.
    os.execv(command[0], command)  # noqa: S606 - a list we built ourselves


# Everything behind SCRIPT belongs to the script, options too.
exec_command.context_settings = {  # type: ignore[attr-defined]
    "allow_interspersed_args": False,
    "ignore_unknown_options": True,
}
