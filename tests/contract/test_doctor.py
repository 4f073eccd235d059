"""`penstock doctor` on whole and on broken machines: every check answers, failures say the fix."""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from app.doctor import qt, system
from app.doctor.checks import CHECKS, Check
from app.doctor.examination import examine
from app.doctor.findings import Diagnosis, Finding, Status
from app.exit_codes import DONE, FAILED
from app.main import main
from engine.shm import segment_folder

Findings = dict[str, dict[str, str]]


def doctor(env: dict[str, str] | None = None) -> tuple[int, Findings]:
    """Run the doctor and return the exit code and the findings by check."""
    done = subprocess.run(
        [sys.executable, "-m", "app", "doctor", "--json"],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
        env={**os.environ, **(env or {})},
    )
    assert "Traceback" not in done.stderr, done.stderr
    diagnosis = json.loads(done.stdout)
    findings = {finding["check"]: finding for finding in diagnosis["findings"]}
    failed = [f for f in findings.values() if f["status"] == "fail"]
    assert diagnosis["is_healthy"] is (not failed)
    assert (done.returncode == DONE) is diagnosis["is_healthy"]
    for finding in failed:
        assert finding["fix"], finding
    return done.returncode, findings


def examine_only(monkeypatch: pytest.MonkeyPatch, *checks: Check) -> tuple[Finding, ...]:
    """Examine with other checks; the children see the real list, so `checks` must be among it."""
    monkeypatch.setattr("app.doctor.examination.CHECKS", checks)
    return examine().findings


@pytest.mark.slow
def test_a_machine_that_works_gets_an_answer_to_every_question() -> None:
    _, findings = doctor()

    names = {"plugin onnxruntime-cpu", *(check.name for check in CHECKS)} - {"plugins"}
    assert names <= findings.keys()
    for name in ("interpreter", "libraries", "license", "first result", "plugin onnxruntime-cpu"):
        assert findings[name]["status"] == "pass", findings[name]
    assert "onnxruntime" in findings["libraries"]["found"]


@pytest.mark.slow
def test_a_machine_where_much_is_broken_is_told_all_of_it(tmp_path: Path) -> None:
    """No screen where one is named, nowhere to write, no tools on the path, strange settings."""
    open_folder = tmp_path / "open"
    (open_folder / "penstock").mkdir(parents=True)
    (open_folder / "penstock").chmod(0o777)
    code, findings = doctor(
        {
            "DISPLAY": ":4711",
            "QT_QPA_PLATFORM": "xcb",
            "PATH": "",
            "TMPDIR": str(tmp_path / "nowhere"),
            "XDG_RUNTIME_DIR": str(open_folder),
            "XDG_CONFIG_HOME": "/proc/nowhere",
            "LANG": "xx_YY",
        }
    )

    assert code == FAILED
    assert findings["display"]["status"] == "fail"
    assert "DISPLAY" in findings["display"]["fix"]
    assert findings["permissions"]["status"] == "fail"
    assert findings["Qt system libraries"]["status"] == "skip"
    assert findings["engine start"]["status"] == "fail"
    assert findings["libraries"]["status"] == "pass"


