"""A worker's place of work: one program, loaded once, and one input after the other."""

import logging
import os
import socket
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Self

import cv2
import msgspec
import numpy as np
import numpy.typing as npt

from engine.batch.inputs import InputKind, readable
from engine.batch.job import JobSettings
from engine.batch.journal import BatchItem
from engine.batch.parquet import check_parquet
from engine.batch.rows import FrameName, make_row
from engine.batch.sources import TimedFrame, open_frames
from engine.batch.summary import Outcome, StageSeconds
from engine.batch.writing import ResultFiles
from engine.config import Task
from engine.dfp import Dfp
from engine.errors import EngineError, MediaError, OutputError
from engine.pipeline.post import make_postprocessor
from engine.pipeline.pre import Preprocessor
from engine.plugins import PluginRegistry
from engine.protocol import FrameFormat

__all__ = ("Bench", "WorkerPlan")

log = logging.getLogger(__name__)

_FORMATS_KEPT = 8


class WorkerPlan(msgspec.Struct, frozen=True):
    """What a worker is told beside the program.

    Attributes
    ----------
    out : folder of the results, absolute.
    aside : folder in which results grow until they are whole; there while the run lasts.
    """

    settings: JobSettings
    plugin: str
    disabled_plugins: tuple[str, ...]
    out: str
    aside: str


class Bench:
    """Loads a program and puts inputs through it, one thread, one frame at a time.

    The steps and their order are those of a live stream, so the results are the same.

    Parameters
    ----------
    program : ndarray, shape (n,), uint8, the bytes of the DFP.

    Raises
    ------
    OutputError
        When this machine does not see the folder of the results.
    ConfigError
        When Parquet is wanted and pyarrow is not installed here.
    ProgramError, PluginError
        When the program cannot be executed here.
    """

    def __init__(self, plan: WorkerPlan, program: npt.NDArray[np.uint8]) -> None:
        cv2.setNumThreads(1)  # the workers are the threads
        self._plan = plan
        self._out, self._aside = Path(plan.out), Path(plan.aside)
        _check_place(self._aside)
        if plan.settings.has_parquet:
            check_parquet()
        dfp = Dfp(program.tobytes())
        self._model = dfp.models[0]
        registry = PluginRegistry(disabled=plan.disabled_plugins)
        self._session = registry.choose(plan.plugin).load(dfp.graph(0, "main"))
        post = self._model.post
        if plan.settings.threshold is not None:
            post = msgspec.structs.replace(post, threshold=plan.settings.threshold)
        model = self._model
        self._post = make_postprocessor(model.task, post, model.outputs, model.labels)
        self._fits: dict[FrameFormat, tuple[Preprocessor, npt.NDArray[Any]]] = {}
        self._warnings = _Warnings()

    def process_all(self, items: Sequence[BatchItem]) -> list[Outcome]:
        """Make the results of a group; what nothing can be written after is not begun."""
        outcomes: list[Outcome] = []
        for item in items:
            outcomes.append(self.process(item))
            if outcomes[-1].is_fatal:
                break
        return outcomes

    def process(self, item: BatchItem) -> Outcome:
        """Make the result of one input; what is wrong with it is told in the outcome."""
        begin = time.perf_counter()
        self._warnings.told.clear()
        clock = _StageClock()
        sentence, is_fatal = "", False
        frames = size_bytes = 0
        try:
            frames, size_bytes = self._make(item, clock)
        except OutputError as error:
            sentence, is_fatal = str(error), True
        except Exception as error:
            # Decoders and backends raise whatever they like about files from anywhere; the other
            # inputs must go on.
            log.debug("input %s failed", item.name, exc_info=True)
            sentence = _sentence(error)
        return Outcome(
            item.number,
            frames=frames,
            size_bytes=size_bytes,
            seconds=time.perf_counter() - begin,
            stages=clock.stages(),
            sentence=sentence,
            is_fatal=is_fatal,
            warnings=tuple(self._warnings.told),
        )

    def close(self) -> None:
        """Let go of the program. Safe to call twice."""
        self._session.close()
        self._warnings.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _make(self, item: BatchItem, clock: "_StageClock") -> tuple[int, int]:
        """Write the result; return how many frames and bytes it has."""
        settings, task = self._plan.settings, self._model.task
        path = Path(os.fsdecode(item.path))
        kind = _kind_of(item, path)
        clock.begin()
        written_as = task if settings.has_parquet else None
        with (
            open_frames(kind, path) as opened,
            ResultFiles(
                self._aside, self._out, item.name, written_as, has_pixels=settings.has_pixels
            ) as files,
        ):
            pre, tensor = self._fit(opened.frame_format)
            count = 0
            for frame in opened.frames:
                clock.reached("decode")
                name = FrameName(item.name, count, frame.time_s)
                self._put(frame, name, pre, tensor, files, clock)
                count += 1
                if count == settings.frames:
                    break
            size_bytes = files.finish()
        clock.reached("write")
        return count, size_bytes

    def _put(
        self,
        frame: TimedFrame,
        name: FrameName,
        pre: Preprocessor,
        tensor: npt.NDArray[Any],
        files: ResultFiles,
        clock: "_StageClock",
    ) -> None:
        geometry = pre(frame.values, tensor)
        clock.reached("pre")
        outputs: Sequence[npt.NDArray[Any]] = self._session.run([tensor])
        clock.reached("execute")
        findings = self._post(outputs, geometry)
        task = self._model.task
        tensors = zip(self._model.outputs, outputs, strict=True) if task is Task.TENSOR else ()
        row = make_row(
            name, task, findings, tuple(tensors), has_pixels=self._plan.settings.has_pixels
        )
        clock.reached("post")
        files.write(row)
        clock.reached("write")

    def _fit(self, frame_format: FrameFormat) -> tuple[Preprocessor, npt.NDArray[Any]]:
        """Return what makes tensors of such frames; folders mostly hold a few sizes."""
        same = msgspec.structs.replace(frame_format, rate_hz=0.0, frame_count=0)
        if same not in self._fits:
            if len(self._fits) >= _FORMATS_KEPT:
                self._fits.pop(next(iter(self._fits)))
            pre = Preprocessor(self._model.pre, self._model.inputs[0], same)
            self._fits[same] = pre, pre.new_tensor()
        return self._fits[same]


