"""The whole window over a real engine: what a user does in the first minutes."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from PySide6.QtGui import QAction
from PySide6.QtWidgets import QApplication, QLabel

from engine.protocol import LoadProject, StartAll, StreamPhase
from tests.support.tiny_project import make_project
from tests.ui.rig import Rig

pytestmark = pytest.mark.slow


@pytest.fixture
def rig(qapp: QApplication, tmp_path: Path) -> Iterator[Rig]:
    with Rig(qapp, tmp_path) as built:
        built.bridge.ask(LoadProject(str(make_project(tmp_path, names=("one", "two")))))
        built.until(lambda: len(built.bridge.snapshot.streams) == 2)
        yield built


def action(rig: Rig, name: str) -> QAction:
    found = rig.window.findChild(QAction, f"action_{name}")
    assert found is not None, name
    return found


def test_run_and_stop_work_and_answer_at_once(rig: Rig) -> None:
    begin = time.monotonic()
    action(rig, "run").trigger()
    assert time.monotonic() - begin < 0.1
    rig.until(lambda: rig.are_all(StreamPhase.RUNNING))
    rig.until(lambda: rig.client.telemetry and rig.client.telemetry.streams)

    begin = time.monotonic()
    action(rig, "stop").trigger()
    assert time.monotonic() - begin < 0.1
    rig.until(lambda: rig.are_all(StreamPhase.STOPPED), timeout_s=2.0)


def test_tiles_show_pictures_of_the_running_streams(rig: Rig) -> None:
    rig.bridge.ask(StartAll())
    rig.until(lambda: rig.are_all(StreamPhase.RUNNING))
    tile = rig.window.findChild(object, "tile_one")
    assert tile is not None
    rig.until(lambda: all(s.preview for s in rig.bridge.snapshot.streams))
    rig.live(1.0)
    picture = tile.grab().toImage()
    colors = {picture.pixel(x, picture.height() // 2) for x in range(8, picture.width() // 2, 4)}
    assert len(colors) >= 2, "the dark and the bright half of the cube are told apart"


@pytest.mark.parametrize(
    "key", ["streams", "programs", "drivers", "plugins", "threads", "outputs", "license"]
)
def test_every_panel_opens_with_what_the_engine_says(rig: Rig, key: str) -> None:
    rig.window.show_panel(key)
    rig.live(0.1)
    panel = rig.window.findChild(object, f"panel_{key}")
    assert panel is not None
    assert panel.isVisible()
    texts = [label.text() for label in panel.findChildren(QLabel) if label.isVisible()]
    assert any(texts), key


def test_the_theme_switches_while_streams_run(rig: Rig) -> None:
    rig.bridge.ask(StartAll())
    rig.until(lambda: rig.are_all(StreamPhase.RUNNING))
    before = rig.window.grab().toImage().pixelColor(700, 880).lightness()
    rig.theme.set_mode("light")
    rig.live(0.3)
    after = rig.window.grab().toImage().pixelColor(700, 880).lightness()

    assert before < 100
    assert after > 200
    assert rig.are_all(StreamPhase.RUNNING)


@pytest.mark.expected_log
def test_the_window_survives_the_engine_and_one_click_runs_again(rig: Rig) -> None:
    rig.bridge.ask(StartAll())
    rig.until(lambda: rig.are_all(StreamPhase.RUNNING))
    os.kill(rig.client.engine_pid, signal.SIGKILL)
    banner = rig.window.findChild(object, "engine_banner")
    assert banner is not None
    rig.until(banner.isVisible, timeout_s=2.0)
    said = " ".join(label.text() for label in banner.findChildren(QLabel))
    assert "SIGKILL" in said

    rig.click("restart_engine", banner)
    rig.until(lambda: rig.bridge.is_engine_alive and rig.are_all(StreamPhase.RUNNING))
    rig.until(lambda: not banner.isVisible())


def test_closing_the_window_stores_its_layout(qapp: QApplication, tmp_path: Path) -> None:
    with Rig(qapp, tmp_path) as first:
        first.window.show_panel("plugins")
        first.live(0.1)
    with Rig(qapp, tmp_path) as second:
        second.live(0.1)
        assert second.window.panel_key == "plugins"


ALONE = """
import sys
from pathlib import Path
from app.gui import GuiOptions, run_gui
project, picture = map(Path, sys.argv[1:])
run_gui(GuiOptions(project, is_started=True, picture=picture, picture_after_s=3))
print(sorted({"onnx", "onnxruntime", "openvino", "cv2", "av"} & set(sys.modules)))
"""


def test_the_window_process_never_loads_what_only_the_engine_needs(tmp_path: Path) -> None:
    project = make_project(tmp_path)
    done = subprocess.run(
        [sys.executable, "-c", ALONE, str(project), str(tmp_path / "window.png")],
        capture_output=True,
        text=True,
        timeout=50,
        check=True,
    )

    assert done.stdout.strip() == "[]"
    assert (tmp_path / "window.png").stat().st_size > 10_000