def test_segments_of_a_killed_process_are_found_and_repaired(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    script = "import os, signal; from engine.shm import Segment\n"
    script += "Segment.create(4096, purpose='doctor-test'); os.kill(os.getpid(), signal.SIGKILL)"
    done = subprocess.run([sys.executable, "-c", script], check=False)
    assert done.returncode == -signal.SIGKILL
    assert list(Path(segment_folder()).glob("penstock-*-doctor_test-*"))

    [finding] = system.stale_segments()
    assert finding.status is Status.FAIL
    assert "--repair" in finding.fix

    monkeypatch.setattr("app.commands.doctor.examine", lambda _: Diagnosis(True, 0.0, ()))
    assert main(["doctor", "--repair"]) == DONE
    assert system.stale_segments()[0].status is Status.PASS


def test_a_check_that_does_not_answer_is_a_failure_with_a_fix(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    hasty = Check("interpreter", "installation:interpreter", "wait", timeout_s=0.001)
    [finding] = examine_only(monkeypatch, hasty)

    assert finding == Finding.failed("interpreter", "no answer within 0.001 s", "wait")


def test_a_check_that_crashes_is_a_failure_that_names_the_signal(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "msgspec.py").write_text(
        "import os, sys\nprint('loading it', file=sys.stderr, flush=True)\n"
        "os.kill(os.getpid(), 11)\n"
    )
    monkeypatch.setattr(sys, "path", [str(tmp_path), *sys.path])
    [finding] = examine_only(monkeypatch, CHECKS[0])

    assert finding.status is Status.FAIL
    assert "SIGSEGV" in finding.found
    assert "loading it" in finding.found
    assert finding.fix


def test_a_check_that_raises_is_a_failure_that_names_the_reason(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "msgspec.py").write_text("raise ImportError('libbroken.so.1: no such file')\n")
    monkeypatch.setattr(sys, "path", [str(tmp_path), *sys.path])
    [finding] = examine_only(monkeypatch, CHECKS[0])

    assert finding.status is Status.FAIL
    assert "libbroken.so.1" in finding.found


def test_known_bad_bindings_are_a_failure_that_names_the_good_ones(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    versions = {"PySide6-Essentials": "6.12.0", "pyqtgraph": "0.14.0", "shiboken6": "6.12.0"}
    monkeypatch.setattr(qt, "_version", lambda package: versions.get(package, ""))
    monkeypatch.setattr(sys, "version_info", (3, 11, 7))
    [finding] = qt.bindings()

    assert finding.status is Status.FAIL
    assert "6.11.3" in finding.fix


@pytest.mark.parametrize(
    ("versions", "words"),
    [
        ({"PySide6-Essentials": "6.11.3", "shiboken6": "6.11.3"}, "penstock[gui]"),
        (
            {"PySide6-Essentials": "6.11.3", "pyqtgraph": "0.14.0", "shiboken6": "6.10.0"},
            "again",
        ),
        (
            {"PySide6-Essentials": "6.11.3", "pyqtgraph": "0.14.0", "opencv-python": "5.0"},
            "uninstall opencv-python",
        ),
    ],
)
def test_packages_that_do_not_go_together_are_named(
    monkeypatch: pytest.MonkeyPatch, versions: dict[str, str], words: str
) -> None:
    monkeypatch.setattr(qt, "_version", lambda package: versions.get(package, ""))
    [finding] = qt.bindings()

    assert finding.status is Status.FAIL
    assert words in finding.fix


def test_missing_libraries_are_those_the_loader_does_not_find(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    fake = tmp_path / "ldd"
    fake.write_text(
        "#!/bin/sh\n"
        "printf '\\tlinux-vdso.so.1 (0x1)\\n\\tlibxcb-cursor.so.0 => not found\\n'\n"
        "printf '\\tlibEGL.so.1 => not found\\n\\tlibc.so.6 => /lib/libc.so.6 (0x2)\\n'\n"
    )
    fake.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")

    missing = qt.missing_libraries([tmp_path / "one.so", tmp_path / "two.so"])

    assert missing == ["libEGL.so.1", "libxcb-cursor.so.0"]
    assert qt.packages_for(missing) == ["libegl1", "libxcb-cursor0"]
    [finding] = qt.system_libraries()
    assert finding.fix == "sudo apt-get install libegl1 libxcb-cursor0"


def test_too_little_shared_memory_is_a_failure(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(system.shutil, "disk_usage", lambda _: _Usage())
    [finding] = system.shared_memory()

    assert finding.status is Status.FAIL
    assert "shm-size" in finding.fix


class _Usage:
    total, used, free = 64 << 20, 1 << 20, 63 << 20
