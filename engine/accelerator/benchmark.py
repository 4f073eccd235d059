"""How fast a program runs: the published `Benchmark`, and the same on a simulated device."""

import logging
import time
from collections import deque
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Self

import numpy as np

from engine.accelerator._base import DeviceIds, accepts_group_id
from engine.accelerator.errors import OptionTypeError
from engine.accelerator.options import SchedulerOptions
from engine.accelerator.sync_accl import Outputs, SyncAccl
from engine.dfp import Dfp
from engine.errors import InvalidArgumentError
from engine.protocol import TensorInfo

__all__ = ("Benchmark", "Inputs", "frame_count", "random_inputs")

log = logging.getLogger(__name__)

Array = np.ndarray[Any, Any]
Inputs = Array | Sequence[Array] | None
"""One frame: an array, or one array per input; None takes random values."""

_WARM_UP_FRAMES = 3
_MANY_FRAMES = 100
_CHIP_GENERATION = 3.1
_SEED = 20260


class Benchmark:
    """Measures a program on a device; a context manager.

    Parameters
    ----------
    dfp : path, bytes or `Dfp` of the compiled program.
    device_ids : numbers of the devices to use.
    verbose : from 1 on the figures are logged.
    chip_gen : accepted for scripts that say it; has no meaning here.
    local_mode, manager_addr, manager_port, ignore_manager : as in `SyncAccl`.

    Raises
    ------
    RuntimeError
        When the program or a device cannot be used.
    """

    @accepts_group_id
    def __init__(
        self,
        dfp: str | Path | bytes | Dfp,
        device_ids: DeviceIds = [0],
        verbose: int = 0,
        chip_gen: float | str = _CHIP_GENERATION,
        local_mode: bool = False,
        manager_addr: str = "/run/mxa_manager/",
        manager_port: int = 10000,
        ignore_manager: bool = False,
    ) -> None:
        self._verbose = verbose
        self._dfp = Dfp(dfp)
        self._accl = SyncAccl(
            self._dfp,
            device_ids,
            local_mode=local_mode,
            manager_addr=manager_addr,
            manager_port=manager_port,
            ignore_manager=ignore_manager,
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.shutdown()

    def run(
        self,
        inputs: Inputs = None,
        frames: int | None = None,
        threading: bool = True,
        model_idx: int = 0,
    ) -> tuple[Outputs, float, float]:
        """Run frames and return outputs, latency in milliseconds, and frames per second.

        A few frames before the first one that counts warm the device up, so that calls may be
        repeated in one context.

        Parameters
        ----------
        inputs : the frame that is run again and again; random values without it.
        frames : how many; left out, 100 with `threading`, else 1.
        threading : whether frames overlap, for the rate; without, each waits for the one before,
            for the latency.
        model_idx : the model to run.

        Returns
        -------
        tuple
            The outputs of the last frame as `SyncAccl.receive` returns them; the mean time from
            sending a frame to having its outputs; frames per second of all frames together.

        Raises
        ------
        ValueError
            When `frames` is not positive.
        """
        count = frame_count(frames, _MANY_FRAMES if threading else 1)
        ports = self._accl.inport_assignment(model_idx)
        frame = random_inputs(self._dfp, list(ports)) if inputs is None else inputs
        depth = SchedulerOptions().ifmap_queue_size if threading else 1
        self._pass(frame, _WARM_UP_FRAMES, depth, model_idx)
        begun = time.perf_counter()
        outputs, latency_ms = self._pass(frame, count, depth, model_idx)
        fps = count / (time.perf_counter() - begun)
        if self._verbose:
            log.info("%d frames: %.3f ms, %.1f frames/s", count, latency_ms, fps)
        return outputs, latency_ms, fps

    def shutdown(self) -> None:
        """Free the device. Safe to call twice."""
        self._accl.shutdown()

    def _pass(self, frame: Inputs, count: int, depth: int, model_idx: int) -> tuple[Outputs, float]:
        """Run frames with so many under way; return the last outputs and the mean latency."""
        sent: deque[float] = deque()
        outputs: Outputs = []
        waited_s = 0.0
        for number in range(count):
            sent.append(time.perf_counter())
            self._accl.send(frame, model_idx)  # type: ignore[arg-type]  # checked there
            while len(sent) >= depth or (sent and number == count - 1):
                outputs = self._accl.receive(model_idx)
                waited_s += time.perf_counter() - sent.popleft()
        return outputs, 1000.0 * waited_s / count


def frame_count(frames: object, default: int) -> int:
    """Return how many frames to run.

    Raises
    ------
    OptionTypeError, InvalidArgumentError
        When it is not a positive integer.
    """
    if frames is None:
        return default
    if not isinstance(frames, int):
        raise OptionTypeError(f"frames is a number of frames, not {frames!r}")
    if frames < 1:
        raise InvalidArgumentError(f"frames is 1 or more, not {frames}")
    return frames


def random_inputs(dfp: Dfp, ports: Sequence[int]) -> list[Array]:
    """Return one array of random values per input port; free axes become 1."""
    random = np.random.default_rng(_SEED)
    return [_random(random, dfp.input_tensors[port]) for port in ports]


def _random(random: np.random.Generator, tensor: TensorInfo) -> Array:
    sizes, dtype = tuple(size or 1 for size in tensor.shape), np.dtype(tensor.dtype)
    if dtype.kind == "f":
        return random.random(sizes).astype(dtype)
    if dtype == np.uint8:
        return random.integers(0, 256, sizes, dtype=np.uint8)
    return np.zeros(sizes, dtype)  # often indices
