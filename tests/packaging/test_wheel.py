"""The wheel in an empty environment without Qt: imports clean, runs the demo from anywhere."""

import json
import os
import subprocess
import sys
import venv
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]

pytestmark = [pytest.mark.slow, pytest.mark.timeout(400)]

IMPORT = """
import sys, threading
import engine
heavy = ("PySide6", "shiboken6", "onnxruntime", "onnx", "cv2", "av", "pyqtgraph", "numpy")
print([name for name in heavy if name in sys.modules])
print([thread.name for thread in threading.enumerate()])
print(engine.__file__)
"""


def run(*command: str, cwd: Path, timeout_s: float = 300.0) -> subprocess.CompletedProcess[str]:
    """Run with nothing of this source tree or of the user's packages in reach."""
    env = {k: v for k, v in os.environ.items() if not k.startswith(("PYTHON", "COVERAGE"))}
    done = subprocess.run(
        command,
        cwd=cwd,
        env={**env, "PYTHONNOUSERSITE": "1"},
        capture_output=True,
        text=True,
        timeout=timeout_s,
        check=False,
    )
    assert done.returncode == 0, f"{command}: {done.stdout}\n{done.stderr}"
    return done


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("wheel")
    build = ("-m", "hatchling", "build", "-t", "wheel", "-d", str(folder))
    run(sys.executable, *build, cwd=ROOT)
    [path] = folder.glob("penstock-*.whl")
    return path


@pytest.fixture(scope="module")
def python(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Return the interpreter of an environment that holds the wheel and what it requires."""
    folder = tmp_path_factory.mktemp("empty")
    venv.create(folder, with_pip=True, symlinks=True)
    interpreter = folder / ("Scripts" if sys.platform == "win32" else "bin") / "python"
    pip = ("-m", "pip", "install", "--quiet", "--disable-pip-version-check")
    lock = ("--constraint", str(ROOT / "requirements.lock"))
    run(str(interpreter), *pip, *lock, str(wheel), cwd=folder)
    return interpreter


def test_the_wheel_holds_packages_resources_and_type_markers(wheel: Path) -> None:
    names = set(zipfile.ZipFile(wheel).namelist())

    assert {f"{package}/py.typed" for package in ("app", "engine", "resources")} <= names
    assert "resources/demo/demo.toml" in names
    assert "resources/license/community.lic" in names
    assert "engine/drivers/builtin/video_file/manifest.toml" in names
    tops = {name.split("/")[0] for name in names}
    assert {top for top in tops if not top.endswith(".dist-info")} == {
        "app",
        "engine",
        "resources",
        "ui",
    }
    assert not [name for name in names if name.startswith("resources/packaging/")]


def test_the_wheel_names_the_extras_and_asks_for_no_qt(wheel: Path) -> None:
    archive = zipfile.ZipFile(wheel)
    [name] = [n for n in archive.namelist() if n.endswith(".dist-info/METADATA")]
    lines = archive.read(name).decode().splitlines()
    extras = {line.split(": ")[1] for line in lines if line.startswith("Provides-Extra: ")}
    always = [n for n in lines if n.startswith("Requires-Dist: ") and "extra ==" not in n]

    assert {"gui", "openvino", "hyperspectral", "genicam", "cluster", "dev"} <= extras
    assert not [line for line in always if "pyside" in line.lower() or "pyqtgraph" in line.lower()]


def test_importing_the_installed_engine_loads_nothing_heavy_and_starts_no_thread(
    python: Path, tmp_path: Path
) -> None:
    done = run(str(python), "-I", "-W", "error", "-c", IMPORT, cwd=tmp_path)
    heavy, threads, place = done.stdout.splitlines()

    assert heavy == "[]"
    assert threads == "['MainThread']"
    assert Path(place).is_relative_to(python.parents[1])
    assert done.stderr == ""


def test_qt_is_not_there_and_the_window_says_so(python: Path, tmp_path: Path) -> None:
    done = subprocess.run(
        [str(python.parent / "penstock"), "gui"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 1
    assert "penstock[gui]" in done.stderr
    assert "Traceback" not in done.stderr


def test_the_demo_runs_from_any_folder_without_qt(python: Path, tmp_path: Path) -> None:
    where = "from resources import resource_path; print(resource_path('demo/demo.toml'))"
    demo = run(str(python), "-I", "-c", where, cwd=tmp_path).stdout.strip()
    penstock = str(python.parent / "penstock")
    done = run(penstock, "run", demo, "--seconds", "6", "--quiet", "--json", cwd=tmp_path)
    report = json.loads(done.stdout)

    assert len(report["streams"]) == 4
    for stream in report["streams"]:
        assert stream["frames_out"] > 10, stream
        assert stream["phase"] in ("running", "stopped", "finished"), stream
    assert list(tmp_path.iterdir()) == []


def test_the_doctor_finds_an_installation_without_qt_healthy(python: Path, tmp_path: Path) -> None:
    penstock = str(python.parent / "penstock")
    done = subprocess.run(
        [penstock, "doctor", "--json"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    findings = {f["check"]: f for f in json.loads(done.stdout)["findings"]}

    assert findings["Qt bindings"]["status"] == "skip"
    assert findings["libraries"]["status"] == "pass", findings["libraries"]
    assert findings["first result"]["status"] == "pass", findings["first result"]
