"""Project files: read back as written, refused with a sentence that names the field."""

import contextlib
import os
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.config import (
    EngineSettings,
    Policy,
    ProgramSettings,
    Project,
    RecorderSettings,
    StreamSettings,
    dump_project,
    load_project,
    parse_project,
    save_project,
)
from engine.errors import ConfigError

STREAM = '[[programs]]\nname = "p"\npath = "p.dfp"\n[[streams]]\nname = "a"\nprogram = "p"\n'

names = st.text("abcXYZ 0189._-äß", min_size=1, max_size=64)
texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)
scalars = texts | st.integers(-(2**63), 2**63 - 1) | st.floats(allow_nan=False)
values = scalars | st.booleans() | st.lists(scalars, max_size=3)


@st.composite
def projects(draw: st.DrawFn) -> Project:
    programs = draw(st.lists(names, unique=True, max_size=3))
    streams = draw(st.lists(names, unique=True, max_size=3)) if programs else []
    return Project(
        name=draw(texts),
        engine=EngineSettings(
            lanes=draw(st.integers(0, 256)),
            plugin=draw(texts),
            disabled_plugins=tuple(draw(st.lists(texts, max_size=2))),
            driver_directories=tuple(draw(st.lists(texts, max_size=2))),
        ),
        recorder=RecorderSettings(draw(st.booleans()), draw(texts)),
        programs=tuple(ProgramSettings(name, draw(texts)) for name in programs),
        streams=tuple(
            StreamSettings(
                name,
                draw(st.sampled_from(programs)),
                draw(texts),
                source=draw(st.dictionaries(texts, values, max_size=3)),
                enabled=draw(st.booleans()),
                policy=draw(st.sampled_from(Policy)),
                queue_depth=draw(st.integers(1, 64)),
                threshold=draw(st.none() | st.floats(0, 1)),
            )
            for name in streams
        ),
    )


@given(projects())
def test_any_project_reads_back_equal(project: Project) -> None:
    assert parse_project(dump_project(project)) == project


def test_an_empty_file_is_an_empty_project() -> None:
    assert parse_project("") == Project()


def test_a_saved_project_loads_equal(tmp_path: Path) -> None:
    project = Project(name="street", programs=(ProgramSettings("ssd", "ssd.dfp"),))
    save_project(project, tmp_path / "street.toml")
    assert load_project(str(tmp_path / "street.toml")) == project


def refused(text: str) -> ConfigError:
    with pytest.raises(ConfigError) as caught:
        parse_project(text, source="demo.toml")
    assert caught.value.message.startswith("demo.toml")
    assert caught.value.details["file"] == "demo.toml"
    return caught.value


@pytest.mark.parametrize(
    ("text", "path", "sentence"),
    [
        ("sreams = []", "sreams", "unknown key 'sreams'; did you mean 'streams'?"),
        (
            "[engine]\nlicence = 'a'",
            "engine.licence",
            "unknown key 'engine.licence'; did you mean 'license'?",
        ),
        (
            STREAM + "driver = 'd'\nqueue_dept = 3",
            "streams[0].queue_dept",
            "unknown key 'streams[0].queue_dept'; did you mean 'queue_depth'?",
        ),
        ("zzz = 1", "zzz", "unknown key 'zzz'; remove it or correct its name"),
        ("[engine]\n'la`nes' = 1", "engine.la`nes", "did you mean 'lanes'?"),
    ],
)
def test_an_unknown_key_is_named_with_the_nearest_known_one(
    text: str, path: str, sentence: str
) -> None:
    error = refused(text)
    assert error.details["path"] == path
    assert sentence in error.message


def test_a_key_of_another_table_is_not_proposed() -> None:
    assert "did you mean" not in refused("queue_depth = 3").message


