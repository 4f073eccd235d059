"""Batch runs over real files with real workers: what lands where, and what is told."""

import json
import os
from pathlib import Path

import numpy as np
import pytest

from engine.batch import JobSettings, open_batch_program
from engine.batch.parquet import has_parquet
from engine.config import ProgramSettings, Project, save_project
from engine.errors import BusyError, ConfigError, ProgramIncompatibleError
from resources import resource_path
from tests.support.batch_files import lines_in, make_cubes, make_pictures, results_in, run_here
from tests.support.networks import model_of
from tests.support.tiny_programs import double, mean_color, write_program
from tests.support.tiny_project import make_cube


def test_every_frame_of_an_input_is_one_line_with_what_was_found(
    program: Path, tmp_path: Path
) -> None:
    cube = make_cube(tmp_path, lines=7)
    summary = run_here(program, cube, out=tmp_path / "out")

    lines = lines_in(tmp_path / "out" / "cube.npy.jsonl")
    assert [line["frame"] for line in lines] == list(range(7))
    assert {line["input"] for line in lines} == {"cube.npy"}
    assert lines[0]["time_s"] is None
    assert [(s["label"], s["share"]) for s in lines[3]["shares"]] == [("low", 0.5), ("high", 0.5)]
    assert (summary.inputs, summary.done, summary.frames, summary.failed) == (1, 1, 7, 0)


def test_folders_are_walked_and_mirrored_so_that_equal_names_do_not_collide(
    program: Path, tmp_path: Path
) -> None:
    make_cubes(tmp_path / "a", 1, lines=3)
    make_cubes(tmp_path / "b" / "deep", 1, lines=4)
    summary = run_here(program, "a", "b", out=tmp_path / "out", workers=2)

    assert summary.done == 2
    assert len(lines_in(tmp_path / "out" / "a" / "c00.npy.jsonl")) == 3
    assert len(lines_in(tmp_path / "out" / "b" / "deep" / "c00.npy.jsonl")) == 4


def test_what_has_a_result_is_not_done_again(program: Path, tmp_path: Path) -> None:
    make_cubes(tmp_path / "in", 3, lines=3)
    run_here(program, "in", out=tmp_path / "out")
    before = {p: p.stat().st_mtime_ns for p in (tmp_path / "out" / "in").iterdir()}
    make_cubes(tmp_path / "in", 1, lines=3)  # the first is written anew

    second = run_here(program, "in", out=tmp_path / "out")

    assert (second.already, second.done) == (2, 1)
    after = {p: p.stat().st_mtime_ns for p in (tmp_path / "out" / "in").iterdir()}
    assert [p.name for p in before if before[p] != after[p]] == ["c00.npy.jsonl"]


def test_other_settings_make_every_result_anew(program: Path, tmp_path: Path) -> None:
    make_cubes(tmp_path / "in", 2, lines=3)
    run_here(program, "in", out=tmp_path / "out")
    second = run_here(program, "in", out=tmp_path / "out", settings=JobSettings(frames=2))

    assert (second.already, second.done) == (0, 2)
    assert len(lines_in(tmp_path / "out" / "in" / "c00.npy.jsonl")) == 2


def test_again_and_a_result_that_was_removed_or_cut_off_are_done_again(
    program: Path, tmp_path: Path
) -> None:
    make_cubes(tmp_path / "in", 3, lines=3)
    run_here(program, "in", out=tmp_path / "out")
    whole = results_in(tmp_path / "out")
    (tmp_path / "out" / "in" / "c00.npy.jsonl").unlink()
    cut = tmp_path / "out" / "in" / "c01.npy.jsonl"
    cut.write_bytes(cut.read_bytes()[:-5])

    second = run_here(program, "in", out=tmp_path / "out")
    third = run_here(program, "in", out=tmp_path / "out", again=True)

    assert (second.already, second.done) == (1, 2)
    assert (third.already, third.done) == (0, 3)
    assert results_in(tmp_path / "out") == whole


