"""`penstock inspect`: shows what is in a program (DFP)."""

from pathlib import Path
from typing import Annotated

import msgspec
import typer
from rich.console import Console
from rich.table import Table

from app.commands._genuine import plain_text, show_genuine
from engine.dfp import Dfp, GenuineProgram, Manifest, ModelEntry
from engine.errors import OutputError
from engine.protocol import TensorInfo

__all__ = ("inspect_command", "show_program")

_LABELS_SHOWN = 5


class _Inspection(msgspec.Struct, frozen=True):
    """What ``--json`` prints."""

    file: str
    size_bytes: int
    sha256: str
    manifest: Manifest


class _GenuineInspection(msgspec.Struct, frozen=True):
    """What ``--json`` prints of a file of MemryX; `needs` says how it could be executed."""

    file: str
    size_bytes: int
    sha256: str
    needs: str
    genuine: GenuineProgram


def inspect_command(
    program: Annotated[Path, typer.Argument(metavar="FILE", help="The DFP to look into.")],
    as_json: Annotated[bool, typer.Option("--json", help="Print everything as JSON.")] = False,
    extract: Annotated[
        Path | None,
        typer.Option(metavar="FOLDER", help="Write the members into a new or empty folder."),
    ] = None,
) -> None:
    """Check a program (DFP) and show what is in it.

    Example: penstock inspect model.dfp --json
    """
    dfp = Dfp(program)
    if extract is not None:
        extract_members(dfp, extract)
    if as_json:
        print(_json_of(dfp, str(program)))
    else:
        show_program(dfp)


def show_program(dfp: Dfp) -> None:
    """Print a program as tables."""
    console = Console(markup=False, emoji=False, highlight=False)
    if dfp.genuine is not None:
        show_genuine(dfp, dfp.genuine, console)
        return
    manifest = dfp.manifest
    about = Table(title=f"Program {manifest.name}", show_header=False, title_justify="left")
    about.add_column(style="bold")
    about.add_column(overflow="fold")
    for label, value in (
        ("File", str(dfp.path)),
        ("Size", f"{dfp.size_bytes:,} bytes"),
        ("SHA-256", dfp.sha256),
        ("Created", manifest.created),
        ("Compiler", manifest.compiler),
        ("Format", f"{manifest.format} version {manifest.version}"),
        *((("Tuned", str(manifest.tuned)),) if manifest.tuned is not None else ()),
    ):
        about.add_row(label, plain_text(value))
    console.print(about)
    for number, model in enumerate(dfp.models):
        console.print(_model_table(number, model))


def extract_members(dfp: Dfp, folder: Path) -> None:
    """Write all members of a program into `folder`.

    Raises
    ------
    OutputError
        When the folder has something in it or cannot be written.
    ProgramIncompatibleError
        When the program is a file of MemryX, which has no members.
    """
    _ = dfp.manifest
    try:
        folder.mkdir(parents=True, exist_ok=True)
        if any(folder.iterdir()):
            raise OutputError(
                f"folder {folder} is not empty; choose a new or empty folder", folder=str(folder)
            )
        for name in dfp.member_names:
            target = folder / name
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(dfp.member(name))
    except OSError as error:
        if isinstance(error, OutputError):
            raise
        raise OutputError(
            f"folder {folder} cannot be written: {error.strerror or error}", folder=str(folder)
        ) from error


def _json_of(dfp: Dfp, file: str) -> str:
    found: msgspec.Struct
    if dfp.genuine is not None:
        found = _GenuineInspection(file, dfp.size_bytes, dfp.sha256, dfp.needs, dfp.genuine)
    else:
        found = _Inspection(file, dfp.size_bytes, dfp.sha256, dfp.manifest)
    return msgspec.json.format(msgspec.json.encode(found), indent=2).decode()


def _model_table(number: int, model: ModelEntry) -> Table:
    table = Table(title=f"Model {number}: {model.name}", show_header=False, title_justify="left")
    table.add_column(style="bold")
    table.add_column(overflow="fold")
    rows = [("Task", model.task.value)]
    rows += [(f"Input {tensor.port}", _tensor(tensor)) for tensor in model.inputs]
    rows += [(f"Output {tensor.port}", _tensor(tensor)) for tensor in model.outputs]
    rows += [
        ("Pre-processing", _settings(model.pre)),
        ("Post-processing", _settings(model.post)),
        ("Labels", _labels(model.labels)),
        ("Graphs", ", ".join(model.graphs)),
        ("Against original", str(model.parity)),
    ]
    rows += [(f"  {output.name}", str(output)) for output in model.parity.outputs]
    for label, value in rows:
        table.add_row(label, plain_text(value))
    return table


def _tensor(tensor: TensorInfo) -> str:
    shape = " x ".join(str(size or "any") for size in tensor.shape)
    return f"{tensor.name}: {shape or 'scalar'}, {tensor.dtype}"


def _settings(settings: msgspec.Struct) -> str:
    values = msgspec.to_builtins(settings)
    return ", ".join(f"{key} {_value(value)}" for key, value in values.items() if value != {})


def _value(value: object) -> str:
    if isinstance(value, dict):
        return "(" + ", ".join(f"{key} {_value(item)}" for key, item in value.items()) + ")"
    if isinstance(value, list | tuple):
        return "[" + ", ".join(f"{item:g}" for item in value) + "]"
    return str(value)


def _labels(labels: tuple[str, ...]) -> str:
    if not labels:
        return "none"
    more = "; ..." if len(labels) > _LABELS_SHOWN else ""
    return f"{len(labels)}: {'; '.join(labels[:_LABELS_SHOWN])}{more}"