@pytest.mark.parametrize(
    ("text", "path", "sentence"),
    [
        ("[engine]\nlanes = '2'", "engine.lanes", "expected a whole number, got text"),
        ("streams = 3", "streams", "expected a list, got a whole number"),
        ("engine = [1]", "engine", "expected a table, got a list"),
        ("[recorder]\nenabled = 1", "recorder.enabled", "expected true or false, got a whole"),
        (
            "[engine]\ndisabled_plugins = ['a', 3]",
            "engine.disabled_plugins[1]",
            "expected text, got a whole number",
        ),
        (
            STREAM + "driver = 'd'\nthreshold = 'high'",
            "streams[0].threshold",
            "expected a number, got text",
        ),
        (
            STREAM + "driver = 'd'\nsource = {path = 'a', at = 1979-05-27}",
            "streams[0].source.at",
            "got a date",
        ),
        (
            STREAM + "driver = 'd'\nsource = {path = 'a', size = [1, [2]]}",
            "streams[0].source.size[1]",
            "expected a number or text, got a list",
        ),
        (STREAM, "streams[0].driver", "'streams[0].driver' is missing; add it"),
        (
            STREAM + "driver = 'd'\npolicy = 'ltest'",
            "streams[0].policy",
            "'ltest' is not one of 'latest', 'every', 'block'; did you mean 'latest'?",
        ),
        (
            STREAM + "driver = 'd'\npolicy = 'xyz'",
            "streams[0].policy",
            "'xyz' is not one of 'latest', 'every', 'block'",
        ),
        ("[engine]\nlanes = 257", "engine.lanes", "engine.lanes is 0 (one per core) to 256"),
        (
            STREAM + "driver = 'd'\nqueue_depth = 0",
            "streams[0].queue_depth",
            "streams[0].queue_depth is 1 to 64, not 0",
        ),
        (
            STREAM + "driver = 'd'\nthreshold = nan",
            "streams[0].threshold",
            "streams[0].threshold is 0 to 1, not nan",
        ),
        ("schema_version = 9", "schema_version", "schema_version is 9; this Penstock reads"),
    ],
)
def test_a_wrong_value_names_the_path_of_its_field(text: str, path: str, sentence: str) -> None:
    error = refused(text)
    assert error.details["path"] == path
    assert sentence in error.message
    assert "`" not in error.message


@pytest.mark.parametrize("name", ["", "a" * 65, "a/b", "a\\nb", "a:b"])
def test_a_name_that_could_not_be_a_file_name_is_refused(name: str) -> None:
    error = refused(f'[[programs]]\nname = "{name}"\npath = "p"')
    assert error.details["path"] == "programs[0]"
    assert "needs 1 to 64 letters" in error.message


def test_two_streams_of_the_same_name_are_refused() -> None:
    twice = STREAM + 'driver = "d"\n[[streams]]\nname = "a"\nprogram = "p"\ndriver = "d"'
    assert "streams have the same name twice: a" in refused(twice).message


def test_two_programs_of_the_same_name_are_refused() -> None:
    twice = '[[programs]]\nname = "p"\npath = "1"\n[[programs]]\nname = "p"\npath = "2"'
    assert "programs have the same name twice: p" in refused(twice).message


def test_a_stream_with_an_unknown_program_names_both_and_the_known_ones() -> None:
    text = STREAM.replace('program = "p"', 'program = "q"') + 'driver = "d"'
    sentence = "stream 'a' uses program 'q', which is not among the programs (p)"
    assert sentence in refused(text).message


@pytest.mark.parametrize("text", ["name = ", "[engine", "a = 1\na = 2", "\x00", "name = 'a\nb'"])
def test_what_is_not_toml_is_said_to_be_so(text: str) -> None:
    assert "demo.toml is not valid TOML: " in refused(text).message


@given(st.text(max_size=60))
def test_no_text_at_all_causes_anything_but_a_config_error(text: str) -> None:
    with contextlib.suppress(ConfigError):
        parse_project(text)


tables: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["engine", "streams", "programs", "lanes", "source", "name", "x"]),
            inner,
            max_size=4,
        )
    ),
    max_leaves=12,
)


@given(st.dictionaries(st.sampled_from(["engine", "streams", "programs", "q"]), tables))
def test_no_structure_at_all_causes_anything_but_a_config_error(raw: dict[str, Any]) -> None:
    import tomli_w

    try:
        text = tomli_w.dumps(raw)
    except (TypeError, ValueError):  # TOML has no null
        return
    with contextlib.suppress(ConfigError):
        parse_project(text)


# -- files that cannot be read


def unreadable(path: Path) -> ConfigError:
    with pytest.raises(ConfigError, match=path.name) as caught:
        load_project(path)
    assert caught.value.details["file"] == str(path)
    return caught.value


def test_a_missing_file(tmp_path: Path) -> None:
    assert "cannot be read: No such file or directory" in unreadable(tmp_path / "no.toml").message


