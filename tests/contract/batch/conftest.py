from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.batch_files import spawning
from tests.support.tiny_project import make_program


@pytest.fixture(scope="session", autouse=True)
def tracker_of_multiprocessing() -> Iterator[None]:
    with spawning():
        yield


@pytest.fixture(scope="session")
def spectral_program(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A program for cubes, compiled once."""
    return make_program(tmp_path_factory.mktemp("program"))


@pytest.fixture
def program(spectral_program: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A spectral program; the working folder is the test's."""
    monkeypatch.chdir(tmp_path)
    return spectral_program
