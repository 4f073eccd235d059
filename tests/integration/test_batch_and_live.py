"""The same files through a live run and through a batch: the same numbers."""

import itertools
import json
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest

from engine.batch import BatchPlan, open_batch_program, run_batch
from engine.client import EngineClient
from engine.config import (
    Policy,
    ProgramSettings,
    Project,
    RecorderSettings,
    StreamSettings,
    save_project,
)
from engine.protocol import LoadProject, Result, StartAll, StopAll, StreamPhase
from resources import resource_path
from tests.support.batch_files import lines_in, spawning

pytestmark = pytest.mark.slow

DEMO = resource_path("demo")
FILES = {
    "video": ("squeezenet", "video-file", DEMO / "media" / "cockatoo.mp4"),
    "picture": ("yunet", "image-folder", DEMO / "media" / "faces" / "astronaut.png"),
    "cube": ("spectral", "cube-line", DEMO / "media" / "Indian_pines_corrected.npy"),
}
OVER = {StreamPhase.FINISHED, StreamPhase.FAILED, StreamPhase.STOPPED}


@pytest.fixture(scope="module", autouse=True)
def tracker_of_multiprocessing() -> Iterator[None]:
    with spawning():
        yield


@pytest.fixture(scope="module")
def live(tmp_path_factory: pytest.TempPathFactory) -> dict[str, list[Result]]:
    """What an engine finds in the files, by stream, in order."""
    folder = tmp_path_factory.mktemp("live")
    streams = [
        StreamSettings(
            name, program, driver, {**source(driver, file), "loop": False}, policy=Policy.BLOCK
        )
        for name, (program, driver, file) in FILES.items()
    ]
    project = Project(
        programs=tuple(
            ProgramSettings(name, str(DEMO / "programs" / f"{name}.dfp"))
            for name, _, _ in FILES.values()
        ),
        streams=tuple(streams),
        recorder=RecorderSettings(enabled=True, directory=str(folder)),
    )
    save_project(project, folder / "live.toml")
    with EngineClient.launch(name="test") as client:
        client.call(LoadProject(str(folder / "live.toml")), timeout_s=30.0)
        client.call(StartAll(), timeout_s=30.0)
        for _ in range(2000):
            client.wait(0.05)
            client.pump()
            if all(stream.phase in OVER for stream in client.snapshot.streams):
                break
        client.call(StopAll(), timeout_s=15.0)
    found = {}
    for name in FILES:
        [file] = folder.glob(f"{name}-*.jsonl")
        found[name] = [
            msgspec.json.decode(line, type=Result) for line in file.read_bytes().splitlines()
        ]
    return found


def source(driver: str, file: Path) -> dict[str, str | float]:
    return {"path": str(file.parent if driver == "image-folder" else file), "rate_hz": 500.0}


@pytest.mark.parametrize("name", list(FILES))
def test_a_batch_finds_what_a_live_run_finds(
    name: str, live: dict[str, list[Result]], tmp_path: Path
) -> None:
    program, _, file = FILES[name]
    plan = BatchPlan(
        open_batch_program(DEMO / "demo.toml", program), (str(file),), tmp_path, workers=1
    )
    run_batch(plan)
    [result] = tmp_path.rglob(f"{file.name}.jsonl")
    rows = lines_in(result)
    frames = live[name]

    assert [row["frame"] for row in rows] == [frame.frame_id for frame in frames]
    if name == "video":
        steps = [after["time_s"] - before["time_s"] for before, after in itertools.pairwise(rows)]
        assert steps == pytest.approx([1 / 20] * 279, abs=0.002)
    for row, frame in zip(rows, frames, strict=True):
        assert row == {
            key: row[key] for key in ("input", "frame", "time_s", "width", "height") if key in row
        } | columns(frame, row)


def columns(frame: Result, row: dict) -> dict:
    """Return what the live result says in the columns of a line."""
    if "shares" in row:
        assert frame.line is not None
        return {"shares": plain(frame.line.shares)}
    return {"boxes": plain(frame.boxes)} if "boxes" in row else {"classes": plain(frame.classes)}


def plain(value: object) -> object:
    return json.loads(msgspec.json.encode(value))
