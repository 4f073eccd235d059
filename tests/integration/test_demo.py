"""The demo project as it ships, run headless: what is found, and that the figures are true."""

import json
from pathlib import Path

import pytest

from engine.client import EngineClient
from engine.protocol import GetReport, LoadProject, Report, SetRecording, StartAll, StopAll
from resources import resource_path
from tests.benchmarks.pipeline import follow

pytestmark = pytest.mark.slow

SECONDS = 20.0
PICTURE_PX = 480


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> tuple[Report, Path]:
    """One run of the demo for all tests: its report and the folder of its recorded results."""
    folder = tmp_path_factory.mktemp("recorded")
    with EngineClient.launch(name="test") as client:
        client.call(LoadProject(str(resource_path("demo/demo.toml"))), timeout_s=30.0)
        client.call(SetRecording(is_recording=True, directory=str(folder)))
        client.call(StartAll())
        follow(client, seconds=SECONDS)
        client.call(StopAll(), timeout_s=15.0)
        report = client.call(GetReport()).report
    assert report is not None
    return report, folder


def results(folder: Path, stream: str) -> list[dict]:
    [file] = folder.glob(f"{stream}-*.jsonl")
    return [json.loads(line) for line in file.read_text().splitlines()]


def test_every_counter_balances(run: tuple[Report, Path]) -> None:
    for stream in run[0].streams:
        assert stream.frames_in == stream.frames_out + sum(stream.dropped.values())
        assert stream.in_flight == 0
        assert stream.message == ""


def test_stage_times_add_up_to_the_age_of_the_result(run: tuple[Report, Path]) -> None:
    for stream in run[0].streams:
        assert sum(stream.stages_mean_ms.values()) == pytest.approx(stream.age_mean_ms, rel=0.02)
        for row in results(run[1], stream.name)[:200]:
            age_ms = (row["finished_at_ns"] - row["captured_at_ns"]) / 1e6
            stages_ms = sum(stage["duration_ms"] for stage in row["stages"])
            assert stages_ms == pytest.approx(age_ms, rel=0.02, abs=0.01)


def test_every_result_is_recorded_once_and_in_order(run: tuple[Report, Path]) -> None:
    for stream in run[0].streams:
        ids = [row["frame_id"] for row in results(run[1], stream.name)]
        assert len(ids) == stream.frames_out
        assert ids == sorted(set(ids))


def test_the_cockatoo_is_what_is_seen_most_often_in_the_video(run: tuple[Report, Path]) -> None:
    found = next(s.found for s in run[0].streams if s.name == "parrot")
    assert max(found, key=found.__getitem__) == "sulphur-crested cockatoo"


def test_the_cat_the_cup_and_the_person_are_found_on_the_street(run: tuple[Report, Path]) -> None:
    found = next(s.found for s in run[0].streams if s.name == "street")
    assert {"cat", "cup", "person"} <= set(found)


def test_one_face_is_found_within_ten_pixels_of_the_truth(run: tuple[Report, Path]) -> None:
    rows = results(run[1], "faces")
    whole = [row for row in rows if _is_whole(row)]
    assert len(whole) > 50
    for row in whole:
        assert len(row["boxes"]) == 1
        [truth] = row["truth"]["objects"]
        box = row["boxes"][0]
        for side in ("x", "y", "width", "height"):
            assert abs(box[side] - truth[side]) * PICTURE_PX <= 10.0, (row["frame_id"], side)


def test_the_line_camera_agrees_with_the_ground_truth_more_often_than_not(
    run: tuple[Report, Path],
) -> None:
    import base64

    right = total = 0
    for row in results(run[1], "line"):
        truth = row["truth"]["classes"]
        classes = base64.b64decode(row["line"]["classes"])
        for told, true in zip(classes, truth, strict=True):
            if true:
                total += 1
                right += told == true
    assert total > 10_000
    assert right / total > 0.5


def _is_whole(row: dict) -> bool:
    """Tell whether the face lies wholly in the picture."""
    objects = (row.get("truth") or {}).get("objects", [])
    if len(objects) != 1:
        return False
    face = objects[0]
    return (
        face["x"] > 0.0
        and face["y"] > 0.0
        and face["x"] + face["width"] < 1.0
        and face["y"] + face["height"] < 1.0
    )
