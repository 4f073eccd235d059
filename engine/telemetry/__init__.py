"""Measures a running engine: one clock, exact counters, times, rates, processes and advice."""

from engine.telemetry.advice import advise
from engine.telemetry.clock import now_ns
from engine.telemetry.counters import CounterSnapshot, StreamCounters
from engine.telemetry.histogram import Histogram
from engine.telemetry.processes import ProcessSampler
from engine.telemetry.rates import RateMeter
from engine.telemetry.rolling import Figures, RollingFigures

__all__ = (
    "CounterSnapshot",
    "Figures",
    "Histogram",
    "ProcessSampler",
    "RateMeter",
    "RollingFigures",
    "StreamCounters",
    "advise",
    "now_ns",
)
