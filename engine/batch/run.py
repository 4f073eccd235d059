"""Carries a batch run: finds inputs, hands them to workers, keeps the journal."""

import contextlib
import itertools
import secrets
import shutil
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import msgspec
import numpy as np

from engine.batch.bench import Bench, WorkerPlan
from engine.batch.groups import Groups
from engine.batch.inputs import check_inputs, find_inputs, readable
from engine.batch.job import BatchProgram, JobSettings
from engine.batch.journal import BatchItem, Journal
from engine.batch.parquet import check_parquet
from engine.batch.summary import BatchFailure, BatchProgress, BatchSummary, Outcome, StageSeconds
from engine.batch.writing import write_list
from engine.errors import OutputError, WorkerDiedError
from engine.runner import UnorderedRunner

__all__ = ("BatchPlan", "run_batch")

ASIDE = ".unfinished"

_LOCAL = ("", "processes")
_TOLD = 20
_TRIES = 2
_HURRY_S = 0.4
_LEISURE_S = 10.0


class BatchPlan(msgspec.Struct, frozen=True):
    """What is to be done.

    Attributes
    ----------
    inputs : folders, files and patterns.
    out : folder of the results; made when it is missing.
    executor : "processes", or "ray" or "ray://host:port" for a cluster.
    workers : how many; each takes one core.
    limit : most inputs of this run; 0 takes all.
    again : make every result anew.
    """

    program: BatchProgram
    inputs: tuple[str, ...]
    out: Path
    settings: JobSettings = JobSettings()
    executor: str = "processes"
    workers: int = 1
    limit: int = 0
    again: bool = False


def run_batch(
    plan: BatchPlan, *, on_progress: Callable[[BatchProgress], None] | None = None
) -> BatchSummary:
    """Make a result file for every input that has none, or none that still holds.

    Results are written by the workers, each aside and then put in its place, so a file that is
    there is whole. Whatever ends the run, calling it again does the rest.

    Parameters
    ----------
    on_progress : called by this thread while inputs are found, and after each that is finished.

    Raises
    ------
    ConfigError
        When an input does not exist, or Parquet is wanted without pyarrow.
    BusyError
        When another run writes into that folder.
    OutputError
        When results cannot be written, for example because the disk is full.
    WorkerDiedError
        When no worker can be kept alive.
    """
    check_inputs(plan.inputs)
    if plan.settings.has_parquet:
        check_parquet()
    with contextlib.closing(Journal(plan.out.absolute())) as journal:
        return _Run(plan, journal, on_progress or _ignore).carry()


class _Worker(UnorderedRunner):
    """The hooks that run in workers. Closed early, it waits for none of them."""

    def work_is_done(self) -> None:
        """Let workers leave by themselves, however busy the machine is."""
        self._close_timeout = _LEISURE_S

    @staticmethod
    def producer_init(device: Any, cfg: Any) -> None:  # noqa: ANN401 - as published
        del device
        cfg.bench = Bench(cfg.plan, cfg.program)

    @staticmethod
    def producer_work(device: Any, cfg: Any, data: list[BatchItem]) -> list[Outcome]:  # noqa: ANN401
        del device
        outcomes: list[Outcome] = cfg.bench.process_all(data)
        return outcomes

    @staticmethod
    def producer_end(device: Any, cfg: Any) -> None:  # noqa: ANN401
        del device
        cfg.bench.close()


