"""``penstock run``: a project without a window."""

from pathlib import Path
from typing import Annotated

import msgspec
import typer

from app.headless import check_report_place, run_project, write_report
from app.report_table import print_report

__all__ = ("run_command",)


def run_command(
    project: Annotated[Path, typer.Argument(help="Project file (TOML).")],
    seconds: Annotated[
        float, typer.Option(min=0.0, help="How long to run; 0 until the sources end or Ctrl+C.")
    ] = 0.0,
    report: Annotated[Path | None, typer.Option(help="Write the report here, as JSON.")] = None,
    is_json: Annotated[bool, typer.Option("--json", help="Print the report as JSON.")] = False,
    is_quiet: Annotated[bool, typer.Option("--quiet", help="Show no live view.")] = False,
) -> int:
    """Run a project without a window and report rates, latencies and where the time went.

    Example: penstock run resources/demo/demo.toml --seconds 20 --report report.json
    """
    if report is not None:
        check_report_place(report)
    outcome = run_project(project, seconds=seconds, is_quiet=is_quiet)
    if report is not None:
        write_report(outcome, report)
    if is_json:
        print(msgspec.json.format(msgspec.json.encode(outcome), indent=2).decode())
    else:
        print_report(outcome, report)
    return 0
