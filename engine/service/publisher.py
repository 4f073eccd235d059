"""Collects the figures that are published five times a second."""

import os
import time

from engine.protocol import ProcessFigures, StreamPhase, Telemetry
from engine.service.workspace import Workspace
from engine.telemetry import ProcessSampler, advise

__all__ = ("FigureCollector",)

_PROCESS_INTERVAL_NS = 1_000_000_000


class FigureCollector:
    """Makes telemetry batches; belongs to the service's main thread."""

    def __init__(self) -> None:
        self._sampler = ProcessSampler()
        self._processes: tuple[ProcessFigures, ...] = ()
        self._sampled_ns = 0

    def collect(self, workspace: Workspace) -> Telemetry:
        """Return the figures of this moment."""
        now_ns = time.monotonic_ns()
        streams = workspace.streams.current()
        if now_ns - self._sampled_ns >= _PROCESS_INTERVAL_NS:
            self._sampled_ns = now_ns
            roles = {"engine": os.getpid()}
            for name, stream in streams.items():
                if stream.state.driver_pid:
                    roles[f"driver {name}"] = stream.state.driver_pid
            self._processes = self._sampler.sample(roles)
        figures = tuple(stream.statistics.figures() for stream in streams.values())
        running = [
            f
            for f, stream in zip(figures, streams.values(), strict=True)
            if stream.state.phase is StreamPhase.RUNNING
        ]
        nominal = {
            name: stream.state.frame_format.rate_hz
            for name, stream in streams.items()
            if stream.state.frame_format is not None
        }
        return Telemetry(
            at_ns=now_ns,
            streams=figures,
            processes=self._processes,
            lanes_busy=workspace.lanes.busy_fraction(),
            advice=advise(running, nominal),
        )
