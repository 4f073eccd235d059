"""``penstock demo``: the demo project, in a window or, without a display, in the terminal."""

import os
import subprocess
from pathlib import Path
from typing import Annotated

import typer

from app.display import has_display
from engine.client import EngineClient
from engine.process import python_command
from resources import resource_path

__all__ = ("demo_command",)

_PICTURE_DEADLINE_S = 30.0


def demo_command(
    seconds: Annotated[float, typer.Option(help="How long to run without a display.")] = 20.0,
    out: Annotated[
        Path, typer.Option(help="Folder for report and picture without a display.")
    ] = Path("build/demo"),
) -> int:
    """Run the demo: open the window with all streams running.

    Without a display the same project runs in the terminal, and a picture of the window and the
    report are written.

    Example: penstock demo
    """
    project = resource_path("demo/demo.toml")
    if has_display():
        from app.gui import GuiOptions, run_gui

        return run_gui(GuiOptions(project=project, is_started=True))
    from app.headless import check_report_place, run_project, write_report
    from app.report_table import print_report

    print("There is no display, so the demo runs here in the terminal.", flush=True)
    check_report_place(out / "report.json")
    photographer = _Photographer(out / "window.png")
    report = run_project(project, seconds=seconds, on_running=photographer.start)
    write_report(report, out / "report.json")
    print_report(report, out / "report.json")
    print(photographer.finish())
    return 0


class _Photographer:
    """Lets a window attach to the running engine, off screen, and take its own picture."""

    def __init__(self, picture: Path) -> None:
        self._picture = picture.resolve()
        self._process: subprocess.Popen[bytes] | None = None

    def start(self, _client: EngineClient) -> None:
        self._picture.parent.mkdir(parents=True, exist_ok=True)
        self._picture.unlink(missing_ok=True)
        arguments = ("gui", "--attach", "--picture", str(self._picture), "--after", "5")
        self._process = subprocess.Popen(
            python_command("app", *arguments),
            env={**os.environ, "QT_QPA_PLATFORM": "offscreen"},
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
        )

    def finish(self) -> str:
        """Return a sentence saying where the picture is, or why there is none."""
        if self._process is None:
            return "picture of the window: none, because not all streams delivered results"
        try:
            _, told = self._process.communicate(timeout=_PICTURE_DEADLINE_S)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.communicate()
            return "picture of the window: none, the window did not answer in time"
        if self._process.returncode == 0 and self._picture.exists():
            return f"picture of the window: {self._picture}"
        lines = told.decode(errors="replace").strip().splitlines()
        return f"picture of the window: none ({lines[-1] if lines else 'no reason given'})"
