"""``penstock doctor``: finds out why it does not work here."""

from typing import Annotated

import msgspec
import typer
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn
from rich.text import Text

from app.doctor.examination import examine
from app.doctor.findings import Diagnosis, Finding, Status
from app.exit_codes import DONE, FAILED
from engine.client import reap_endpoints
from engine.shm import reap

__all__ = ("doctor_command",)

_COLORS = {Status.PASS: "green", Status.FAIL: "red", Status.SKIP: "dim"}


def doctor_command(
    is_json: Annotated[bool, typer.Option("--json", help="Print as JSON.")] = False,
    is_repaired: Annotated[
        bool, typer.Option("--repair", help="Remove what killed processes left behind, first.")
    ] = False,
) -> int:
    """Check the installation and the machine; each check passes or says what to do.

    Ends with 1 when a check fails.

    Example: penstock doctor --json
    """
    if is_repaired:
        reap()
        reap_endpoints()
    diagnosis = _examine_with_a_bar()
    if is_json:
        print(msgspec.json.format(msgspec.json.encode(diagnosis), indent=2).decode())
    else:
        _show(diagnosis)
    return DONE if diagnosis.is_healthy else FAILED


def _examine_with_a_bar() -> Diagnosis:
    console = Console(stderr=True)
    columns = (TextColumn("Checking"), BarColumn())
    with Progress(
        *columns, console=console, transient=True, disable=not console.is_terminal
    ) as progress:
        task = progress.add_task("Checking", total=None)
        return examine(lambda done, total: progress.update(task, completed=done, total=total))


def _show(diagnosis: Diagnosis) -> None:
    console = Console(highlight=False, markup=False, emoji=False, soft_wrap=True)
    for finding in diagnosis.findings:
        console.print(_line(finding))
        if finding.fix:
            console.print(Text(f"      do this: {finding.fix}", style="bold"))
    failed = sum(finding.status is Status.FAIL for finding in diagnosis.findings)
    console.print(f"{failed} of {len(diagnosis.findings)} checks failed" if failed else "all well")


def _line(finding: Finding) -> Text:
    status = Text(f"{finding.status.value:5s} ", style=_COLORS[finding.status])
    return status + Text(f"{finding.check}: ", style="bold") + Text(finding.found)
