"""Which files are inputs, and what is told of the others."""

import shutil
from pathlib import Path

from engine.batch.inputs import InputKind, find_inputs


def test_each_kind_is_known_by_its_suffix_whatever_its_case(tmp_path: Path) -> None:
    for name in ("a.PNG", "b.Mp4", "c.npy", "d.txt"):
        (tmp_path / name).write_bytes(b"")
    left_out: list[Path] = []
    found = find_inputs(
        [str(tmp_path)],
        takes_lines=False,
        without=tmp_path / "none",
        on_left_out=lambda path, _: left_out.append(path),
    )

    assert [one.kind for one in found] == [InputKind.PICTURE, InputKind.VIDEO]
    assert [path.name for path in left_out] == ["c.npy", "d.txt"]


def test_a_folder_that_cannot_be_read_is_told(tmp_path: Path) -> None:
    for name in ("a", "b", "c"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "x.png").write_bytes(b"")
    told: list[tuple[str, str]] = []
    found = find_inputs(
        [str(tmp_path)],
        takes_lines=False,
        without=tmp_path / "none",
        on_left_out=lambda path, reason: told.append((path.name, reason)),
    )
    first = next(found)
    shutil.rmtree(tmp_path / "b")
    rest = [Path(one.path).parent.name for one in found]

    assert Path(first.path).parent.name == "a"
    assert rest == ["c"]
    assert told == [("b", "the folder cannot be read: No such file or directory")]


def test_references_beside_an_envi_cube_are_no_inputs_unless_they_stand_alone(
    tmp_path: Path,
) -> None:
    names = ("m.hdr", "m_White.hdr", "DARKREF_m.hdr", "other_White.hdr")
    for name in names:
        (tmp_path / name).write_bytes(b"")
    found = find_inputs(
        [str(tmp_path)], takes_lines=True, without=tmp_path / "none", on_left_out=lambda *_: None
    )

    assert [Path(one.path).name for one in found] == ["m.hdr", "other_White.hdr"]


def test_a_change_of_any_file_of_an_envi_cube_changes_its_stamp(tmp_path: Path) -> None:
    def stamp() -> str:
        [found] = find_inputs(
            [str(tmp_path / "m.hdr")],
            takes_lines=True,
            without=tmp_path / "none",
            on_left_out=lambda *_: None,
        )
        return found.stamp

    (tmp_path / "m.hdr").write_bytes(b"header")
    (tmp_path / "m.raw").write_bytes(b"1234")
    (tmp_path / "m2.raw").write_bytes(b"1234")
    before = stamp()
    (tmp_path / "m2.raw").write_bytes(b"another cube's")
    assert stamp() == before
    (tmp_path / "m.raw").write_bytes(b"123456")
    assert stamp() != before
