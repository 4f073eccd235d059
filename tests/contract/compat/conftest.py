"""Scripts of other people, each run in a process and a folder of its own."""

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from engine.compat import install, remove
from tests.support.tiny_programs import double, mean_color, plus_hundred, write_program

ROOT = Path(__file__).resolve().parents[3]
KERAS = ROOT / "tests" / "support" / "stand_ins" / "keras"

RunScript = Callable[..., "subprocess.CompletedProcess[str]"]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Return a folder with small programs and models."""
    write_program(tmp_path / "double.dfp", double())
    write_program(tmp_path / "two.dfp", double(), double("w", "z"))
    write_program(tmp_path / "picture.dfp", mean_color())
    (tmp_path / "double.onnx").write_bytes(double().SerializeToString())
    (tmp_path / "post.onnx").write_bytes(plus_hundred().SerializeToString())
    return tmp_path


@pytest.fixture
def run_script(folder: Path) -> RunScript:
    """Return a function that runs a script in `folder`, by ``python -m engine.compat``."""

    def run(
        script: Path | str, *arguments: str, command: tuple[str, ...] = ("-m", "engine.compat")
    ) -> "subprocess.CompletedProcess[str]":
        path = [str(KERAS), str(ROOT), os.environ.get("PYTHONPATH", "")]
        return subprocess.run(
            [sys.executable, "-P", *command, str(script), *arguments],
            cwd=folder,
            env=os.environ | {"PYTHONPATH": os.pathsep.join(filter(None, path))},
            capture_output=True,
            text=True,
            timeout=50,
            check=False,
        )

    return run


@pytest.fixture
def served(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Serve the published modules in this process."""
    monkeypatch.setenv("PYTHONPATH", os.environ.get("PYTHONPATH", ""))  # put back afterwards
    install(for_children=False)
    yield
    remove()
