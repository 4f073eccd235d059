"""Puts the same frames through several processing plugins and compares speed and numbers."""

import statistics
import time
from collections.abc import Sequence
from typing import Any

import msgspec
import numpy as np

from engine.dfp import Dfp
from engine.errors import EngineError
from engine.plugins import PluginRegistry, Session
from engine.protocol import PluginAvailability, TensorInfo

__all__ = ("Comparison", "PluginFigures", "compare_plugins", "random_frames")

Array = np.ndarray[Any, Any]
Frames = Sequence[Sequence[Array]]

ORACLE = "onnx-reference"


class PluginFigures(msgspec.Struct, frozen=True):
    """How one plugin did; `problem` is a sentence when it did not.

    `max_difference` is the largest absolute difference of any output value from the reference
    evaluator, None when there was nothing to compare with.
    """

    key: str
    precision: str = ""
    frames_per_s: float = 0.0
    latency_ms_p50: float = 0.0
    latency_ms_p95: float = 0.0
    max_difference: float | None = None
    problem: str = ""


class Comparison(msgspec.Struct, frozen=True):
    """All plugins on one model; `max_magnitude` is the largest absolute output of the oracle."""

    program: str
    model: str
    frames: int
    max_magnitude: float
    plugins: tuple[PluginFigures, ...]


def compare_plugins(
    dfp: Dfp, registry: PluginRegistry, *, model_idx: int, frames: Frames, seconds: float
) -> Comparison:
    """Execute the frames with every available plugin, on one thread, one plugin after the other.

    Parameters
    ----------
    registry : its plugins have been probed.
    frames : what to execute, one array per input each.
    seconds : how long each plugin is measured; every frame is executed at least once.
    """
    graph = dfp.graph(model_idx)
    states = registry.states()
    # the oracle goes first, whatever its place in the table
    states = tuple(sorted(states, key=lambda state: state.key != ORACLE))
    truth: list[list[Array]] = []
    found: dict[str, PluginFigures] = {}
    for state in states:
        if state.availability is not PluginAvailability.AVAILABLE or not state.is_enabled:
            found[state.key] = PluginFigures(
                state.key, state.precision, problem=state.reason or "it is switched off"
            )
            continue
        try:
            session = registry.choose(state.key).load(graph)
            try:
                outputs, times_ms = _measure(session, frames, seconds)
            finally:
                session.close()
        except EngineError as error:
            found[state.key] = PluginFigures(state.key, state.precision, problem=error.message)
            continue
        if state.key == ORACLE:
            truth = outputs
        found[state.key] = _figures(state.key, state.precision, times_ms, outputs, truth)
    return Comparison(
        program=dfp.source,
        model=dfp.models[model_idx].name,
        frames=len(frames),
        max_magnitude=max((_largest(one) for run in truth for one in run), default=0.0),
        plugins=tuple(found[key] for key in registry.keys),
    )


def random_frames(
    inputs: Sequence[TensorInfo], *, count: int, free_size: int, seed: int = 0
) -> list[list[Array]]:
    """Return frames of random values, the same ones for the same arguments.

    Parameters
    ----------
    free_size : size of axes that the model leaves free.
    """
    random = np.random.default_rng(seed)
    return [[_random(random, tensor, free_size) for tensor in inputs] for _ in range(count)]


def _random(random: np.random.Generator, tensor: TensorInfo, free_size: int) -> Array:
    shape = tuple(size or free_size for size in tensor.shape)
    dtype = np.dtype(tensor.dtype)
    if dtype.kind == "f":
        return random.random(shape, np.float32).astype(dtype)
    if dtype.kind == "b":
        return random.random(shape) < 0.5
    return random.integers(0, min(255, np.iinfo(dtype).max), shape, endpoint=True).astype(dtype)


def _measure(
    session: Session, frames: Frames, seconds: float
) -> tuple[list[list[Array]], list[float]]:
    """Return the outputs of every frame, and the milliseconds of every run but the first."""
    outputs = [session.run(frame) for frame in frames]  # warms up too
    times_ms: list[float] = []
    end = time.perf_counter() + seconds
    while not times_ms or time.perf_counter() < end:
        begun = time.perf_counter_ns()
        session.run(frames[len(times_ms) % len(frames)])
        times_ms.append((time.perf_counter_ns() - begun) / 1e6)
    return outputs, times_ms


def _figures(
    key: str,
    precision: str,
    times_ms: list[float],
    outputs: list[list[Array]],
    truth: list[list[Array]],
) -> PluginFigures:
    return PluginFigures(
        key=key,
        precision=precision,
        frames_per_s=1000.0 / statistics.fmean(times_ms),
        latency_ms_p50=float(np.percentile(times_ms, 50)),
        latency_ms_p95=float(np.percentile(times_ms, 95)),
        max_difference=_difference(outputs, truth) if truth else None,
    )


def _difference(outputs: list[list[Array]], truth: list[list[Array]]) -> float | None:
    """Return the largest difference; None when the shapes differ, as after data-dependent cuts."""
    pairs = [
        (one, other)
        for run, true in zip(outputs, truth, strict=True)
        for one, other in zip(run, true, strict=True)
    ]
    if any(one.shape != other.shape for one, other in pairs):
        return None
    return max(
        (_largest(one.astype(np.float64) - other.astype(np.float64)) for one, other in pairs),
        default=0.0,
    )


def _largest(array: Array) -> float:
    """Return the largest absolute value that is a number."""
    finite = np.abs(array[np.isfinite(array)], dtype=np.float64) if array.size else array
    return float(finite.max()) if finite.size else 0.0
