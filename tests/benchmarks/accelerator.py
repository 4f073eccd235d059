"""The accelerator classes against bare onnxruntime: alone, with many streams, and shared.

Bare and ours use the same session settings (one thread per execution, no spinning) and alternate,
a few frames or a round each; ratios are medians of what was measured side by side. The model is a
MobileNet with random weights; the identity model with a frame of 600 kB shows what a frame costs
on its way.
"""

import functools
import json
import os
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any

import numpy as np
import onnxruntime as ort

from app.tuning import Limit, TunePlan, TuneResult, tune
from app.tuning.material import make_material
from engine import AsyncAccl, Dfp, MultiStreamAsyncAccl, SchedulerOptions, SyncAccl
from engine.manager import ManagerAddress, start_manager, stop_manager
from tests.benchmarks.rows import Row, bounded
from tests.support.manager_rig import identity_program
from tests.support.mobilenet import mobilenet_program
from tests.support.network_rig import network_rig

SECONDS = 1.5
WARM_UP_S = 0.4
TURNS = 3  # measurements in a round
BLOCKS, BLOCK_FRAMES = 15, 20
WEIGHTS_S = 10.0
FRAMES = 1500
NETWORK_FRAMES = 300
PICTURE = (1, 3, 224, 224)  # float32: 602 kB
STREAMS = 16
CLIENTS = 4
LOCAL = {"ignore_manager": True}

Array = np.ndarray[Any, Any]


def run(rounds: int) -> list[Row]:
    with manager() as place:
        return [
            *single_stream(rounds, place),
            *saturated(rounds, place),
            *frame_cost(rounds, place),
            *network_cost(rounds),
            *four_clients(rounds, place),
            *weights(place),
            *tuned(rounds),
        ]


@contextmanager
def manager() -> Iterator[dict[str, Any]]:
    """Run a device manager, and say how it is found."""
    with tempfile.TemporaryDirectory(prefix="penstock-bench-") as folder:
        address = ManagerAddress(folder)
        start_manager(address, devices=["onnxruntime-cpu"], idle_timeout_s=0)
        try:
            yield {"manager_addr": folder}
        finally:
            stop_manager(address)


@functools.cache
def program() -> bytes:
    return mobilenet_program()


def bare_session(dfp: Dfp) -> ort.InferenceSession:
    options = ort.SessionOptions()
    options.intra_op_num_threads = 1
    options.inter_op_num_threads = 1
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    return ort.InferenceSession(dfp.graph(0), options, providers=["CPUExecutionProvider"])


def picture_for(dfp: Dfp) -> Array:
    shape = tuple(size or 1 for size in dfp.models[0].inputs[0].shape)
    return np.random.default_rng(1).random(shape).astype(np.float32)


def side_by_side(rounds: int, *measures: Callable[[], float]) -> list[list[float]]:
    """Return what each measure found; they alternate."""
    found = [[measure() for measure in measures] for _ in range(rounds * TURNS)]
    return [list(values) for values in zip(*found, strict=True)]


def ratio_row(what: str, ours: list[float], bare: list[float], at_least: float = 0) -> Row:
    """Compare frames per second that were measured side by side; without a bound, only tell."""
    ratio = statistics.median(a / b for a, b in zip(ours, bare, strict=True))
    return Row(
        what,
        f"{statistics.median(ours):.1f} fps",
        f"{statistics.median(bare):.1f} fps",
        f"{ratio:.3f}",
        f">= {at_least:g}" if at_least else "",
        "" if not at_least else "ok" if ratio >= at_least else "MISSED",
    )


# -- one stream


def single_stream(rounds: int, place: dict[str, Any]) -> list[Row]:
    """Compare a few frames bare, a few local, a few shared, and again."""
    dfp = Dfp(program())
    session, frame = bare_session(dfp), picture_for(dfp)
    name = session.get_inputs()[0].name
    with SyncAccl(dfp, **LOCAL) as local, SyncAccl(dfp, **place) as shared:
        steps = (
            lambda: session.run(None, {name: frame}),
            lambda: local.run(frame),
            lambda: shared.run(frame),
        )
        rates = [[median_rate(step) for step in steps] for _ in range(rounds * BLOCKS)]
    bare, ours, managed = (list(column) for column in zip(*rates, strict=True))
    return [
        ratio_row("one stream, frame by frame, local", ours, bare, 0.97),
        ratio_row("one stream, frame by frame, manager", managed, bare, 0.92),
    ]


def median_rate(step: Callable[[], object]) -> float:
    """Return frames per second of a few frames one after the other, by their median."""
    step()
    times = []
    for _ in range(BLOCK_FRAMES):
        begun = time.perf_counter()
        step()
        times.append(time.perf_counter() - begun)
    return 1 / statistics.median(times)


# -- as fast as it goes