def test_damaged_inputs_are_told_with_their_sentence_and_the_others_go_on(
    program: Path, tmp_path: Path
) -> None:
    make_cubes(tmp_path / "in", 3, lines=3)
    cut = tmp_path / "in" / "c01.npy"
    cut.write_bytes(cut.read_bytes()[:200])
    np.save(tmp_path / "in" / "flat.npy", np.zeros((4, 4), np.uint16))
    summary = run_here(program, "in", out=tmp_path / "out")

    assert (summary.done, summary.failed) == (2, 2)
    failed = {one["input"]: one["sentence"] for one in lines_in(tmp_path / "out" / "failed.jsonl")}
    assert "c01.npy" in failed["in/c01.npy"]
    assert "cut off" in failed["in/c01.npy"]
    assert "(4, 4)" in failed["in/flat.npy"]
    assert {f.input: f.sentence for f in summary.failures} == failed
    assert sorted(results_in(tmp_path / "out")) == ["in/c00.npy.jsonl", "in/c02.npy.jsonl"]


def test_an_input_that_was_damaged_and_is_mended_is_done_by_the_same_command(
    program: Path, tmp_path: Path
) -> None:
    make_cubes(tmp_path / "in", 2, lines=3)
    mended = (tmp_path / "in" / "c01.npy").read_bytes()
    (tmp_path / "in" / "c01.npy").write_bytes(b"no cube")
    assert run_here(program, "in", out=tmp_path / "out").failed == 1
    (tmp_path / "in" / "c01.npy").write_bytes(mended)

    second = run_here(program, "in", out=tmp_path / "out")

    assert (second.already, second.done, second.failed) == (1, 1, 0)
    assert not (tmp_path / "out" / "failed.jsonl").exists()


def test_an_input_that_became_damaged_has_no_result_of_before(
    program: Path, tmp_path: Path
) -> None:
    make_cubes(tmp_path / "in", 1, lines=3)
    run_here(program, "in", out=tmp_path / "out")
    (tmp_path / "in" / "c00.npy").write_bytes(b"no cube")

    assert run_here(program, "in", out=tmp_path / "out").failed == 1
    assert results_in(tmp_path / "out") == {}


def test_the_folder_of_results_may_lie_inside_an_input_folder(
    program: Path, tmp_path: Path
) -> None:
    make_cubes(tmp_path / "in", 1, lines=3)
    out = tmp_path / "in" / "results"
    run_here(program, "in", out=out)
    make_cubes(out, 1, lines=3)

    assert run_here(program, "in", out=out).inputs == 1


def test_an_input_that_is_named_twice_is_done_once(program: Path, tmp_path: Path) -> None:
    make_cubes(tmp_path / "in", 2, lines=3)
    summary = run_here(program, "in", "in/*.npy", str(tmp_path / "in"), out=tmp_path / "out")

    assert (summary.inputs, summary.done) == (2, 2)


