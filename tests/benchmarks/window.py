"""What the window costs: throughput with and without it, its event-loop gaps and processor use."""

import json
import os
import statistics
import subprocess
import sys

from engine.client import EngineClient
from engine.protocol import LoadProject, SetProject, StartAll
from resources import resource_path
from tests.benchmarks.eight_tiles import eight_streams
from tests.benchmarks.pipeline import follow, has_begun, measured_rates
from tests.benchmarks.rows import Row, bounded, compared

SECONDS = 10.0
WARM_UP_S = 3.0


def run(rounds: int) -> list[Row]:
    pairs = [(demo_rate(with_window=True), demo_rate(with_window=False)) for _ in range(rounds)]
    ours = statistics.median(pair[0] for pair in pairs)
    bare = statistics.median(pair[1] for pair in pairs)
    rows = [compared("demo with the window open", ours, bare, "fps", at_least=0.95)]
    return rows + gap_rows()


def demo_rate(*, with_window: bool) -> float:
    """Results per second of all demo streams together; the window attaches to the same service."""
    with EngineClient.launch(name="bench") as client:
        client.call(LoadProject(str(resource_path("demo/demo.toml"))), timeout_s=30.0)
        client.call(StartAll(), timeout_s=30.0)
        follow(client, until=lambda: has_begun(client))
        window = start_window(client.endpoint.folder) if with_window else None
        try:
            return sum(measured_rates(client, SECONDS, WARM_UP_S).values())
        finally:
            if window is not None:
                window.terminate()
                window.communicate(timeout=20)


def start_window(folder: str, *more: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "tests.benchmarks.watched_window", folder, *more],
        env={**os.environ, "QT_QPA_PLATFORM": "offscreen"},
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )


def gap_rows() -> list[Row]:
    """Eight tiles at 30 Hz with overlays and six plots: gaps of the event loop, processor use."""
    with EngineClient.launch(name="bench") as client:
        client.call(SetProject(eight_streams()), timeout_s=30.0)
        client.call(StartAll(), timeout_s=30.0)
        follow(client, until=lambda: has_begun(client))
        window = start_window(client.endpoint.folder, "--seconds", "20", "--plots", "6")
        told, _ = window.communicate(timeout=60)
    figures = json.loads(told.strip().splitlines()[-1])
    return [
        bounded("event-loop gap p99, 8 tiles, 6 plots", figures["gap_p99_ms"], "ms", 50.0),
        bounded("window process, 8 tiles, 6 plots", figures["cpu_percent"], "% of a core", 60.0),
        Row("pictures shown per tile", f"{figures['pictures_hz']:.1f} Hz"),
    ]
