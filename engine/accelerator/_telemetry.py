"""What the accelerator classes tell of their devices, in the published API's words and numbers."""

from engine.plugins import DeviceTelemetry

__all__ = ("average_power_mw", "pressure_word", "temperature_c")

_NOT_MEASURED_MW = -3000.0
_UNKNOWN_DEVICE_MW = -1.0
_WORDS = ((0.20, "low"), (0.65, "medium"), (0.92, "high"))


def pressure_word(telemetry: DeviceTelemetry | None) -> str:
    """Return how busy a device is, "low", "medium", "high" or "full"; "N/A" when nobody knows."""
    if telemetry is None or telemetry.utilization is None:
        return "N/A"
    return next((word for below, word in _WORDS if telemetry.utilization < below), "full")


def temperature_c(telemetry: DeviceTelemetry | None) -> float:
    """Return a device's temperature in degrees Celsius; NaN when nobody knows."""
    if telemetry is None or telemetry.temperature_c is None:
        return float("nan")
    return telemetry.temperature_c


def average_power_mw(telemetry: DeviceTelemetry | None) -> float:
    """Return a device's power in milliwatts; -3000 when not measured, -1 for another device."""
    if telemetry is None:
        return _UNKNOWN_DEVICE_MW
    return _NOT_MEASURED_MW if telemetry.power_w is None else telemetry.power_w * 1000.0