class _Run:
    """One run, from looking for inputs to the lists at its end."""

    def __init__(
        self, plan: BatchPlan, journal: Journal, tell: Callable[[BatchProgress], None]
    ) -> None:
        self._plan = plan
        self._journal = journal
        self._tell = tell
        self._out = plan.out.absolute()
        self._left_out = 0
        self._progress = BatchProgress(is_planning=True, total=0)
        self._stages = StageSeconds()
        self._warnings: list[BatchFailure] = []
        self._workers = self._workers_lost = 0

    def carry(self) -> BatchSummary:
        """Do everything."""
        begin = time.monotonic()
        self._find()
        waiting = self._progress.total - self._progress.already
        if waiting:
            with _place_aside(self._out) as aside:
                self._work_off(waiting, aside)
        write_list(self._out / "inputs.jsonl", self._journal.entries())
        write_list(self._out / "failed.jsonl", self._journal.failures())
        summary = self._summary(time.monotonic() - begin)
        write_list(self._out / "summary.json", [summary])
        return summary

    def _find(self) -> None:
        plan, settings = self._plan, self._plan.settings
        found = find_inputs(
            plan.inputs,
            takes_lines=plan.program.takes_lines,
            without=self._out,
            on_left_out=self._leave_out,
        )
        self._journal.plan(
            found,
            plan.program.fingerprint(settings),
            again=plan.again,
            limit=plan.limit,
            has_parquet=settings.has_parquet,
            on_planned=lambda count: self._tell(BatchProgress(is_planning=True, total=count)),
        )
        already = self._journal.count("done")
        total = already + self._journal.count("waiting")
        self._progress = BatchProgress(is_planning=False, total=total, already=already)
        self._tell(self._progress)

    def _leave_out(self, path: Path, reason: str) -> None:
        if not reason:
            self._left_out += 1
        elif len(self._warnings) < _TOLD:
            self._warnings.append(BatchFailure(readable(str(path)), reason))

    def _work_off(self, waiting: int, aside: Path) -> None:
        self._workers = min(self._plan.workers, waiting)
        with self._open_runner(aside) as runner:
            try:
                self._give_out(runner)
                runner.work_is_done()
            finally:
                self._workers_lost = runner.statistics.workers_lost

    def _open_runner(self, aside: Path) -> _Worker:
        program = self._plan.program
        cfg = {
            "plan": WorkerPlan(
                self._plan.settings,
                program.plugin,
                program.disabled_plugins,
                str(self._out),
                str(aside),
            ),
            "program": np.frombuffer(program.data, np.uint8),
        }
        is_local = self._plan.executor in _LOCAL
        return _Worker(
            self._workers,
            cfg,
            executor=None if is_local else self._plan.executor,
            # A fork would share the journal's file, and libraries that have threads.
            start_method="spawn" if is_local else None,
            close_timeout=_HURRY_S,
        )

    def _give_out(self, runner: _Worker) -> None:
        """Let the workers do everything; what a worker died of is tried once more, then alone."""
        for _ in range(_TRIES):
            waiting = self._journal.count("waiting")
            if not waiting:
                return
            groups = Groups(self._journal.waiting(), waiting, self._workers)
            with runner.imap(groups, on_error="skip") as results:
                for outcomes in results:
                    groups.was_done(len(outcomes), sum(one.seconds for one in outcomes))
                    self._take(outcomes)
        for item in self._journal.waiting():
            self._take(_alone(runner, item))

    def _take(self, outcomes: Sequence[Outcome]) -> None:
        """Note what became of a group."""
        done = [one for one in outcomes if not one.is_fatal]
        names = self._journal.settle(done)
        for name, outcome in zip(names, done, strict=True):
            self._stages = self._stages.plus(outcome.stages)
            room = _TOLD - len(self._warnings)
            self._warnings += [BatchFailure(name, told) for told in outcome.warnings[:room]]
        before, failed = self._progress, sum(1 for one in done if one.sentence)
        self._progress = msgspec.structs.replace(
            before,
            done=before.done + len(done) - failed,
            failed=before.failed + failed,
            frames=before.frames + sum(one.frames for one in done),
        )
        self._tell(self._progress)
        for outcome in outcomes:
            if outcome.is_fatal:
                raise OutputError(outcome.sentence)

    def _summary(self, seconds: float) -> BatchSummary:
        progress, program = self._progress, self._plan.program
        return BatchSummary(
            program=program.name,
            plugin=program.plugin,
            executor=self._plan.executor,
            out=str(self._plan.out),
            workers=self._workers,
            inputs=progress.total,
            already=progress.already,
            done=progress.done,
            failed=progress.failed,
            left_out=self._left_out,
            frames=progress.frames,
            seconds=round(seconds, 3),
            inputs_per_s=round((progress.done + progress.failed) / seconds, 3),
            frames_per_s=round(progress.frames / seconds, 3),
            worker_seconds=self._stages,
            workers_lost=self._workers_lost,
            failures=tuple(itertools.islice(self._journal.failures(), _TOLD)),
            warnings=tuple(self._warnings),
        )


def _alone(runner: _Worker, item: BatchItem) -> list[Outcome]:
    """Do one input that workers died at, with nothing else under way."""
    try:
        with runner.imap([[item]], on_error="raise") as results:
            outcomes: list[Outcome] = next(results)
            return outcomes
    except WorkerDiedError as error:
        return [Outcome(item.number, sentence=f"{item.name} ends the worker: {error}")]


@contextlib.contextmanager
def _place_aside(out: Path) -> Iterator[Path]:
    """Make the folder in which results grow; what earlier runs left there goes first.

    A worker of an earlier run that does not know of its end yet finds its own folder gone, and
    can put nothing in place any more.
    """
    whole = out / ASIDE
    place = whole / secrets.token_hex(8)
    try:
        if whole.exists():
            shutil.rmtree(whole)
        place.mkdir(parents=True)
    except OSError as error:
        raise OutputError(
            f"results cannot be written to {out}: {error.strerror or error}; choose another folder"
        ) from error
    try:
        yield place
    finally:
        shutil.rmtree(whole, ignore_errors=True)


def _ignore(progress: BatchProgress) -> None:
    del progress
