"""Measures all combinations of plugins, lanes and streams that were asked for."""

import os
import platform
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from app.benchmark.load import BareLoad, LaneLoad, Load
from app.benchmark.results import BenchResult, BenchRow, Window, agree, make_row
from engine.dfp import Dfp
from engine.errors import InvalidArgumentError
from engine.plugins import PluginRegistry, ProcessingPlugin

__all__ = ("BenchPlan", "measure")

_PACKAGES = ("penstock", "onnxruntime", "numpy", "openvino")


@dataclass(frozen=True, slots=True)
class BenchPlan:
    """What to measure.

    Attributes
    ----------
    model : number of the model in the program.
    plugins : their keys; empty takes the first that works.
    lanes, streams : how many; every combination is measured. 0 lanes is one per core.
    window_s, warm_up_s : length of a window, and of the time before the first one.
    most_windows : give up waiting for agreement after so many.
    has_bare : measure bare onnxruntime beside it, turn by turn.
    """

    model: int = 0
    plugins: tuple[str, ...] = ()
    lanes: tuple[int, ...] = (0,)
    streams: tuple[int, ...] = (1,)
    window_s: float = 1.0
    warm_up_s: float = 1.0
    most_windows: int = 10
    has_bare: bool = True


def measure(
    program: Path, plan: BenchPlan, on_progress: Callable[[str], None] = lambda _: None
) -> BenchResult:
    """Measure a program; blocks for some seconds per combination.

    Parameters
    ----------
    on_progress : told what is being measured, for people.

    Raises
    ------
    ProgramError, PluginError
        When the program or a plugin cannot be used.
    """
    dfp = Dfp(program)
    if not 0 <= plan.model < len(dfp.models):
        raise InvalidArgumentError(
            f"program {program} has models 0 to {len(dfp.models) - 1}, not {plan.model}"
        )
    graph = bytes(dfp.graph(plan.model))
    rows: list[BenchRow] = []
    for plugin in _plugins(plan.plugins):
        for lanes in dict.fromkeys(count or _cores() for count in plan.lanes):
            for streams in dict.fromkeys(plan.streams):
                on_progress(f"{plugin.key}, {lanes} lanes, {streams} streams")
                rows.append(_measure_one(graph, plugin, lanes, streams, plan))
    return BenchResult(
        program=program.name,
        sha256=dfp.sha256,
        model=dfp.models[plan.model].name,
        processor=platform.processor() or platform.machine(),
        cores=_cores(),
        versions=_versions(),
        window_s=plan.window_s,
        rows=tuple(rows),
    )


def _measure_one(
    graph: bytes, plugin: ProcessingPlugin, lanes: int, streams: int, plan: BenchPlan
) -> BenchRow:
    depth = max(2, -(-2 * lanes // streams))  # enough frames under way for every lane, twice
    session = plugin.load(graph)
    tensors = session.inputs
    ours: list[Window] = []
    bare: list[Window] = []
    with ExitStack() as stack:
        load = stack.enter_context(LaneLoad(session, lanes=lanes, streams=streams, depth=depth))
        _warm_up(load, plan.warm_up_s)
        peer = None
        if plan.has_bare:
            peer = stack.enter_context(BareLoad(graph, tensors, threads=lanes))
            _warm_up(peer, plan.warm_up_s)
        while len(ours) < plan.most_windows and not (_is_done(ours) and _is_done(bare, peer)):
            ours.append(load.window(plan.window_s))
            if peer is not None:
                bare.append(peer.window(plan.window_s))
    return make_row(
        plugin=plugin.key,
        precision=plugin.precision,
        lanes=lanes,
        streams=streams,
        depth=depth,
        ours=ours,
        bare=bare,
    )


def _warm_up(load: Load, seconds: float) -> None:
    if seconds > 0:
        load.window(seconds)


def _is_done(windows: Sequence[Window], load: object = True) -> bool:
    return load is None or agree([window.rate_hz for window in windows])


def _plugins(keys: Sequence[str]) -> list[ProcessingPlugin]:
    registry = PluginRegistry()
    return [registry.choose(key) for key in keys] if keys else [registry.choose()]


def _cores() -> int:
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def _versions() -> dict[str, str]:
    versions = {"python": platform.python_version()}
    for package in _PACKAGES:
        try:
            versions[package] = version(package)
        except PackageNotFoundError:
            continue
    return versions
