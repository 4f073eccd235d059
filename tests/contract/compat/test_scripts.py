"""Scripts written for other packages run unchanged; each stands for a way they are written in."""

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

SCRIPTS = Path(__file__).parent / "scripts"
RunScript = Callable[..., "subprocess.CompletedProcess[str]"]


def test_the_published_example_of_async_accl_runs(run_script: RunScript) -> None:
    done = run_script(SCRIPTS / "published_async.py")
    assert (done.stdout, done.stderr, done.returncode) == ("10 {5}\n", "", 0)


def test_the_published_example_of_sync_accl_runs(run_script: RunScript) -> None:
    done = run_script(SCRIPTS / "published_sync.py")
    assert (done.stdout, done.stderr, done.returncode) == ("(1, 1000) float32\n", "", 0)


def test_the_published_example_of_multi_stream_async_accl_runs(run_script: RunScript) -> None:
    done = run_script(SCRIPTS / "published_multi_stream.py")
    assert (done.stdout, done.stderr, done.returncode) == ("[10, 10]\n", "", 0)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("script", "program", "told"),
    [
        ("published_options", "double.dfp", "made"),
        ("device_shapes", "picture.dfp", "[[6, 5, 1, 3]] True"),
        ("sync_lists", "", "[2.0, 2.0, 2.0, 2.0] [0.0, 2.0, 4.0]"),
        ("camera_and_side_queue", "double.dfp", "300 True True"),
        ("sentinel_queue", "double.dfp", "25"),
        ("stop_event", "double.dfp", "True 30"),
        ("stops_itself", "double.dfp", "True"),
        ("one_thread", "double.dfp", "1 1 set()"),
        ("late_post_model", "double", "[100.0, 102.0, 104.0]"),
        ("latency", "double.dfp", "200 True True"),
        ("benchmark", "double.dfp", "(1, 4) True True True"),
    ],
)
def test_a_script_of_the_field_runs(
    run_script: RunScript, script: str, program: str, told: str
) -> None:
    done = run_script(SCRIPTS / f"{script}.py", *([program] if program else []))
    assert (done.stdout.strip(), done.stderr) == (told, "")
    assert done.returncode == 0


def test_a_cascade_in_the_oldest_style_runs_and_is_told_the_new_name(run_script: RunScript) -> None:
    done = run_script(SCRIPTS / "cascade.py", "two.dfp")
    assert (done.stdout, done.returncode) == ("True\n", 0)
    assert "DeprecationWarning: group_id is called device_ids now" in done.stderr


def test_a_script_that_leaves_while_its_camera_goes_on_ends_with_its_exit_code(
    run_script: RunScript,
) -> None:
    done = run_script(SCRIPTS / "endless.py", "double.dfp")
    assert (done.stdout, done.stderr, done.returncode) == ("leaving\n", "", 5)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("script", "told"),
    [
        ("parallel_arrays", "[0.0, 1.0, 2.0, 3.0, 4.0]"),
        ("ordered_runner", "285"),
        ("machine_pools", "[2, 4, 6]"),
        ("flux_version", "LicenseMalformedError True"),
    ],
)
def test_scripts_for_the_other_four_packages_run(
    run_script: RunScript, script: str, told: str
) -> None:
    done = run_script(SCRIPTS / f"{script}.py")
    assert (done.stdout.strip(), done.stderr, done.returncode) == (told, "", 0)


@pytest.mark.slow
def test_children_of_every_kind_see_the_same_names(run_script: RunScript) -> None:
    done = run_script(SCRIPTS / "children.py")
    assert done.stderr == ""
    assert done.stdout.splitlines() == [
        *(
            f"{method} served by Penstock engine.accelerator.sync_accl"
            for method in ("spawn", "fork", "forkserver")
        ),
        "subprocess served by Penstock",
    ]


# -- the command around it


