"""Writes the manual page and the completions of the command line: ``python help_pages.py FOLDER``.

Both are made from the command line itself, so they cannot say anything else than ``--help``.
"""

import os
import re
import subprocess
import sys
from importlib.metadata import version
from pathlib import Path
from typing import Any

import typer

from app import exit_codes
from app.main import make_app

_SHELLS = {"bash": "penstock.bash", "zsh": "_penstock", "fish": "penstock.fish"}
_CODES = (
    (exit_codes.DONE, "done"),
    (exit_codes.FAILED, "something else failed, for example a report that cannot be written"),
    (exit_codes.USAGE, "usage or project file"),
    (exit_codes.LICENSE, "license"),
    (exit_codes.PROGRAM, "program (DFP) or model"),
    (exit_codes.DEVICE, "device, driver, plugin or media"),
    (exit_codes.ENGINE_DIED, "the engine died"),
    (exit_codes.INTERRUPTED, "interrupted"),
)


def main(folder: Path) -> None:
    """Write ``penstock.1`` and one completion script per shell."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "penstock.1").write_text(manual_page(), encoding="utf-8")
    for shell, name in _SHELLS.items():
        (folder / name).write_text(completion(shell), encoding="utf-8")


def completion(shell: str) -> str:
    """Let the command line print its own completion script."""
    done = subprocess.run(
        [sys.executable, "-c", "from app.main import main; main()"],
        env={**os.environ, "_PENSTOCK_COMPLETE": f"source_{shell}"},
        capture_output=True,
        text=True,
        check=False,
    )
    if "penstock" not in done.stdout:
        sys.exit(f"no completion for {shell}: {done.stderr}")
    return done.stdout.lstrip()  # zsh looks at the first line only


def manual_page() -> str:
    """Return the page in the macros of man(7)."""
    command: Any = typer.main.get_command(make_app())
    lines = [
        f'.TH PENSTOCK 1 "" "Penstock {version("penstock")}" "User commands"',
        ".SH NAME",
        "penstock \\- run compiled neural networks on many live streams",
        ".SH SYNOPSIS",
        ".B penstock",
        "VERB [OPTIONS] [ARGUMENTS]",
        ".SH DESCRIPTION",
        escaped(command.help or ""),
        ".SH VERBS",
    ]
    for name, verb in command.commands.items():
        lines += described(name, verb)
    lines += [".SH EXIT STATUS"]
    for code, meaning in _CODES:
        lines += [".TP", f".B {code}", escaped(meaning)]
    return "\n".join(lines) + "\n"


def described(name: str, verb: Any) -> list[str]:  # noqa: ANN401 - typer carries its own click
    """Return a verb, its options, and the verbs below it."""
    lines = [".TP", f".B penstock {escaped(name)} {escaped(arguments(verb))}"]
    paragraphs = (verb.help or "").strip().split("\n\n")
    for paragraph in paragraphs:
        lines += [escaped(re.sub(r"\s+", " ", paragraph)), ".br"]
    for parameter in verb.params:
        if parameter.param_type_name == "option" and not getattr(parameter, "hidden", False):
            names = ", ".join((*parameter.opts, *parameter.secondary_opts))
            lines += [f"\\fB{escaped(names)}\\fR: {escaped(parameter.help or '')}", ".br"]
    for below, command in getattr(verb, "commands", {}).items():
        lines += described(f"{name} {below}", command)
    return lines


def arguments(verb: Any) -> str:  # noqa: ANN401 - typer carries its own click
    """Return the arguments as the usage line shows them."""
    found = [p for p in verb.params if p.param_type_name == "argument"]
    return " ".join((p.metavar or p.name or "").upper() for p in found)


def escaped(text: str) -> str:
    """Return text that troff takes literally."""
    text = text.replace("\\", "\\e").replace("-", "\\-").replace("``", '"')
    return "\n".join(
        f"\\&{line}" if line.startswith((".", "'")) else line for line in text.split("\n")
    )


if __name__ == "__main__":
    main(Path(sys.argv[1]))
