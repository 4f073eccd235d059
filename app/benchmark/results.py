"""What a measurement gives; the same structure is printed as JSON and kept as a baseline."""

import statistics
from collections.abc import Sequence
from pathlib import Path

import msgspec
import numpy as np

from engine.errors import ConfigError, OutputError

__all__ = (
    "BenchResult",
    "BenchRow",
    "Change",
    "Window",
    "agree",
    "compare",
    "make_row",
    "read_baseline",
    "write_baseline",
)

AGREEING = 3
_WITHIN = 0.10


class Window(msgspec.Struct, frozen=True):
    """One stretch of measuring: frames per second, and each frame's times in milliseconds.

    `latency_ms` runs from submitting a frame to receiving its outputs, `device_ms` is the
    execution alone.
    """

    rate_hz: float
    latency_ms: tuple[float, ...] = ()
    device_ms: tuple[float, ...] = ()


class BenchRow(msgspec.Struct, frozen=True):
    """One combination; `bare_hz` is bare onnxruntime with as many threads as there are lanes.

    `is_steady` is False when the windows never agreed; the figures are then of the last three.
    """

    plugin: str
    precision: str
    lanes: int
    streams: int
    depth: int
    rate_hz: float
    latency_p50_ms: float
    latency_p95_ms: float
    latency_p99_ms: float
    device_p50_ms: float
    bare_hz: float
    ratio: float
    is_steady: bool
    windows_hz: tuple[float, ...]
    bare_windows_hz: tuple[float, ...]


class Change(msgspec.Struct, frozen=True):
    """A row beside its baseline; `change` 0.05 is five percent faster."""

    plugin: str
    lanes: int
    streams: int
    rate_hz: float
    baseline_hz: float
    change: float
    is_slower: bool


class BenchResult(msgspec.Struct, frozen=True):
    """Everything that was measured, and where."""

    program: str
    sha256: str
    model: str
    processor: str
    cores: int
    versions: dict[str, str]
    window_s: float
    rows: tuple[BenchRow, ...]
    changes: tuple[Change, ...] = ()


def agree(rates: Sequence[float]) -> bool:
    """Tell whether the last three windows are within 10 % of each other."""
    last = rates[-AGREEING:]
    return len(last) == AGREEING and max(last) <= min(last) * (1.0 + _WITHIN)


def make_row(
    *,
    plugin: str,
    precision: str,
    lanes: int,
    streams: int,
    depth: int,
    ours: Sequence[Window],
    bare: Sequence[Window],
) -> BenchRow:
    """Put the windows of one combination together; `bare` may be empty."""
    last = ours[-AGREEING:]
    rates = [window.rate_hz for window in ours]
    bare_rates = [window.rate_hz for window in bare]
    rate_hz = statistics.median(rates[-AGREEING:])
    bare_hz = statistics.median(bare_rates[-AGREEING:]) if bare_rates else 0.0
    latencies = [value for window in last for value in window.latency_ms]
    devices = [value for window in last for value in window.device_ms]
    p50, p95, p99 = _percentiles(latencies, (50, 95, 99))
    return BenchRow(
        plugin=plugin,
        precision=precision,
        lanes=lanes,
        streams=streams,
        depth=depth,
        rate_hz=round(rate_hz, 3),
        latency_p50_ms=p50,
        latency_p95_ms=p95,
        latency_p99_ms=p99,
        device_p50_ms=_percentiles(devices, (50,))[0],
        bare_hz=round(bare_hz, 3),
        ratio=round(rate_hz / bare_hz, 4) if bare_hz else 0.0,
        is_steady=agree(rates) and (not bare_rates or agree(bare_rates)),
        windows_hz=tuple(round(rate, 3) for rate in rates),
        bare_windows_hz=tuple(round(rate, 3) for rate in bare_rates),
    )


def compare(result: BenchResult, baseline: BenchResult, tolerance: float) -> tuple[Change, ...]:
    """Return the change of every row that the baseline has too.

    Raises
    ------
    ConfigError
        When the baseline is of another program, or has no row in common.
    """
    if baseline.sha256 != result.sha256 or baseline.model != result.model:
        raise ConfigError(
            f"the baseline was measured with another program ({baseline.program}, model "
            f"{baseline.model}); measure one with this program and --save"
        )
    before = {(row.plugin, row.lanes, row.streams): row.rate_hz for row in baseline.rows}
    changes = []
    for row in result.rows:
        old_hz = before.get((row.plugin, row.lanes, row.streams), 0.0)
        if old_hz:
            change = row.rate_hz / old_hz - 1.0
            slower = change < -tolerance
            changes.append(
                Change(
                    row.plugin,
                    row.lanes,
                    row.streams,
                    row.rate_hz,
                    old_hz,
                    round(change, 4),
                    slower,
                )
            )
    if not changes:
        raise ConfigError(
            "the baseline has no row with these plugins, lanes and streams; give the same ones"
        )
    return tuple(changes)


def read_baseline(path: Path) -> BenchResult:
    """Read what `write_baseline`, or ``--json``, wrote.

    Raises
    ------
    ConfigError
        When the file cannot be read or is no measurement.
    """
    try:
        return msgspec.json.decode(path.read_bytes(), type=BenchResult)
    except OSError as error:
        raise ConfigError(f"baseline {path} cannot be read: {error.strerror}") from error
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise ConfigError(
            f"{path} is no measurement of 'penstock bench' ({error}); make one with --save"
        ) from error


def write_baseline(result: BenchResult, path: Path) -> None:
    """Write a result as indented JSON.

    Raises
    ------
    OutputError
        When the file cannot be written.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(msgspec.json.format(msgspec.json.encode(result), indent=2) + b"\n")
    except OSError as error:
        raise OutputError(
            f"the measurement cannot be written to {path}: {error.strerror}; choose another place"
        ) from error


def _percentiles(values: Sequence[float], which: Sequence[int]) -> list[float]:
    if not values:
        return [0.0 for _ in which]
    return [round(float(value), 4) for value in np.percentile(np.asarray(values), list(which))]