class Meter:
    """Counts results per stream, after a warm-up and for a while."""

    def __init__(self, streams: int, seconds: float = SECONDS) -> None:
        self.counts = [0] * streams
        self.done = threading.Event()
        self._seconds = seconds
        self._lock = threading.Lock()

    def count(self, stream: int) -> None:
        with self._lock:
            self.counts[stream] += 1

    def measure(self) -> tuple[float, list[int]]:
        """Return results per second, and those of each stream."""
        threading.Event().wait(WARM_UP_S)
        with self._lock:
            before, begun = list(self.counts), time.perf_counter()
        threading.Event().wait(self._seconds)
        with self._lock:
            after, ended = list(self.counts), time.perf_counter()
        self.done.set()
        counts = [b - a for a, b in zip(before, after, strict=True)]
        return sum(counts) / (ended - begun), counts


def saturated(rounds: int, place: dict[str, Any]) -> list[Row]:
    dfp = Dfp(program())
    frame, fairness = picture_for(dfp), []

    def bare_best() -> float:
        cores = len(os.sched_getaffinity(0))
        return max(bare_threads(dfp, frame, threads) for threads in {cores, cores + 1})

    def many(**options: Any) -> float:
        rate, counts = many_streams_rate(dfp, frame, options)
        fairness.append(jain(counts))
        return rate

    bare, local, streams, managed = side_by_side(
        rounds,
        bare_best,
        lambda: one_stream_rate(dfp, frame, LOCAL),
        lambda: many(**LOCAL),
        lambda: many(**place),
    )
    least = statistics.median(fairness)
    return [
        ratio_row("AsyncAccl, all cores, local", local, bare, 0.95),
        ratio_row(f"{STREAMS} streams, all cores, local", streams, bare, 0.95),
        ratio_row(f"{STREAMS} streams, all cores, manager", managed, bare),
        Row(
            f"{STREAMS} streams, fairness (Jain)",
            f"{least:.4f}",
            wanted=">= 0.99",
            verdict="ok" if least >= 0.99 else "MISSED",
        ),
    ]


def bare_threads(dfp: Dfp, frame: Array, threads: int) -> float:
    """Frames per second of plain threads that share a session."""
    session, meter = bare_session(dfp), Meter(threads)
    name = session.get_inputs()[0].name

    def loop(index: int) -> None:
        while not meter.done.is_set():
            session.run(None, {name: frame})
            meter.count(index)

    with ThreadPoolExecutor(threads) as pool:
        for index in range(threads):
            pool.submit(loop, index)
        return meter.measure()[0]


def one_stream_rate(dfp: Dfp, frame: Array, options: dict[str, Any]) -> float:
    """Results per second of an AsyncAccl that always has a frame."""
    meter = Meter(1)
    with AsyncAccl(dfp, **options) as accl:
        accl.connect_output(lambda *_: meter.count(0))
        accl.connect_input(lambda: frame)
        return meter.measure()[0]


def many_streams_rate(dfp: Dfp, frame: Array, options: dict[str, Any]) -> tuple[float, list[int]]:
    meter = Meter(STREAMS)
    with MultiStreamAsyncAccl(dfp, **options) as accl:
        accl.connect_streams(lambda _: frame, lambda stream, *_: meter.count(stream), STREAMS)
        return meter.measure()


def jain(counts: list[int]) -> float:
    """Return the fairness of shares: 1 when all are equal, 1/n when one has all."""
    return sum(counts) ** 2 / (len(counts) * sum(count * count for count in counts))


# -- what a frame costs


def frame_cost(rounds: int, place: dict[str, Any]) -> list[Row]:
    dfp = Dfp(identity_program(PICTURE))
    session, frame = bare_session(dfp), picture_for(dfp)

    def bare() -> list[float]:
        return times_us(lambda: session.run(None, {"x": frame}))

    rows = []
    for where, options, limit_us in (("local", LOCAL, 70), ("manager", place, 180)):
        with SyncAccl(dfp, **options) as accl:
            pairs = [(bare(), times_us(lambda: accl.run(frame))) for _ in range(rounds)]
        added = statistics.median(statistics.median(b) - statistics.median(a) for a, b in pairs)
        p99 = statistics.median(float(np.percentile(b, 99)) for _, b in pairs)
        rows += [
            bounded(f"identity, 600 kB, {where}: added per frame", added, "us", limit_us),
            Row(f"identity, 600 kB, {where}: p99", f"{p99:.1f} us"),
        ]
    return rows


def network_cost(rounds: int) -> list[Row]:
    """Measure the same on the way over encrypted TCP, which has no bound of its own."""
    dfp = Dfp(identity_program(PICTURE))
    frame = picture_for(dfp)
    with network_rig() as away:
        away.start("onnxruntime-cpu")
        with SyncAccl(dfp, **away.place) as accl:
            found = [times_us(lambda: accl.run(frame), NETWORK_FRAMES) for _ in range(rounds)]
    median = statistics.median(statistics.median(times) for times in found)
    p99 = statistics.median(float(np.percentile(times, 99)) for times in found)
    return [
        Row("identity, 600 kB, encrypted loopback TCP: a frame", f"{median:.0f} us"),
        Row("identity, 600 kB, encrypted loopback TCP: p99", f"{p99:.0f} us"),
    ]