def test_a_script_sees_its_own_arguments_folder_and_name(
    run_script: RunScript, folder: Path
) -> None:
    (folder / "scripts").mkdir()
    (folder / "scripts" / "beside.py").write_text("here = True\n")
    script = folder / "scripts" / "shows.py"
    script.write_text(
        "import sys, beside\nprint(sys.argv, __name__, __file__, __spec__, sys.path[0])\n"
    )
    done = run_script("scripts/shows.py", "--help", "-x", "1", command=("-m", "app.main", "exec"))
    assert done.stderr == ""
    assert (
        done.stdout.split()
        == (
            f"['scripts/shows.py', '--help', '-x', '1'] __main__ {script} None {script.parent}"
        ).split()
    )


def test_what_a_script_does_not_catch_is_shown_from_its_first_line_on(
    run_script: RunScript, folder: Path
) -> None:
    (folder / "wrong.py").write_text("import memryx\nmemryx.SyncAccl(b'PK', device_ids=[-1])\n")
    done = run_script("wrong.py")
    lines = done.stderr.splitlines()
    assert lines[0] == "Traceback (most recent call last):"
    assert lines[1].strip() == f'File "{folder / "wrong.py"}", line 2, in <module>'
    assert "device_ids holds -1" in lines[-1]
    assert done.returncode == 1


@pytest.mark.parametrize("command", [("-m", "engine.compat"), ("-m", "app.main", "exec")])
def test_a_script_that_is_not_there_is_one_line(
    run_script: RunScript, command: tuple[str, ...]
) -> None:
    done = run_script("nowhere.py", command=command)
    assert done.returncode == 1
    assert (
        done.stderr == "penstock: the script nowhere.py cannot be read: No such file or directory\n"
    )


def test_one_import_at_the_top_of_a_script_is_enough(run_script: RunScript, folder: Path) -> None:
    (folder / "plain.py").write_text(
        "import engine.compat.install\n"
        "from memryx.runtime.accl import AsyncAccl\n"
        "print(AsyncAccl.__name__)\n"
    )
    done = run_script("plain.py", command=())
    assert (done.stdout, done.stderr) == ("AsyncAccl\n", "")


def test_the_import_comes_before_those_it_serves(run_script: RunScript, folder: Path) -> None:
    (folder / "memryx.py").write_text("")
    (folder / "late.py").write_text(
        "import sys\nsys.path.insert(0, '.')\nimport memryx\nimport engine.compat.install\n"
    )
    done = run_script("late.py", command=())
    assert "memryx was imported before Penstock serves that name" in done.stderr


@pytest.mark.slow
def test_a_sitecustomize_of_the_users_own_still_runs_in_children(
    run_script: RunScript, folder: Path
) -> None:
    (folder / "own").mkdir()
    (folder / "own" / "sitecustomize.py").write_text("print('own site')\n")
    (folder / "parent.py").write_text(
        "import os, subprocess, sys\n"
        f"os.environ['PYTHONPATH'] += os.pathsep + {str(folder / 'own')!r}\n"
        "code = 'import memryx; print(memryx.__spec__.origin)'\n"
        "subprocess.run([sys.executable, '-c', code])\n"
    )
    done = run_script("parent.py")
    assert done.stdout.splitlines() == ["own site", "served by Penstock"]


def test_nothing_of_tensorflow_is_imported_by_the_names(
    run_script: RunScript, folder: Path
) -> None:
    (folder / "light.py").write_text(
        "import memryx, memryx.accl, memryx.errors, memryx.runtime.dfp, sys\n"
        "print([n for n in ('tensorflow', 'onnx', 'onnxruntime', 'engine.accelerator')"
        " if n in sys.modules])\n"
    )
    assert run_script("light.py").stdout == "[]\n"
    assert sys.modules.get("tensorflow") is None


def test_our_own_processes_below_a_script_do_not_serve_the_vendors_names(
    run_script: RunScript, folder: Path
) -> None:
    (folder / "parent.py").write_text(
        "import subprocess, sys\n"
        "command = [sys.executable, '-X', 'importtime', '-m', 'engine.plugins.probe', 'none']\n"
        "done = subprocess.run(command, capture_output=True, text=True)\n"
        "print('engine.plugins.probing' in done.stderr, 'engine.compat' in done.stderr)\n"
    )
    assert run_script("parent.py").stdout == "True False\n"
