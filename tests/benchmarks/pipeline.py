"""One stream through the whole pipeline against a bare onnxruntime loop doing the same work.

Both see the same test pattern frames, use one execution thread, and do the same pre- and
post-processing. The bare loop has its frames in memory already; the pipeline gets them from a
driver process through shared memory, and counts, times and orders every frame. Rounds alternate.
"""

import statistics
import time
from pathlib import Path

import numpy as np
import onnxruntime as ort

from engine.client import EngineClient
from engine.config import EngineSettings, Policy, ProgramSettings, Project, StreamSettings
from engine.dfp import Dfp
from engine.drivers import DriverCatalog, DriverProcess, FrameReady
from engine.pipeline.post import make_postprocessor
from engine.pipeline.pre import Preprocessor
from engine.protocol import FrameFormat, SetProject, StartAll, StopAll
from resources import resource_path
from tests.benchmarks.rows import Row, compared

SECONDS = 6.0
WARM_UP_S = 1.5
PROGRAMS = {"squeezenet": "squeezenet.dfp", "ssd": "ssd.dfp", "yunet": "yunet.dfp"}
SOURCE = {"rate_hz": 2000.0, "width": 640, "height": 360}


def run(rounds: int) -> list[Row]:
    frames, frame_format = sample_frames()
    rows = []
    for name, file in PROGRAMS.items():
        path = resource_path(f"demo/programs/{file}")
        pairs = [
            (pipeline_rate(path, lanes=1), bare_rate(path, frames, frame_format))
            for _ in range(rounds)
        ]
        ours = statistics.median(pair[0] for pair in pairs)
        bare = statistics.median(pair[1] for pair in pairs)
        rows.append(compared(f"pipeline, one stream, {name}", ours, bare, "fps", at_least=0.9))
    return rows


def sample_frames(count: int = 40) -> tuple[list[np.ndarray], FrameFormat]:
    """Take frames from the driver the pipeline uses."""
    entry = DriverCatalog().get("pattern")
    source = dict(SOURCE)
    driver = DriverProcess(entry, source, stream="bench", hold_back=True)
    frames: list[np.ndarray] = []
    try:
        frame_format = driver.start()
        while len(frames) < count:
            message = driver.receive(5.0)
            assert isinstance(message, FrameReady)
            frames.append(driver.frame(message.slot).copy())
            driver.free(message.slot)
    finally:
        driver.stop()
    return frames, frame_format


def bare_rate(path: Path, frames: list[np.ndarray], frame_format: FrameFormat) -> float:
    """Frames per second of a plain loop in this process."""
    dfp = Dfp(path)
    model = dfp.models[0]
    options = ort.SessionOptions()
    options.intra_op_num_threads = 1
    options.inter_op_num_threads = 1
    session = ort.InferenceSession(dfp.graph(0), options, providers=["CPUExecutionProvider"])
    pre = Preprocessor(model.pre, model.inputs[0], frame_format)
    post = make_postprocessor(model.task, model.post, model.outputs, model.labels)
    tensor, names = pre.new_tensor(), [output.name for output in model.outputs]
    count, started = 0, 0.0
    begin = time.monotonic()
    while (now := time.monotonic()) < begin + WARM_UP_S + SECONDS:
        if not started and now > begin + WARM_UP_S:
            started, count = now, 0
        geometry = pre(frames[count % len(frames)], tensor)
        post(session.run(names, {model.inputs[0].name: tensor}), geometry)
        count += 1
    return count / (time.monotonic() - started)


def pipeline_rate(path: Path, *, lanes: int) -> float:
    """Results per second of one stream in an engine service."""
    source = dict(SOURCE)
    stream = StreamSettings("bench", "program", "pattern", source, policy=Policy.BLOCK)
    project = Project(
        engine=EngineSettings(lanes=lanes),
        programs=(ProgramSettings("program", str(path)),),
        streams=(stream,),
    )
    with EngineClient.launch(name="bench") as client:
        client.call(SetProject(project))
        client.call(StartAll())
        return sum(measured_rates(client, SECONDS, WARM_UP_S).values())


def measured_rates(client: EngineClient, seconds: float, warm_up_s: float) -> dict[str, float]:
    """Results per second of each stream, after all streams have begun to deliver."""
    follow(client, until=lambda: has_begun(client))
    follow(client, seconds=warm_up_s)
    before, at_ns = counts(client)
    follow(client, seconds=seconds)
    after, until_ns = counts(client)
    client.call(StopAll(), timeout_s=15.0)
    return {name: (after[name] - before[name]) / (until_ns - at_ns) * 1e9 for name in after}


def has_begun(client: EngineClient) -> bool:
    telemetry = client.telemetry
    return bool(telemetry and telemetry.streams and all(f.frames_out for f in telemetry.streams))


def counts(client: EngineClient) -> tuple[dict[str, int], int]:
    assert client.telemetry is not None
    return {f.name: f.frames_out for f in client.telemetry.streams}, client.telemetry.at_ns


def follow(client: EngineClient, *, seconds: float = 30.0, until: object = None) -> None:
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline and not (callable(until) and until()):
        client.wait(0.05)
        client.pump()
        client.drain_log()