class _StageClock:
    """Adds up how long the stages took."""

    def __init__(self) -> None:
        self._spent: dict[str, float] = {}
        self._since = time.perf_counter()

    def begin(self) -> None:
        self._since = time.perf_counter()

    def reached(self, stage: str) -> None:
        now = time.perf_counter()
        self._spent[stage] = self._spent.get(stage, 0.0) + now - self._since
        self._since = now

    def stages(self) -> StageSeconds:
        return StageSeconds(**self._spent)


class _Warnings(logging.Handler):
    """Keeps what drivers warn of."""

    def __init__(self) -> None:
        super().__init__(logging.WARNING)
        self.told: list[str] = []
        self._logger = logging.getLogger("driver")
        self._logger.addHandler(self)

    def emit(self, record: logging.LogRecord) -> None:
        self.told.append(readable(record.getMessage()))

    def close(self) -> None:
        self._logger.removeHandler(self)
        super().close()


def _check_place(aside: Path) -> None:
    if not aside.is_dir():
        raise OutputError(
            f"machine {socket.gethostname()} does not see the folder {aside}; inputs and results "
            "must lie in folders that all machines of the cluster share under the same path"
        )


def _kind_of(item: BatchItem, path: Path) -> InputKind:
    if item.kind:
        return InputKind(item.kind)
    raise MediaError(
        f"{path} is no input by its suffix; pictures, videos, .npy and ENVI .hdr files are",
        file=str(path),
    )


def _sentence(error: Exception) -> str:
    told = " ".join(str(error).split()) or "it says nothing more"
    return readable(told if isinstance(error, EngineError) else f"{type(error).__name__}: {told}")
