"""Time until the window is painted, against a bare window, and until frames move."""

import os
import statistics
import subprocess
import sys
import time

from resources import resource_path
from tests.benchmarks.rows import Row, bounded, compared

BARE = """
import numpy
import sys
from PySide6.QtWidgets import QApplication, QMainWindow
import pyqtgraph
app = QApplication(sys.argv)
window = QMainWindow()
plot = pyqtgraph.PlotWidget()
plot.plot([1, 2, 3])
window.setCentralWidget(plot)
window.resize(1440, 900)
window.show()
app.processEvents()
print("shown", flush=True)
"""

OURS = """
import sys
from app.main import main
import logging
logging.basicConfig(stream=sys.stdout, format="%(message)s", level=logging.WARNING)
logging.getLogger("app.milestones").setLevel(logging.INFO)
main(["gui", sys.argv[1], "--start"])
"""


def run(rounds: int) -> list[Row]:
    pairs = [(ours(), first_line([sys.executable, "-c", BARE])) for _ in range(max(5, rounds))]
    shown = statistics.median(pair[0][0] for pair in pairs) * 1e3
    moving = statistics.median(pair[0][1] for pair in pairs)
    bare = statistics.median(pair[1] for pair in pairs) * 1e3
    return [
        compared("window shown", shown, bare, "ms", at_most=1.5),
        bounded("demo frames moving", moving, "s", 5.0),
    ]


def ours() -> tuple[float, float]:
    """Start the demo's window; return the seconds until it is shown and until frames move."""
    begin = time.monotonic()
    process = subprocess.Popen(
        [sys.executable, "-c", OURS, str(resource_path("demo/demo.toml"))],
        env=os.environ.copy(),
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        assert process.stdout is not None
        words = {}
        for line in process.stdout:
            words[line.strip()] = time.monotonic() - begin
            if len(words) == 2:
                break
        return words["window shown"], words["frames moving"]
    finally:
        process.terminate()
        process.communicate(timeout=20)


def first_line(command: list[str]) -> float:
    begin = time.monotonic()
    process = subprocess.Popen(command, stdout=subprocess.PIPE, env=os.environ.copy(), text=True)
    assert process.stdout is not None
    process.stdout.readline()
    seconds = time.monotonic() - begin
    process.communicate(timeout=20)
    return seconds
