"""The real window, attached to an engine, that watches its own event loop."""

import argparse
import json
import os
import signal
import sys
import tempfile
import time
from pathlib import Path

import psutil
from PySide6.QtCore import QObject, QSettings, Qt, QTimer, Slot
from PySide6.QtWidgets import QApplication, QHBoxLayout, QTabWidget, QWidget

from engine.client import EngineClient, PreviewReader
from ui.bridge.bridge import EngineBridge
from ui.bridge.previews import PreviewBook
from ui.plots.tabs import BottomTabs
from ui.shell.main_window import MainWindow
from ui.shell.theme import Theme

BEAT_MS = 10
WARM_UP_S = 5.0


class Heart(QObject):
    """Beats every ten milliseconds and notes how late each beat is."""

    def __init__(self) -> None:
        super().__init__()
        self.gaps_ms: list[float] = []
        self._last = 0.0
        self._timer = QTimer(self)
        self._timer.setTimerType(Qt.TimerType.PreciseTimer)
        self._timer.timeout.connect(self.beat)

    def start(self) -> None:
        self._last = time.perf_counter()
        self._timer.start(BEAT_MS)

    @Slot()
    def beat(self) -> None:
        now = time.perf_counter()
        self.gaps_ms.append((now - self._last) * 1e3)
        self._last = now


class CountingPreviews:
    """Hands pictures on and counts them."""

    def __init__(self, book: PreviewBook) -> None:
        self._book = book
        self.count = 0

    def read(self, name: str) -> object:
        preview = self._book.read(name)
        self.count += preview is not None
        return preview


def main() -> int:
    parser = argparse.ArgumentParser()
    parser.add_argument("folder")
    parser.add_argument("--seconds", type=float, default=3600.0)
    parser.add_argument("--plots", type=int, default=0)
    options = parser.parse_args()
    app = QApplication(sys.argv[:1])
    client = EngineClient.attach(options.folder, name="bench window")
    theme = Theme("dark")
    theme.apply(app)
    bridge = EngineBridge(client)
    book = PreviewBook(PreviewReader)
    previews = CountingPreviews(book)
    bridge.snapshot_changed.connect(book.set_snapshot)
    with tempfile.TemporaryDirectory() as scratch:
        settings = QSettings(str(Path(scratch, "w.ini")), QSettings.Format.IniFormat)
        window = MainWindow(bridge, theme, previews, settings=settings)
        window.resize(1440, 900)
        window.show()
        plots = more_plots(theme, bridge, options.plots - 1) if options.plots else None
        bridge.start()
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda *_: app.quit())
        measured = Measurement(app, previews, options.seconds)
        app.exec()
        bridge.close()
        book.close()
    if plots is not None:
        plots.close()
    measured.tell(len(client.snapshot.streams))
    return 0


def more_plots(theme: Theme, bridge: EngineBridge, count: int) -> QWidget:
    """Show further plot tabs at the same time, so that six plots are drawn at once."""
    place = QWidget()
    row = QHBoxLayout(place)
    for number in range(count):
        tabs = BottomTabs(theme)
        bridge.snapshot_changed.connect(tabs.set_snapshot)
        bridge.telemetry_changed.connect(tabs.add_telemetry)
        bridge.ticked.connect(tabs.tick)
        pages = tabs.findChild(QTabWidget, "tabs")
        if pages is not None:
            pages.setCurrentIndex(number % 4)
        row.addWidget(tabs)
    place.resize(1900, 240)
    place.show()
    return place


class Measurement(QObject):
    """Begins after the warm-up and ends the application when the time is over."""

    def __init__(self, app: QApplication, previews: CountingPreviews, seconds: float) -> None:
        super().__init__()
        self._app = app
        self._previews = previews
        self._seconds = seconds
        self._process = psutil.Process(os.getpid())
        self._heart = Heart()
        self._started = 0.0
        self._cpu = 0.0
        self._pictures = 0
        QTimer.singleShot(int(WARM_UP_S * 1000), self.begin)

    @Slot()
    def begin(self) -> None:
        self._started = time.perf_counter()
        self._cpu = sum(self._process.cpu_times()[:2])
        self._pictures = self._previews.count
        self._heart.start()
        QTimer.singleShot(int(self._seconds * 1000), self._app.quit)

    def tell(self, tiles: int) -> None:
        if not self._started or not self._heart.gaps_ms:
            return
        seconds = time.perf_counter() - self._started
        gaps = sorted(self._heart.gaps_ms)
        figures = {
            "gap_p50_ms": gaps[len(gaps) // 2],
            "gap_p99_ms": gaps[int(len(gaps) * 0.99)],
            "gap_max_ms": gaps[-1],
            "cpu_percent": (sum(self._process.cpu_times()[:2]) - self._cpu) / seconds * 100,
            "pictures_hz": (self._previews.count - self._pictures) / seconds / max(1, tiles),
        }
        print(json.dumps(figures), flush=True)


if __name__ == "__main__":
    sys.exit(main())
