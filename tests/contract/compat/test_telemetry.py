"""What the accelerator classes tell of their devices."""

import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from engine.accelerator import AsyncAccl, MultiStreamAsyncAccl, SyncAccl
from engine.accelerator._telemetry import average_power_mw, pressure_word, temperature_c
from engine.errors import ClosedError
from engine.plugins import DeviceTelemetry, PluginRegistry
from engine.plugins.simulator import SimulatorPlugin, SimulatorSettings, SteppedClock

MakeAccl = Callable[..., Any]


@pytest.fixture
def simulated(folder: Path, monkeypatch: pytest.MonkeyPatch) -> tuple[SyncAccl, SteppedClock]:
    """Return an accelerator on a simulated device with a clock of its own."""
    clock = SteppedClock()
    plugin = SimulatorPlugin(SimulatorSettings(depth=1, rate_hz=10, idle_w=1, active_w=9), clock)
    monkeypatch.setattr(PluginRegistry, "choose", lambda self, key="": plugin)
    return SyncAccl(str(folder / "double.dfp"), ignore_manager=True), clock


@pytest.mark.parametrize(
    ("utilization", "word"),
    [
        (0.0, "low"),
        (0.19, "low"),
        (0.20, "medium"),
        (0.64, "medium"),
        (0.65, "high"),
        (0.91, "high"),
        (0.92, "full"),
        (1.0, "full"),
        (None, "N/A"),
    ],
)
def test_pressure_is_a_word_for_utilization(utilization: float | None, word: str) -> None:
    assert pressure_word(DeviceTelemetry(utilization=utilization)) == word


def test_what_is_not_measured_has_the_published_values() -> None:
    assert average_power_mw(DeviceTelemetry()) == -3000.0
    assert math.isnan(temperature_c(DeviceTelemetry()))


def test_a_device_that_is_not_in_use_has_the_published_values() -> None:
    assert (pressure_word(None), average_power_mw(None)) == ("N/A", -1.0)
    assert math.isnan(temperature_c(None))


def test_power_temperature_and_pressure_are_those_of_the_device(
    simulated: tuple[SyncAccl, SteppedClock],
) -> None:
    accl, clock = simulated
    with accl:
        accl.run([np.zeros((1, 4), np.float32)] * 5)  # half a second of work
        clock.wait_until(1.0)
        assert accl.get_avg_power(0) == pytest.approx(5000.0)
        assert accl.get_temperature(0) > 35.0
        accl.run([np.zeros((1, 4), np.float32)] * 5)
        assert accl.get_pressure(0) == "full"
        assert accl.get_avg_power(7) == -1.0


@pytest.mark.parametrize("kind", [AsyncAccl, MultiStreamAsyncAccl, SyncAccl])
def test_all_three_classes_tell_and_refuse_after_shutdown(kind: MakeAccl, folder: Path) -> None:
    accl = kind(str(folder / "double.dfp"), ignore_manager=True)
    assert accl.get_pressure(0) in ("low", "medium", "high", "full")
    assert isinstance(accl.get_temperature(0), float)
    accl.shutdown()
    with pytest.raises(ClosedError, match="shut down"):
        accl.get_pressure(0)
