"""Tries every plugin with every kind of numbers and chooses."""

import os
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import msgspec

from app.tuning.choosing import choose, judge, ranked
from app.tuning.limits import Limit
from app.tuning.material import Material
from app.tuning.results import Row, Setting, TuneResult
from app.tuning.trial import Trial, TrialError
from engine.dfp import Dfp, Parity, Tuned, pack_dfp
from engine.plugins import PluginRegistry
from engine.plugins.host import processor_name
from engine.protocol import PluginAvailability, PluginState

__all__ = ("TunePlan", "settings_of", "tune")

_UNTUNED = "onnxruntime-cpu"
_LEFT_OUT = ("mx3", "onnx-reference", "simulator")
_ANSWER_LIMIT_S = 30.0
_PROBE_LIMIT_S = 30.0
_FINALISTS = 5


@dataclass(frozen=True, slots=True)
class TunePlan:
    """What to try.

    Attributes
    ----------
    limits : what the numbers have to keep.
    plugins : keys; empty tries all that work here.
    window_s : how long a setting is measured at a time.
    rounds : how often the best ones are measured again, in turns.
    cores : threads to use at most; 0 is one per core.
    load_limit_s : how long a plugin may take to load the program and run all frames once.
    """

    limits: tuple[Limit, ...]
    plugins: tuple[str, ...] = ()
    window_s: float = 0.5
    rounds: int = 3
    cores: int = 0
    load_limit_s: float = 120.0


def tune(
    dfp: Dfp,
    material: Material,
    plan: TunePlan,
    on_progress: Callable[[str], None] = lambda _: None,
) -> tuple[TuneResult, Dfp]:
    """Return what was tried, and the program with the best setting in it.

    Blocks for a few seconds per setting; every plugin runs in processes of its own.

    Parameters
    ----------
    material : the program's graphs as they are and as INT8, and frames.
    on_progress : told what is being tried, for people.

    Raises
    ------
    NoSettingError
        When no setting keeps the limits.
    """
    with tempfile.TemporaryDirectory(prefix="penstock-tune-") as name:
        folder = Path(name)
        material.write(folder)
        search = _Search(folder, plan, on_progress)
        try:
            search.screen(_plugins(plan.plugins), material.kinds)
            search.repeat()
        finally:
            search.close()
    rows = ranked([judge(row, plan.limits) for row in search.rows.values()])
    best = choose(rows)
    untuned = next(row for row in rows if row.setting == search.untuned)
    result = TuneResult(
        program=dfp.source,
        limits=tuple(str(limit) for limit in plan.limits),
        rows=tuple(rows),
        winner=rows.index(best),
        untuned=rows.index(untuned),
        speedup=best.figures.rate_hz / untuned.figures.rate_hz if untuned.figures.rate_hz else 0.0,
        frames=material.frames,
        is_calibrated=material.is_calibrated,
        processor=processor_name(),
        cores=search.cores,
        notes=material.notes,
    )
    return result, _tuned(dfp, material, result, search.parities[best.setting])