def test_a_folder(tmp_path: Path) -> None:
    assert "cannot be read: Is a directory" in unreadable(tmp_path).message


def test_a_file_that_is_not_utf8(tmp_path: Path) -> None:
    path = tmp_path / "latin.toml"
    path.write_bytes('name = "Straße"'.encode("latin-1"))
    assert "it is not UTF-8 text" in unreadable(path).message


def test_a_huge_file_is_not_read(tmp_path: Path) -> None:
    path = tmp_path / "huge.toml"
    with path.open("wb") as file:
        file.truncate(1 << 32)
    assert "larger than 4 MiB" in unreadable(path).message


def test_an_error_in_a_file_names_the_file_and_the_field(tmp_path: Path) -> None:
    path = tmp_path / "demo.toml"
    path.write_text("[engine]\nlanes = 'two'")
    error = unreadable(path)
    assert error.message == f"{path}: engine.lanes: expected a whole number, got text"


# -- saving


def test_saving_leaves_nothing_but_the_project(tmp_path: Path) -> None:
    save_project(Project(), tmp_path / "a.toml")
    save_project(Project(name="new"), tmp_path / "a.toml")
    assert [path.name for path in tmp_path.iterdir()] == ["a.toml"]
    assert load_project(tmp_path / "a.toml").name == "new"


def test_a_save_that_fails_leaves_the_old_file_whole(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "a.toml"
    save_project(Project(name="old"), path)

    def full(fd: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(ConfigError, match=r"a\.toml cannot be written: No space left on device; "):
        save_project(Project(name="new"), path)

    assert load_project(path).name == "old"
    assert list(tmp_path.iterdir()) == [path]


def test_a_reader_never_sees_half_a_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "a.toml"
    save_project(Project(name="old"), path)
    seen: list[str] = []
    real = os.fsync

    def look(fd: int) -> None:
        real(fd)
        seen.append(load_project(path).name)

    monkeypatch.setattr(os, "fsync", look)
    save_project(Project(name="new"), path)
    assert seen == ["old"]


def test_who_reads_the_old_file_reads_it_to_its_end(tmp_path: Path) -> None:
    path = tmp_path / "a.toml"
    save_project(Project(name="old"), path)
    with path.open() as reader:
        save_project(Project(name="new"), path)
        assert parse_project(reader.read()).name == "old"


@pytest.fixture
def closed_folder(tmp_path: Path) -> Iterator[Path]:
    folder = tmp_path / "closed"
    folder.mkdir()
    folder.chmod(stat.S_IRUSR | stat.S_IXUSR)
    yield folder
    folder.chmod(stat.S_IRWXU)


@pytest.mark.skipif(
    hasattr(os, "geteuid") and os.geteuid() == 0, reason="root may write everywhere"
)
def test_a_folder_that_may_not_be_written_is_a_sentence(closed_folder: Path) -> None:
    with pytest.raises(ConfigError, match=r"a\.toml cannot be written: Permission denied"):
        save_project(Project(), closed_folder / "a.toml")


@pytest.mark.parametrize("place", ["absent/a.toml", "file/a.toml", "folder"])
def test_a_place_that_cannot_be_written_is_a_sentence(tmp_path: Path, place: str) -> None:
    (tmp_path / "file").write_text("")
    (tmp_path / "folder").mkdir()
    before = sorted(path.name for path in tmp_path.rglob("*"))
    with pytest.raises(ConfigError, match=r"cannot be written: .*; save it somewhere else"):
        save_project(Project(), tmp_path / place)
    assert sorted(path.name for path in tmp_path.rglob("*")) == before


def test_a_project_reached_by_a_link_is_written_where_the_link_points(tmp_path: Path) -> None:
    (tmp_path / "real").mkdir()
    (tmp_path / "link.toml").symlink_to(tmp_path / "real" / "a.toml")
    save_project(Project(name="new"), tmp_path / "link.toml")
    assert (tmp_path / "link.toml").is_symlink()
    assert load_project(tmp_path / "real" / "a.toml").name == "new"


def test_a_file_name_that_is_not_text_cannot_be_saved_and_says_so(tmp_path: Path) -> None:
    project = Project(programs=(ProgramSettings("p", os.fsdecode(b"\xff.dfp")),))
    with pytest.raises(ConfigError, match="a name in it is not text"):
        save_project(project, tmp_path / "a.toml")
    assert list(tmp_path.iterdir()) == []
