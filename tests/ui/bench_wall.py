"""Prints how long one tick of the window takes: 8 tiles with results at 30 Hz, a plot in view.

Run it by hand: `python -m tests.ui.bench_wall [tiles]`. It is no test; the figures depend on the
machine.
"""

import os
import sys
import time

os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")

import numpy as np
from PySide6.QtCore import QSize
from PySide6.QtWidgets import QApplication, QHBoxLayout, QVBoxLayout, QWidget

from engine.protocol import Box, Result, StreamPhase, StreamState
from tests.ui.wall import fakes
from ui.inspector import Inspector
from ui.plots import BottomTabs
from ui.shell.theme import Theme
from ui.wall import TileWall

TICKS = 300
LABELS = ("person", "bicycle", "car", "dog", "cup")


class MovingPreviews:
    """Delivers a new picture with five moving boxes at every call."""

    def __init__(self) -> None:
        rng = np.random.default_rng(1)
        self._pictures = [rng.integers(0, 255, (360, 640, 4), np.uint8) for _ in range(4)]
        self._count = 0

    def read(self, stream: str) -> fakes.FakePreview:
        self._count += 1
        shift = (self._count % 60) / 200
        boxes = tuple(
            Box(i, label, 0.5 + shift, 0.05 + 0.17 * i, shift + 0.05 * i, 0.15, 0.3)
            for i, label in enumerate(LABELS)
        )
        picture = self._pictures[self._count % 4].copy()
        return fakes.FakePreview(self._count, Result(stream, self._count, 0, boxes=boxes), picture)


def main() -> None:
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 8
    app = QApplication([])
    theme = Theme("dark")
    theme.apply(app)
    wall, tabs, inspector = TileWall(theme, MovingPreviews()), BottomTabs(theme), Inspector(theme)
    window = QWidget()
    row = QHBoxLayout()
    row.addWidget(wall, 1)
    row.addWidget(inspector)
    column = QVBoxLayout(window)
    column.addLayout(row, 3)
    column.addWidget(tabs, 1)
    window.resize(QSize(1440, 900))
    window.show()
    names = [f"camera {i}" for i in range(count)]
    streams = [
        StreamState(name, StreamPhase.RUNNING, frame_format=fakes.IMAGE_30_HZ) for name in names
    ]
    snapshot = fakes.snapshot(*streams, labels=LABELS)
    for part in (wall, tabs, inspector):
        part.set_snapshot(snapshot)
    inspector.show_stream(names[0])
    for _ in range(20):
        app.processEvents()
    start_s = time.monotonic()
    rng = np.random.default_rng(2)
    for index in range(300):
        feed(names, start_s - 60 + index / 5, rng, tabs)
    kinds: dict[str, list[float]] = {"pictures only": [], "plots too": [], "all": []}
    for index in range(TICKS):
        began = time.thread_time()
        if index % 6 == 0:
            feed(names, time.monotonic(), rng, tabs, wall, inspector)
        wall.tick()
        tabs._refreshed_ns = 0 if index % 3 == 0 else time.monotonic_ns()
        tabs.tick()
        app.processEvents()
        took_ms = (time.thread_time() - began) * 1e3
        kinds["all"].append(took_ms)
        kinds["plots too" if index % 3 == 0 else "pictures only"].append(took_ms)
    report(count, kinds)


def feed(names: list[str], at_s: float, rng: np.random.Generator, *parts: object) -> None:
    """Give one batch of noisy figures to widgets."""
    values = [
        fakes.figures(name, rate_out_hz=30 - abs(rng.normal()), rate_in_hz=30.0) for name in names
    ]
    batch = fakes.telemetry(*values, at_s=at_s)
    for part in parts:
        take = getattr(part, "add_telemetry", None) or part.set_telemetry  # type: ignore[attr-defined]
        take(batch)


def report(count: int, kinds: dict[str, list[float]]) -> None:
    print(f"{count} tiles of 640x360 with {len(LABELS)} boxes, window 1440x900, CPU ms per tick")
    for name, values in kinds.items():
        p50, p95, p99 = np.percentile(values, (50, 95, 99))
        print(f"  {name:14s} p50 {p50:5.2f}  p95 {p95:5.2f}  p99 {p99:5.2f}  n {len(values)}")
    print(f"  load at 30 Hz: {np.mean(kinds['all']) * 30 / 10:.0f} % of one core")


if __name__ == "__main__":
    main()
