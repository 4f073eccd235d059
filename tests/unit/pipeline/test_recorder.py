import json
import resource
import signal
from pathlib import Path

import pytest

from engine.errors import OutputError
from engine.pipeline import Recorder
from engine.protocol import Box, Mask, Result


def result(frame_id: int, stream: str = "street") -> Result:
    box = Box(1, "cat", 0.9, 0.1, 0.2, 0.3, 0.4)
    return Result(stream, frame_id, captured_at_ns=5, finished_at_ns=9, boxes=(box,))


def no_problem(problem: str) -> None:
    raise AssertionError(problem)


def test_every_result_is_one_line_in_the_file_of_its_stream(tmp_path: Path) -> None:
    recorder = Recorder(tmp_path / "new", no_problem)
    for n in range(100):
        recorder.put(result(n))
    recorder.put(result(0, "other one"))
    recorder.close()

    [street] = (tmp_path / "new").glob("street-*.jsonl")
    rows = [json.loads(line) for line in street.read_text().splitlines()]
    assert [row["frame_id"] for row in rows] == list(range(100))
    assert rows[0]["boxes"][0]["label"] == "cat"
    assert len(list((tmp_path / "new").glob("other_one-*.jsonl"))) == 1
    assert recorder.state().records == 101


def test_a_mask_is_recorded_as_text(tmp_path: Path) -> None:
    recorder = Recorder(tmp_path, no_problem)
    recorder.put(Result("a", 0, 0, mask=Mask(2, 1, b"\x00\x01")))
    recorder.close()

    [file] = tmp_path.glob("a-*.jsonl")
    assert json.loads(file.read_text())["mask"]["classes"] == "AAE="


def test_a_folder_that_cannot_be_made_is_refused_with_a_sentence(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")

    with pytest.raises(OutputError, match=r"cannot be recorded in .*file/deeper: Not a directory"):
        Recorder(tmp_path / "file" / "deeper", no_problem)


@pytest.mark.expected_log
def test_a_full_disk_stops_recording_and_says_so(tmp_path: Path) -> None:
    """A file size limit fails writes as a full disk does: part of the line, then an error."""
    problems: list[str] = []
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    handler = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, before[1]))
    try:
        recorder = Recorder(tmp_path, problems.append)
        for n in range(2_000):
            recorder.put(result(n))
        recorder.close()
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
        signal.signal(signal.SIGXFSZ, handler)

    assert len(problems) == 1
    assert "recording stopped" in problems[0]
    assert "the streams go on" in problems[0]
    assert recorder.state().problem == problems[0]
    assert not recorder.state().is_recording


def test_closing_twice_is_harmless(tmp_path: Path) -> None:
    recorder = Recorder(tmp_path, no_problem)
    recorder.close()
    recorder.close()
    recorder.put(result(1))

    assert recorder.state().records == 0
