"""What an input costs in a batch run, in the dispatching process and in all; docs/scale.md."""

import json
import multiprocessing
import os
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from engine.batch import BatchPlan, BatchProgram, JobSettings, groups, open_batch_program, run_batch
from engine.batch.bench import Bench, WorkerPlan
from engine.batch.journal import BatchItem
from engine.errors import EngineError
from resources import resource_path
from tests.benchmarks.rows import Row, compared
from tests.support.tiny_project import BANDS, PIXELS, make_program

SMALL_INPUTS = int(os.environ.get("PENSTOCK_BATCH_INPUTS", "2000"))
PICTURES = 200
WORKERS = 2


def run(rounds: int) -> list[Row]:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        small = _small_inputs(folder / "small")
        program = open_batch_program(make_program(folder))
        rows = _small(program, small, folder, rounds, "processes", SMALL_INPUTS)
        if find_spec("ray") is not None:
            rows += _on_ray(program, small, folder, rounds)
        return rows + _pictures(folder, rounds)


def _small(
    program: BatchProgram, inputs: Path, folder: Path, rounds: int, executor: str, count: int
) -> list[Row]:
    """Inputs of one line, so that everything is overhead; the start of the workers is taken off."""

    def once(out: Path, inputs_taken: int) -> tuple[float, float]:
        plan = BatchPlan(
            program, (str(inputs),), out, executor=executor, workers=WORKERS, limit=inputs_taken
        )
        return _timed(lambda: run_batch(plan))

    found: dict[str, list[float]] = {"all": [], "dispatch": [], "alone": [], "resume": []}
    for number in range(rounds):
        out = folder / f"{executor}-{number}"
        few = once(folder / f"{executor}-few-{number}", WORKERS)
        whole = once(out, count)
        again = once(out, count)
        with _groups_of(1):
            alone = once(folder / f"{executor}-alone-{number}", count)
        found["all"].append((whole[0] - few[0]) / count * 1e6)
        found["dispatch"].append((whole[1] - few[1]) / count * 1e6)
        found["alone"].append((alone[1] - few[1]) / count * 1e6)
        found["resume"].append(again[1] / count * 1e6)
    return [
        Row(f"batch, {executor}: {what}", f"{statistics.median(found[key]):.0f} us/input")
        for key, what in (
            ("all", f"a tiny input, {WORKERS} workers"),
            ("dispatch", "dispatching CPU, in groups"),
            ("alone", "dispatching CPU, one by one"),
            ("resume", "CPU for what is done already"),
        )
    ]


@contextmanager
def _groups_of(most: int) -> Iterator[None]:
    before, groups._MOST = groups._MOST, most
    try:
        yield
    finally:
        groups._MOST = before


def _on_ray(program: BatchProgram, inputs: Path, folder: Path, rounds: int) -> list[Row]:
    """The same on a cluster of this machine alone, which runs already."""
    import ray

    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    ray.init(address="local", num_cpus=WORKERS, include_dashboard=False, logging_level="error")
    try:
        return _small(program, inputs, folder, rounds, "ray", SMALL_INPUTS)
    except EngineError as error:
        return [Row("batch, ray", f"not measured: {error}")]
    finally:
        ray.shutdown()


def _pictures(folder: Path, rounds: int) -> list[Row]:
    """Real pictures and a real network, beside a plain pool with the same steps."""
    inputs = folder / "pictures"
    inputs.mkdir()
    picture = cv2.imread(str(resource_path("demo/media/street/coffee.png")))
    for number in range(PICTURES):
        shifted = np.roll(picture, number, axis=1)
        cv2.imwrite(str(inputs / f"{number:04d}.jpg"), cv2.resize(shifted, (640, 360)))
    source = resource_path("demo/programs/squeezenet.dfp")
    program = open_batch_program(source)
    ours, bare = [], []
    for number in range(rounds):
        plan = BatchPlan(program, (str(inputs),), folder / f"pictures-{number}", workers=WORKERS)
        ours.append(PICTURES / _timed(lambda plan=plan: run_batch(plan))[0])
        target = folder / f"bare-{number}"
        target.mkdir()
        bare.append(PICTURES / _timed(lambda target=target: _plain_pool(source, inputs, target))[0])
    picture, frame = _worker_cpu(program, next(inputs.iterdir()), folder)
    each = [
        Row("batch: a picture, CPU of its worker", f"{picture * 1e3:.2f} ms"),
        Row("batch: a video's frame, CPU of its worker", f"{frame * 1e3:.2f} ms"),
    ]
    against = compared(
        f"batch: {PICTURES} pictures with start, against a plain pool",
        statistics.median(ours),
        statistics.median(bare),
        "frames/s",
        at_least=0.8,
    )
    return [*each, against]


def _worker_cpu(program: BatchProgram, picture: Path, folder: Path) -> tuple[float, float]:
    """Return CPU seconds of a picture and of a frame of a video, in this process."""
    plan = WorkerPlan(JobSettings(), program.plugin, (), str(folder / "cpu"), str(folder))
    video = resource_path("demo/media/cockatoo.mp4")
    items = [
        BatchItem(0, os.fsencode(picture), "picture", "picture"),
        BatchItem(1, os.fsencode(video), "video", "video"),
    ]
    with Bench(plan, np.frombuffer(program.data, np.uint8)) as bench:
        for item in items:
            assert not bench.process(item).sentence
        pictures = _timed(lambda: [bench.process(items[0]) for _ in range(100)])[1] / 100
        frames = _timed(lambda: bench.process(items[1]))[1] / 280
    return pictures, frames


def _timed(work: Callable[[], Any]) -> tuple[float, float]:
    """Return seconds and CPU seconds of this process without its children."""
    begin, begin_cpu = time.perf_counter(), time.process_time()
    work()
    return time.perf_counter() - begin, time.process_time() - begin_cpu


def _plain_pool(source: Path, inputs: Path, target: Path) -> None:
    context = multiprocessing.get_context("spawn")
    files = [(str(path), str(target / f"{path.name}.json")) for path in sorted(inputs.iterdir())]
    with context.Pool(WORKERS, _plain_start, (str(source),)) as pool:
        for _ in pool.imap_unordered(_plain_work, files):
            pass


_PLAIN: dict[str, Any] = {}


def _plain_start(source: str) -> None:
    import onnxruntime

    from engine.dfp import Dfp

    cv2.setNumThreads(1)
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    _PLAIN["session"] = onnxruntime.InferenceSession(
        Dfp(source).graph(0, "main"), options, providers=["CPUExecutionProvider"]
    )


def _plain_work(files: tuple[str, str]) -> None:
    session = _PLAIN["session"]
    [node] = session.get_inputs()
    picture = cv2.cvtColor(cv2.imread(files[0]), cv2.COLOR_BGR2RGB)
    fitted = cv2.resize(picture, (node.shape[3], node.shape[2])).astype(np.float32)
    mean = np.float32([123.675, 116.28, 103.53])
    tensor = ((fitted - mean) / np.float32([58.4, 57.1, 57.4])).transpose(2, 0, 1)[None]
    scores = session.run(None, {node.name: np.ascontiguousarray(tensor)})[0].ravel()
    best = np.argsort(-scores)[:5]
    row = [{"index": int(index), "score": float(scores[index])} for index in best]
    Path(files[1]).write_text(json.dumps(row))


def _small_inputs(folder: Path) -> Path:
    folder.mkdir()
    cube = np.full((1, PIXELS, BANDS), 100, np.uint16)
    for number in range(SMALL_INPUTS):
        np.save(folder / f"{number:06d}.npy", cube)
    return folder