def times_us(step: Callable[[], object], count: int = FRAMES) -> list[float]:
    for _ in range(count // 10):
        step()
    found = []
    for _ in range(count):
        begun = time.perf_counter()
        step()
        found.append((time.perf_counter() - begun) * 1e6)
    return found


# -- several processes


def four_clients(rounds: int, place: dict[str, Any]) -> list[Row]:
    dfp = Dfp(program())
    frame = picture_for(dfp)
    alone, together = side_by_side(
        rounds,
        lambda: one_stream_rate(dfp, frame, LOCAL),
        lambda: sum(client_rates([1.0] * CLIENTS, SECONDS, place)),
    )
    return [ratio_row(f"{CLIENTS} client processes, one device", together, alone, 0.9)]


def weights(place: dict[str, Any]) -> list[Row]:
    first, second = client_rates([70.0, 30.0], WEIGHTS_S, place)
    share = 100 * first / (first + second)
    return [
        Row(
            "weights 70/30 over 10 s: share of the first",
            f"{share:.1f} %",
            wanted="65 to 75 %",
            verdict="ok" if 65 <= share <= 75 else "MISSED",
        )
    ]


# -- the best setting


def tuned(rounds: int) -> list[Row]:
    """Compare what `penstock tune` chose with float32 onnxruntime: one thread each, all cores."""
    dfp = Dfp(program())
    frames = np.random.default_rng(3).random((16, *PICTURE)).astype(np.float32)
    material, limits = make_material(dfp, [frames]), (Limit("cosine", 0.99),)
    (one, single), (every, best) = (
        tune(dfp, material, TunePlan(limits, cores=cores)) for cores in (1, 0)
    )
    session, frame = bare_session(dfp), picture_for(dfp)
    name = session.get_inputs()[0].name
    cores = len(os.sched_getaffinity(0))
    with SyncAccl(single, **LOCAL) as accl:
        alone, bare = side_by_side(
            rounds,
            lambda: median_rate(lambda: accl.run(frame)),
            lambda: median_rate(lambda: session.run(None, {name: frame})),
        )
    all_cores, bare_cores = side_by_side(
        rounds,
        lambda: one_stream_rate(best, frame, LOCAL),
        lambda: bare_threads(dfp, frame, cores),
    )
    return [
        ratio_row("tuned, frame by frame, 1 thread", alone, bare, 1.8),
        numbers_row(one),
        ratio_row("tuned, AsyncAccl, all cores", all_cores, bare_cores, 1.8),
        numbers_row(every),
    ]


def numbers_row(result: TuneResult) -> Row:
    """Tell what was chosen, and how far its numbers are from float32 onnxruntime's."""
    setting, found = result.best.setting, result.best.figures
    return Row(
        f"  {setting.plugin}, {setting.numbers}, {setting.lanes} x {setting.threads}",
        f"cosine {found.cosine:.5f}",
        f"top-1 {found.top1:.0%}",
        f"{found.max_difference:.2g}",
        "difference",
    )


def client_rates(weights: list[float], seconds: float, place: dict[str, Any]) -> list[float]:
    """Run one client process per weight, all at once, and return their frames per second."""
    clients = []
    for weight in weights:
        told = json.dumps({"weight": weight, "seconds": seconds, **place})
        clients.append(
            subprocess.Popen(
                [sys.executable, "-m", "tests.benchmarks.accelerator", told],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                text=True,
            )
        )
    for client in clients:
        assert client.stdout is not None
        assert client.stdout.readline() == "ready\n"
    for client in clients:
        assert client.stdin is not None
        client.stdin.write("go\n")
        client.stdin.flush()
    return [float(client.communicate()[0]) for client in clients]


def client_main(told: str) -> None:
    """Be one client: wait for the others, then measure (a process of its own)."""
    options = json.loads(told)
    weight, seconds = options.pop("weight"), options.pop("seconds")
    dfp = Dfp(program())
    frame = picture_for(dfp)
    scheduling, meter = SchedulerOptions(), Meter(1, seconds)
    scheduling.weight = weight
    with AsyncAccl(dfp, scheduler_options=scheduling, **options) as accl:
        print("ready", flush=True)
        sys.stdin.readline()
        accl.connect_output(lambda *_: meter.count(0))
        accl.connect_input(lambda: frame)
        rate, _ = meter.measure()
        threading.Event().wait(WARM_UP_S)  # until the others have measured too
        print(rate, flush=True)


if __name__ == "__main__":
    client_main(sys.argv[1])
