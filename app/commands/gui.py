"""``penstock gui``: the desktop application."""

from pathlib import Path
from typing import Annotated

import typer

__all__ = ("gui_command",)


def gui_command(
    project: Annotated[
        Path | None, typer.Argument(help="Project file or program (DFP) to open.")
    ] = None,
    start: Annotated[bool, typer.Option("--start", help="Start its streams at once.")] = False,
    attach: Annotated[
        bool, typer.Option("--attach", help="Look at an engine that runs already.")
    ] = False,
    theme: Annotated[str, typer.Option(help="system, light or dark.")] = "",
    picture: Annotated[
        Path | None, typer.Option(help="Save a picture of the window here, then leave.")
    ] = None,
    after: Annotated[float, typer.Option(help="Seconds before the picture is taken.")] = 4.0,
) -> int:
    """Open the window.

    Example: penstock gui resources/demo/demo.toml --start
    """
    from app.gui import GuiOptions, run_gui

    return run_gui(
        GuiOptions(
            project=project,
            is_started=start,
            is_attached=attach,
            theme=theme,
            picture=picture,
            picture_after_s=after,
        )
    )