def settings_of(setting: Setting, cores: int, lanes: int) -> list[Setting]:
    """Return the ways to divide the cores for a plugin; each uses all of them.

    `lanes` is what the plugin asks for; 0 when it does not say.
    """
    if lanes:
        return [msgspec.structs.replace(setting, lanes=lanes, threads=1)]
    threads = [1, *(count for count in (2, 4) if count < cores and cores % count == 0)]
    threads += [cores] if cores > 1 else []
    return [
        msgspec.structs.replace(setting, lanes=max(1, cores // count), threads=count)
        for count in dict.fromkeys(threads)
    ]


class _Search:
    """What was found so far, and the processes of the best settings."""

    def __init__(self, folder: Path, plan: TunePlan, tell: Callable[[str], None]) -> None:
        self.rows: dict[Setting, Row] = {}
        self.parities: dict[Setting, tuple[Parity, ...]] = {}
        self.cores = plan.cores or _usable_cores()
        self.untuned = Setting(_UNTUNED, lanes=self.cores)
        self._folder = folder
        self._plan = plan
        self._tell = tell
        self._trials: dict[Setting, Trial] = {}

    def close(self) -> None:
        """End all processes."""
        for trial in self._trials.values():
            trial.close()
        self._trials = {}

    def screen(self, plugins: Sequence[PluginState], kinds: Sequence[str]) -> None:
        """Try everything once; the untuned setting first, the others are compared with it."""
        for kind in kinds:
            for plugin in plugins:
                self._screen(Setting(plugin.key, plugin.precision or "float32", kind == "int8"))

    def repeat(self) -> None:
        """Measure those that are left again, in turns, and keep each one's best rate."""
        for number in range(self._plan.rounds):
            turns = list(self._trials.items())
            for setting, trial in turns if number % 2 == 0 else reversed(turns):
                self._tell(f"round {number + 1}: {setting.plugin}, {setting.numbers}")
                self._measure(setting, trial)

    def _screen(self, setting: Setting) -> None:
        ways = settings_of(setting, self.cores, 0)
        while ways:
            way = ways.pop(0)
            self._tell(f"{way.plugin}, {way.numbers}, {way.lanes} x {way.threads}")
            kind = "int8" if way.is_quantized else "float"
            trial = Trial(self._folder, way.plugin, kind, way.threads)
            try:
                loaded = trial.loaded(self._plan.load_limit_s)
                row = judge(Row(way, loaded.figures, loaded.problem), self._plan.limits)
            except TrialError as error:
                loaded, row = None, Row(way, problem=str(error))
            if row.problem or loaded is None:
                trial.close()
                self.rows[way] = row
                return  # other threads give the same numbers
            if loaded.lanes:
                way, ways = settings_of(way, self.cores, loaded.lanes)[0], []
            self.rows[way] = msgspec.structs.replace(row, setting=way)
            self.parities[way] = loaded.parities
            self._trials[way] = trial
            self._measure(way, trial)
            self._drop_slowest()

    def _measure(self, setting: Setting, trial: Trial) -> None:
        row, window_s = self.rows[setting], self._plan.window_s
        try:
            found = trial.measure(setting.lanes, window_s, window_s + _ANSWER_LIMIT_S)
        except TrialError as error:
            self.rows[setting] = msgspec.structs.replace(row, problem=str(error))
            self._end(setting)
            return
        if found.rate_hz > row.figures.rate_hz:
            figures = msgspec.structs.replace(
                row.figures, rate_hz=found.rate_hz, latency_ms=found.latency_ms
            )
            self.rows[setting] = msgspec.structs.replace(row, figures=figures)

    def _drop_slowest(self) -> None:
        """Keep the processes of the fastest few, and of the untuned setting."""
        others = [setting for setting in self._trials if setting != self.untuned]
        if len(others) > _FINALISTS:
            self._end(min(others, key=lambda setting: self.rows[setting].figures.rate_hz))

    def _end(self, setting: Setting) -> None:
        trial = self._trials.pop(setting, None)
        if trial is not None:
            trial.close()


def _usable_cores() -> int:
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def _plugins(wanted: Sequence[str]) -> list[PluginState]:
    """Return the plugins to try, onnxruntime first, which the others are compared with."""
    registry = PluginRegistry()
    states = {state.key: state for state in registry.probe_all(_PROBE_LIMIT_S)}
    for key in wanted:
        registry.choose(key)
    keys = wanted or [
        key
        for key, state in states.items()
        if key not in _LEFT_OUT and state.availability is PluginAvailability.AVAILABLE
    ]
    return [states[key] for key in dict.fromkeys((_UNTUNED, *keys))]


def _tuned(dfp: Dfp, material: Material, result: TuneResult, parities: Sequence[Parity]) -> Dfp:
    """Return the program with the chosen graphs and the setting."""
    row = result.best
    setting, figures = row.setting, row.figures
    manifest = dfp.manifest
    graphs = {name: dfp.member(name) for name in manifest.members}
    models = list(dfp.models)
    if setting.is_quantized:
        for entry, graph in zip(models, material.quantized, strict=True):
            graphs[entry.main] = graph
        models = [
            msgspec.structs.replace(entry, parity=parity)
            for entry, parity in zip(models, parities, strict=True)
        ]
    tuned = Tuned(
        plugin=setting.plugin,
        precision=setting.precision,
        is_quantized=setting.is_quantized,
        lanes=setting.lanes,
        threads_per_lane=setting.threads,
        rate_hz=figures.rate_hz,
        untuned_hz=result.rows[result.untuned].figures.rate_hz,
        cosine=figures.cosine,
        max_difference=figures.max_difference,
        top1=figures.top1,
        limits=result.limits,
        processor=result.processor,
    )
    return Dfp(pack_dfp(name=manifest.name, models=models, graphs=graphs, tuned=tuned))
