"""Hand-written previews, streams and figures for the tests of wall, plots and inspector."""

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from engine.config import ProgramSettings, Project, StreamSettings
from engine.protocol import (
    STAGES,
    Box,
    FrameFormat,
    FrameKind,
    LatencyFigures,
    ProcessFigures,
    ProgramState,
    Result,
    Snapshot,
    StageFigures,
    StreamFigures,
    StreamPhase,
    StreamState,
    Telemetry,
)

SECOND_NS = 1_000_000_000


@dataclass(frozen=True)
class FakePreview:
    sequence: int
    result: Result
    picture: NDArray[np.uint8]
    class_map: NDArray[np.uint8] | None = None


@dataclass
class FakePreviews:
    """Gives each preview once, as the real source does, and notes who asked."""

    waiting: dict[str, FakePreview] = field(default_factory=dict)
    asked: list[str] = field(default_factory=list)

    def read(self, stream: str) -> FakePreview | None:
        self.asked.append(stream)
        return self.waiting.pop(stream, None)


class FakeClock:
    """Time that passes only when told to."""

    def __init__(self) -> None:
        self.now_ns = 1000 * SECOND_NS

    def __call__(self) -> int:
        return self.now_ns

    def pass_s(self, seconds: float) -> None:
        self.now_ns += round(seconds * SECOND_NS)


def plain_picture(width: int = 320, height: int = 180, value: int = 40) -> NDArray[np.uint8]:
    return np.full((height, width, 4), value, np.uint8)


def preview(stream: str = "street", *, sequence: int = 1, **found: object) -> FakePreview:
    """Return a gray preview; `found` are fields of Result, `picture` and `class_map` of it."""
    picture = found.pop("picture", None)
    class_map = found.pop("class_map", None)
    return FakePreview(
        sequence,
        Result(stream, sequence, 0, **found),  # type: ignore[arg-type]
        plain_picture() if picture is None else picture,  # type: ignore[arg-type]
        class_map,  # type: ignore[arg-type]
    )


def box(label: str = "cat", score: float = 0.83, **place: float) -> Box:
    where = {"x": 0.25, "y": 0.25, "width": 0.5, "height": 0.5} | place
    return Box(0, label, score, **where)


IMAGE_30_HZ = FrameFormat(FrameKind.IMAGE, (360, 640, 3), "uint8", 30.0)
LINES_60_HZ = FrameFormat(FrameKind.LINE, (145, 200), "uint16", 60.0)


def stream(
    name: str = "street",
    phase: StreamPhase = StreamPhase.RUNNING,
    *,
    frame_format: FrameFormat | None = IMAGE_30_HZ,
    **more: object,
) -> StreamState:
    return StreamState(name, phase, frame_format=frame_format, **more)  # type: ignore[arg-type]


def snapshot(*streams: StreamState, labels: tuple[str, ...] = (), version: int = 1) -> Snapshot:
    project = Project(
        programs=(ProgramSettings("net", "net.dfp"),),
        streams=tuple(StreamSettings(s.name, "net", "pan-zoom") for s in streams),
    )
    programs = (ProgramState("net", "net.dfp", labels=labels),)
    return Snapshot(version, project=project, programs=programs, streams=streams)


def figures(name: str = "street", **more: object) -> StreamFigures:
    """Return plausible figures of a stream at 30 frames/s whose stages add up to 22 ms."""
    means = dict(zip(STAGES, (4.0, 0.5, 2.0, 3.0, 11.0, 0.5, 1.0), strict=True))
    values: dict[str, object] = {
        "frames_in": 300,
        "frames_out": 298,
        "in_flight": 2,
        "rate_in_hz": 30.0,
        "rate_out_hz": 29.8,
        "latency_ms": LatencyFigures(22.0, 31.0, 40.0),
        "stages_ms": {k: StageFigures(v, v * 1.4) for k, v in means.items()},
        "stages_mean_ms": means,
        "summary": "person 0.71, bicycle 0.55",
    }
    return StreamFigures(name, **(values | more))  # type: ignore[arg-type]


def telemetry(*streams: StreamFigures, at_s: float = 1000.0, **more: object) -> Telemetry:
    values: dict[str, object] = {
        "processes": (ProcessFigures("engine", 100, 61.0, 180 << 20),),
        "lanes_busy": 0.6,
    }
    return Telemetry(round(at_s * SECOND_NS), streams, **(values | more))  # type: ignore[arg-type]
