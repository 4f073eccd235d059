"""``penstock serve``: the engine without a window, for windows and scripts to attach to."""

from pathlib import Path
from typing import Annotated

import typer

from engine.client import EngineClient
from engine.errors import EngineDiedError
from engine.protocol import LoadProject, StartAll

__all__ = ("serve_command",)


def serve_command(
    project: Annotated[Path | None, typer.Argument(help="Project file to open.")] = None,
    start: Annotated[bool, typer.Option("--start", help="Start its streams.")] = False,
) -> int:
    """Serve an engine until Ctrl+C; attach a window with ``penstock gui --attach``.

    Example: penstock serve resources/demo/demo.toml --start
    """
    with EngineClient.launch(name="serve") as client:
        if project is not None:
            client.call(LoadProject(str(project)), timeout_s=30.0)
        if start:
            client.call(StartAll(), timeout_s=30.0)
        print(f"serving (process {client.engine_pid}) in {client.endpoint.folder}", flush=True)
        while client.engine_outcome is None:
            client.wait(60.0)
            client.pump()
            for entry in client.drain_log():
                print(f"{entry.level.lower():8s} {entry.stream or entry.logger}: {entry.message}")
        raise EngineDiedError(client.engine_outcome)
