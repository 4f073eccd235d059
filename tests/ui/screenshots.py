"""``make screenshots``: pictures of the window in every state that matters, to be looked at.

Usage: ``python -m tests.ui.screenshots FOLDER [--scale 2]``. A real engine runs the demo project.
"""

import argparse
import os
import signal
import subprocess
import sys
import tempfile
from pathlib import Path

from PySide6.QtWidgets import QApplication, QTabWidget

from engine.config import StreamSettings, load_project, save_project
from engine.protocol import AddStream, LoadProject, SetProject, StartAll, StartStream, StreamPhase
from resources import resource_path
from tests.benchmarks.eight_tiles import eight_streams
from tests.ui.rig import Rig

PANELS = ("streams", "programs", "drivers", "plugins", "threads", "outputs", "license")
THEMES = ("dark", "light")


def main() -> int:
    parser = argparse.ArgumentParser()
    parser.add_argument("folder", type=Path)
    parser.add_argument("--scale", type=int, default=0, help="only this scale, in this process")
    options = parser.parse_args()
    if not options.scale:
        for scale in (1, 2):
            command = [sys.executable, "-m", "tests.ui.screenshots", str(options.folder)]
            environment = {**os.environ, "QT_SCALE_FACTOR": str(scale)}
            subprocess.run([*command, "--scale", str(scale)], env=environment, check=True)
        print(f"pictures are in {options.folder}")
        return 0
    app = QApplication(sys.argv[:1])
    folder = options.folder / f"{options.scale}00"
    folder.mkdir(parents=True, exist_ok=True)
    everything(app, folder, is_short=options.scale != 1)
    return 0


def everything(app: QApplication, folder: Path, *, is_short: bool) -> None:
    with tempfile.TemporaryDirectory() as scratch:
        with Rig(app, Path(scratch)) as rig:
            first_start(rig, folder)
            demo(rig, folder, is_short=is_short)
            if not is_short:
                failures(rig, folder)
        if not is_short:
            with Rig(app, Path(scratch)) as rig:
                no_license(rig, folder, Path(scratch))
            with Rig(app, Path(scratch)) as rig:
                many_tiles(rig, folder)


def first_start(rig: Rig, folder: Path) -> None:
    rig.live(1.0)
    both(rig, folder, "first_start")
    for key in PANELS:
        rig.window.show_panel(key)
        save(rig, folder, f"first_start_{key}")


def demo(rig: Rig, folder: Path, *, is_short: bool) -> None:
    rig.bridge.ask(LoadProject(str(resource_path("demo/demo.toml"))))
    rig.bridge.ask(StartAll())
    rig.until(lambda: rig.are_all(StreamPhase.RUNNING), 30.0)
    rig.window.show_panel("streams")
    rig.window._on_stream_selected("street")
    rig.live(2.0 if is_short else 12.0)
    both(rig, folder, "demo")
    for key in PANELS[1:]:
        rig.window.show_panel(key)
        both(rig, folder, f"panel_{key}")
    rig.window.show_panel("")
    tabs = rig.window.findChild(QTabWidget, "tabs")
    if tabs is not None:
        for index in range(tabs.count()):
            tabs.setCurrentIndex(index)
            name = "".join(c if c.isalnum() else "_" for c in tabs.tabText(index).lower())
            rig.live(0.4)
            both(rig, folder, f"tab_{name}")
        tabs.setCurrentIndex(0)
    rig.window.show_panel("streams")
    rig.click("add_stream")
    both(rig, folder, "add_stream")


def failures(rig: Rig, folder: Path) -> None:
    missing = StreamSettings("gate", "squeezenet", "video-file", {"path": "nowhere.mp4"})
    rig.bridge.ask(AddStream(missing))
    rig.bridge.ask(StartStream("gate"))
    rig.live(1.5)
    rig.window._on_stream_selected("gate")
    both(rig, folder, "stream_failed")
    os.kill(rig.client.engine_pid, signal.SIGKILL)
    rig.live(1.0)
    both(rig, folder, "engine_died")


def no_license(rig: Rig, folder: Path, scratch: Path) -> None:
    (scratch / "own.lic").write_text("{}")
    demo_project = load_project(resource_path("demo/demo.toml"))
    path = scratch / "unlicensed.toml"
    save_project(demo_project, path)
    path.write_text(path.read_text().replace('license = ""', 'license = "own.lic"'))
    rig.bridge.ask(LoadProject(str(path)))
    rig.bridge.ask(StartAll())
    rig.live(1.0)
    rig.window.show_panel("license")
    both(rig, folder, "no_license")


def many_tiles(rig: Rig, folder: Path) -> None:
    import msgspec

    project = eight_streams()
    twice = (
        *project.streams,
        *(msgspec.structs.replace(s, name=f"more {n}") for n, s in enumerate(project.streams)),
    )
    slow = tuple(msgspec.structs.replace(s, source={**s.source, "rate_hz": 8.0}) for s in twice)
    rig.bridge.ask(SetProject(msgspec.structs.replace(project, streams=slow)))
    rig.bridge.ask(StartAll())
    rig.until(lambda: rig.are_all(StreamPhase.RUNNING), 60.0)
    rig.window.show_panel("")
    rig.live(3.0)
    both(rig, folder, "sixteen_tiles")


def both(rig: Rig, folder: Path, name: str) -> None:
    for theme in THEMES:
        rig.theme.set_mode(theme)
        save(rig, folder, f"{name}_{theme}")
    rig.theme.set_mode(THEMES[0])


def save(rig: Rig, folder: Path, name: str) -> None:
    rig.live(0.3)
    rig.window.grab().save(str(folder / f"{name}.png"))


if __name__ == "__main__":
    sys.exit(main())