def test_inputs_outside_the_working_folder_keep_their_whole_path(
    program: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    inputs = make_cubes(tmp_path / "in", 1, lines=3)
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")
    run_here(program, inputs, out=Path("out"))

    path = inputs.relative_to("/") / "c00.npy.jsonl"
    assert list(results_in(Path("out"))) == [path.as_posix()]


def test_names_that_are_no_text_or_have_line_ends_are_kept_apart(
    program: Path, tmp_path: Path
) -> None:
    source = make_cube(tmp_path, lines=2).read_bytes()
    folder = tmp_path / "in"
    folder.mkdir()
    for name in (b"\xff.npy", b"\\xff.npy", b"two\nlines.npy", b"x" * 250 + b".npy"):
        Path(os.fsdecode(bytes(folder) + b"/" + name)).write_bytes(source)
    Path(os.fsdecode(bytes(folder) + b"/bad\xff.npy")).write_bytes(b"no cube")
    summary = run_here(program, "in", out=tmp_path / "out")

    assert (summary.done, summary.failed) == (4, 1)
    assert len(results_in(tmp_path / "out")) == 4
    assert len(lines_in(tmp_path / "out" / "inputs.jsonl")) == 5


def test_files_in_folders_that_the_program_cannot_take_are_left_out(
    program: Path, tmp_path: Path
) -> None:
    make_cubes(tmp_path / "in", 1, lines=3)
    make_pictures(tmp_path / "in", 2)
    (tmp_path / "in" / "notes.txt").write_text("no input")
    summary = run_here(program, "in", out=tmp_path / "out")

    assert (summary.inputs, summary.done, summary.left_out) == (1, 1, 3)


def test_a_file_that_is_named_but_cannot_be_taken_is_a_failure(
    program: Path, tmp_path: Path
) -> None:
    make_pictures(tmp_path, 1)
    (tmp_path / "notes.txt").write_text("no input")
    summary = run_here(program, "p00.png", "notes.txt", out=tmp_path / "out")

    told = {one.input: one.sentence for one in summary.failures}
    assert "line" in told["p00.png"]
    assert "suffix" in told["notes.txt"]


def test_envi_cubes_are_inputs_and_a_change_of_their_data_counts(
    program: Path, tmp_path: Path
) -> None:
    cube = np.load(make_cube(tmp_path, lines=5))
    header = (
        "ENVI\nsamples = 24\nlines = 5\nbands = 12\nheader offset = 0\ndata type = 12\n"
        "interleave = bip\nbyte order = 0\n"
    )
    folder = tmp_path / "in"
    folder.mkdir()
    (folder / "field.hdr").write_text(header)
    cube.astype("<u2").tofile(folder / "field.raw")
    first = run_here(program, "in", out=tmp_path / "out")
    envi = [line["shares"] for line in lines_in(tmp_path / "out" / "in" / "field.hdr.jsonl")]
    run_here(program, "cube.npy", out=tmp_path / "other")
    npy = [line["shares"] for line in lines_in(tmp_path / "other" / "cube.npy.jsonl")]
    (cube * 0).astype("<u2").tofile(folder / "field.raw")

    second = run_here(program, "in", out=tmp_path / "out")

    assert (first.done, second.already, second.done) == (1, 0, 1)
    assert envi == npy
    assert len(envi) == 5


def test_a_limit_takes_the_first_inputs(program: Path, tmp_path: Path) -> None:
    make_cubes(tmp_path / "in", 4, lines=2)
    summary = run_here(program, "in", out=tmp_path / "out", limit=2)

    assert summary.inputs == 2
    assert sorted(results_in(tmp_path / "out")) == ["in/c00.npy.jsonl", "in/c01.npy.jsonl"]


def test_pixels_are_written_when_asked_for(program: Path, tmp_path: Path) -> None:
    import base64

    make_cube(tmp_path, lines=2)
    run_here(program, "cube.npy", out=tmp_path / "out", settings=JobSettings(has_pixels=True))

    [line, _] = lines_in(tmp_path / "out" / "cube.npy.jsonl")
    assert base64.b64decode(line["pixels"]) == bytes([0] * 12 + [1] * 12)
    assert (line["width"], line["height"]) == (24, 1)


def test_pictures_of_any_size_go_through_a_program_without_a_task(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import cv2

    monkeypatch.chdir(tmp_path)
    program = write_program(tmp_path / "mean.dfp", mean_color())
    cv2.imwrite(str(tmp_path / "gray.png"), np.full((30, 50, 3), 77, np.uint8))
    make_pictures(tmp_path / "in", 3)
    summary = run_here(program, "gray.png", "in", out=tmp_path / "out")

    [line] = lines_in(tmp_path / "out" / "gray.png.jsonl")
    [output] = line["outputs"]
    assert output == {"name": "y", "shape": [1, 3], "minimum": 77, "maximum": 77, "mean": 77}
    assert summary.done == 4


def test_damaged_videos_and_pictures_are_told_and_whole_ones_done(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    program = write_program(tmp_path / "mean.dfp", mean_color())
    make_pictures(tmp_path / "in", 2)
    (tmp_path / "in" / "none.jpg").write_bytes(b"this is no picture")
    video = resource_path("demo/media/cockatoo.mp4").read_bytes()
    (tmp_path / "in" / "cut.mp4").write_bytes(video[: len(video) // 2])
    (tmp_path / "in" / "whole.mp4").write_bytes(video)
    summary = run_here(program, "in", out=tmp_path / "out", workers=2)

    told = {one.input: one.sentence for one in summary.failures}
    assert (summary.done, sorted(told)) == (3, ["in/cut.mp4", "in/none.jpg"])
    assert "cut off" in told["in/cut.mp4"]
    assert "not an image" in told["in/none.jpg"]
    assert len(lines_in(tmp_path / "out" / "in" / "whole.mp4.jsonl")) == 280


@pytest.mark.skipif(not has_parquet(), reason="pyarrow is not installed")
def test_parquet_has_the_same_rows_as_the_lines(program: Path, tmp_path: Path) -> None:
    from pyarrow import parquet

    make_cube(tmp_path, lines=9)
    settings = JobSettings(has_parquet=True, has_pixels=True)
    run_here(program, "cube.npy", out=tmp_path / "out", settings=settings)

    lines = lines_in(tmp_path / "out" / "cube.npy.jsonl")
    rows = parquet.read_table(tmp_path / "out" / "cube.npy.parquet").to_pylist()
    for row in rows:
        assert row.pop("pixels") == bytes([0] * 12 + [1] * 12)
    for line in lines:
        del line["pixels"]
    assert rows == lines
    (tmp_path / "out" / "cube.npy.parquet").unlink()
    assert run_here(program, "cube.npy", out=tmp_path / "out", settings=settings).done == 1


def test_parquet_without_pyarrow_is_refused_before_anything_is_done(
    program: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    make_cube(tmp_path)
    monkeypatch.setattr("engine.batch.parquet.has_parquet", lambda: False)

    with pytest.raises(ConfigError, match=r"penstock\[parquet\]"):
        run_here(program, "cube.npy", out=tmp_path / "out", settings=JobSettings(has_parquet=True))
    assert not (tmp_path / "out").exists()


def test_a_second_run_into_the_same_folder_is_refused(program: Path, tmp_path: Path) -> None:
    from engine.batch.journal import Journal

    make_cube(tmp_path)
    journal = Journal(tmp_path / "out")
    try:
        with pytest.raises(BusyError, match="another run"):
            run_here(program, "cube.npy", out=tmp_path / "out")
    finally:
        journal.close()
    assert run_here(program, "cube.npy", out=tmp_path / "out").done == 1


def test_an_input_that_is_not_there_is_refused_by_name(program: Path, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"none\.npy does not exist"):
        run_here(program, "none.npy", out=tmp_path / "out")
    with pytest.raises(ConfigError, match=r"no file matches x\*\.npy"):
        run_here(program, "x*.npy", out=tmp_path / "out")


def test_a_program_of_a_project_is_chosen_by_name(program: Path, tmp_path: Path) -> None:
    programs = (ProgramSettings("one", str(program)), ProgramSettings("two", "missing.dfp"))
    save_project(Project(programs=programs), tmp_path / "both.toml")

    assert open_batch_program(tmp_path / "both.toml", "one").takes_lines
    with pytest.raises(ConfigError, match="one, two"):
        open_batch_program(tmp_path / "both.toml")
    with pytest.raises(ConfigError, match="'three'"):
        open_batch_program(tmp_path / "both.toml", "three")


def test_models_and_programs_of_several_inputs_are_refused_with_what_to_do(tmp_path: Path) -> None:
    (tmp_path / "m.onnx").write_bytes(double().SerializeToString())
    with pytest.raises(ConfigError, match="penstock compile"):
        open_batch_program(tmp_path / "m.onnx")
    from onnx import helper

    add = model_of(
        [helper.make_node("Add", ["a", "b"], ["c"])], {"a": (1, 4), "b": (1, 4)}, {"c": (1, 4)}
    )
    with pytest.raises(ProgramIncompatibleError, match="2 inputs"):
        open_batch_program(write_program(tmp_path / "two.dfp", add))


def test_the_lists_name_every_input_once(program: Path, tmp_path: Path) -> None:
    make_cubes(tmp_path / "in", 3, lines=2)
    summary = run_here(program, "in", out=tmp_path / "out")

    entries = lines_in(tmp_path / "out" / "inputs.jsonl")
    assert [(e["input"], e["state"], e["frames"]) for e in entries] == [
        (f"in/c{n:02d}.npy", "done", 2) for n in range(3)
    ]
    told = json.loads((tmp_path / "out" / "summary.json").read_text())
    assert told["done"] == summary.done == 3
    assert not (tmp_path / "out" / ".unfinished").exists()
