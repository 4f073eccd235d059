"""setDriverBaseDirectory and setDriverIsolationExecutable."""

import os
from pathlib import Path
from typing import Any

import pytest

from engine.errors import DriverDirectoryMissingError
from engine.handle import Handle
from engine.handle.queue_set import core_of


def folder_of(handle: Handle) -> Path | None:
    return core_of(handle).driver_folder


def test_the_directory_is_where_drivers_are_found(handle: Handle, tmp_path: Path) -> None:
    handle.setDriverBaseDirectory(tmp_path)
    assert folder_of(handle) == tmp_path


@pytest.mark.parametrize("kind", [str, os.fsencode, Path])
def test_the_directory_may_be_any_kind_of_path(handle: Handle, tmp_path: Path, kind: Any) -> None:
    handle.setDriverBaseDirectory(kind(tmp_path))
    assert folder_of(handle) == tmp_path


@pytest.mark.parametrize("empty", [None, "", b""])
def test_none_or_an_empty_value_takes_the_default(
    handle: Handle, tmp_path: Path, empty: Any
) -> None:
    handle.setDriverBaseDirectory(tmp_path)
    handle.setDriverBaseDirectory(empty)
    assert folder_of(handle) is None


def test_a_directory_that_does_not_exist_raises_and_is_not_used(
    handle: Handle, tmp_path: Path
) -> None:
    handle.setDriverBaseDirectory(tmp_path)
    with pytest.raises(DriverDirectoryMissingError, match="does not exist") as caught:
        handle.setDriverBaseDirectory(tmp_path / "missing")
    assert isinstance(caught.value, RuntimeError)
    assert folder_of(handle) == tmp_path


def test_a_file_is_no_directory(handle: Handle, tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.touch()
    with pytest.raises(DriverDirectoryMissingError, match="is not a directory"):
        handle.setDriverBaseDirectory(file)
    assert folder_of(handle) is None


def test_a_relative_directory_is_taken_from_where_the_call_was_made(
    handle: Handle, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "drivers").mkdir()
    monkeypatch.chdir(tmp_path)
    handle.setDriverBaseDirectory("drivers")
    monkeypatch.chdir("/")
    assert folder_of(handle) == tmp_path / "drivers"


@pytest.mark.parametrize("path", [5, ["a"], object()])
def test_a_directory_is_a_path(handle: Handle, path: Any) -> None:
    with pytest.raises(RuntimeError, match="is a path"):
        handle.setDriverBaseDirectory(path)
    with pytest.raises(RuntimeError, match="is a path"):
        handle.setDriverIsolationExecutable(path)


def test_a_path_with_a_null_character_is_refused(handle: Handle) -> None:
    with pytest.raises(RuntimeError, match="null character"):
        handle.setDriverBaseDirectory("a\0b")


def test_the_isolation_executable_is_not_looked_for_yet(handle: Handle, tmp_path: Path) -> None:
    handle.setDriverIsolationExecutable(tmp_path / "missing")
    assert core_of(handle).isolation_executable == tmp_path / "missing"
    handle.setDriverIsolationExecutable(None)
    assert core_of(handle).isolation_executable is None
