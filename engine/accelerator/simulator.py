"""The published `Simulator`: what a program computes, and how fast an accelerator would be."""

import logging
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Self

import numpy as np

from engine.accelerator.benchmark import Inputs, frame_count, random_inputs
from engine.accelerator.sync_accl import Outputs, SyncAccl
from engine.dfp import Dfp
from engine.plugins.simulator import SimulatorPlugin, SimulatorSettings, SteppedClock

__all__ = ("Simulator",)

log = logging.getLogger(__name__)

_MANY_FRAMES = 100

Array = np.ndarray[Any, Any]


class Simulator:
    """Runs a program without an accelerator and estimates what one would do; a context manager.

    Results are computed here, in float32. Times are those of the simulated device that
    `docs/plugins.md` describes (``PENSTOCK_SIMULATOR`` changes it): they depend on its settings
    and on nothing else, and equal calls give equal times.

    Parameters
    ----------
    dfp : path, bytes or `Dfp` of the compiled program.
    verbose : from 1 on the figures are logged.
    settings : the simulated device; None takes what the environment says.

    Raises
    ------
    RuntimeError
        When the program cannot be used.
    """

    def __init__(
        self,
        dfp: str | Path | bytes | Dfp,
        verbose: int = 0,
        settings: SimulatorSettings | None = None,
    ) -> None:
        self._verbose = verbose
        self._settings = settings
        self._dfp = Dfp(dfp)
        self._accl = SyncAccl(self._dfp, ignore_manager=True)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.shutdown()

    def run(
        self,
        inputs: Inputs | Sequence[Sequence[Array]] = None,
        frames: int | None = None,
        model_idx: int = 0,
    ) -> tuple[Outputs | list[Outputs], float, float]:
        """Return outputs, and an accelerator's latency in milliseconds and frames per second.

        Parameters
        ----------
        inputs : one frame or several, as `SyncAccl.run` takes them; random values without it.
        frames : how many frames the rate is estimated from; left out, 100.
        model_idx : the model to run.

        Returns
        -------
        tuple
            What `SyncAccl.run` returns for the inputs; the time that a frame alone takes; the
            rate at which frames come out when the accelerator never has to wait for one.

        Raises
        ------
        ValueError
            When `frames` is not positive.
        DeviceError
            When the simulated device's settings let a frame fail.
        """
        ports = self._accl.inport_assignment(model_idx)
        given = [random_inputs(self._dfp, list(ports))] if inputs is None else inputs
        outputs = self._accl.run(given, model_idx)
        latency_ms, fps = self._estimate(frame_count(frames, _MANY_FRAMES), model_idx)
        if self._verbose:
            log.info("simulated: %.3f ms, %.1f frames/s", latency_ms, fps)
        return outputs, latency_ms, fps

    def shutdown(self) -> None:
        """Let go of the program. Safe to call twice."""
        self._accl.shutdown()

    def _estimate(self, frames: int, model_idx: int) -> tuple[float, float]:
        """Send frames through a fresh device as fast as it takes them."""
        clock = SteppedClock()
        device = SimulatorPlugin(self._settings, clock).device
        program = f"{self._dfp.sha256}/{model_idx}"
        first = device.enter(program)
        device.wait_for(first)
        begun_s = clock.now_s()
        alone = device.enter(program)  # the program is loaded now
        device.wait_for(alone)
        latency_s = alone.finished_s - begun_s
        begun_s = clock.now_s()
        outcomes = [device.enter(program) for _ in range(frames)]
        for outcome in outcomes:
            device.wait_for(outcome)
        filling_s = outcomes[0].finished_s - begun_s
        steady_s = outcomes[-1].finished_s - begun_s - filling_s
        fps = (frames - 1) / steady_s if frames > 1 and steady_s > 0 else 1.0 / latency_s
        return 1000.0 * latency_s, fps
