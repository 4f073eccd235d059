"""`bench`, `devices`, `drivers`, `doctor`: help, JSON, exit codes, no traceback for bad input."""

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import msgspec
import pytest

from app.benchmark.results import (
    BenchResult,
    Window,
    agree,
    compare,
    make_row,
    read_baseline,
    write_baseline,
)
from app.exit_codes import DEVICE, DONE, FAILED, PROGRAM, USAGE
from app.main import main, make_app
from app.summaries import SUMMARIES
from engine.errors import ConfigError
from tests.support.tiny_project import make_program

Penstock = Callable[..., tuple[int, str, str]]

QUICK = ("--window", "0.05", "--warm-up", "0", "--windows", "3", "--lanes", "1")


@pytest.fixture
def penstock(capsys: pytest.CaptureFixture[str]) -> Penstock:
    """Run the command line in this process; returns exit code, standard output and error."""

    def run(*arguments: str) -> tuple[int, str, str]:
        capsys.readouterr()
        code = main(arguments)
        return (code, *capsys.readouterr())

    return run


def refuses(outcome: tuple[int, str, str], code: int, *words: str) -> None:
    returned, printed, told = outcome
    assert returned == code, told
    assert "Traceback" not in told
    assert printed == ""
    [line] = [line for line in told.splitlines() if line.startswith("penstock:")]
    for word in words:
        assert word in line


@pytest.fixture(scope="module")
def program(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_program(tmp_path_factory.mktemp("bench"))


@pytest.mark.parametrize("verb", ["bench", "devices", "drivers", "doctor"])
def test_every_verb_explains_itself_with_an_example(penstock: Penstock, verb: str) -> None:
    code, printed, _ = penstock(verb, "--help")

    assert code == DONE
    assert "Usage: penstock" in printed
    assert f"Example: penstock {verb}" in " ".join(printed.split())
    assert "--json" in printed


# -- devices and drivers


def test_devices_as_json_have_their_number_and_everything_that_is_known(penstock: Penstock) -> None:
    code, printed, _ = penstock("devices", "--json")
    rows = json.loads(printed)

    assert code == DONE
    assert [row["id"] for row in rows] == list(range(len(rows)))
    first, last = rows[0], rows[-1]
    assert first.keys() == {
        *("id", "kind", "plugin", "index", "name", "memory_bytes", "precision", "telemetry")
    }
    assert (first["plugin"], first["kind"], first["index"]) == ("onnxruntime-cpu", "cpu", 0)
    assert first["memory_bytes"] > 2**28
    assert 0 <= first["telemetry"]["utilization"] <= 1
    assert last["plugin"] == "onnx-reference"
    assert last["memory_bytes"] is None
    assert set(last["telemetry"].values()) == {None}


def test_devices_are_a_table_of_at_most_100_columns(
    penstock: Penstock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "100")
    monkeypatch.setenv("PENSTOCK_SIMULATOR", "depth = 4, devices = [{}, {rate_hz = 100}]")
    code, printed, _ = penstock("devices")

    assert code == DONE
    lines = printed.splitlines()
    assert lines[0].split() == (
        "id kind plugin name memory precision busy temp power".split()  # noqa: SIM905 - reads well
    )
    assert max(len(line) for line in lines) <= 100
    assert lines[1].split()[:3] == ["0", "cpu", "onnxruntime-cpu"]
    assert any(line.split()[1:3] == ["simulated", "simulator:1"] for line in lines)


def test_devices_that_the_user_chose_are_the_list(
    penstock: Penstock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PENSTOCK_DEVICES", "onnx-reference,onnxruntime-cpu")
    code, printed, _ = penstock("devices", "--json")

    assert code == DONE
    assert [(row["id"], row["plugin"]) for row in json.loads(printed)] == [
        (0, "onnx-reference"),
        (1, "onnxruntime-cpu"),
    ]


def test_a_choice_of_devices_that_are_not_there_is_one_line(
    penstock: Penstock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PENSTOCK_DEVICES", "onnxruntime-cpu:7")
    code, _, said = penstock("devices")

    assert code != DONE
    assert "no device onnxruntime-cpu:7; there are 0 (onnxruntime-cpu)" in said


def test_drivers_as_json_are_the_built_in_ones(penstock: Penstock) -> None:
    code, printed, _ = penstock("drivers", "--json")

    assert code == DONE
    assert {"cube-line", "image-folder", "pan-zoom", "video-file"} <= {
        driver["name"] for driver in json.loads(printed)
    }


def test_one_driver_is_described_with_its_parameters(penstock: Penstock) -> None:
    code, printed, _ = penstock("drivers", "video-file", "--json")
    [driver] = json.loads(printed)

    assert code == DONE
    assert {"path", "loop", "rate_hz"} <= {p["name"] for p in driver["parameters"]}
    assert "rate_hz" in penstock("drivers", "video-file")[1]


def test_an_unknown_driver_is_refused_with_the_nearest_name(penstock: Penstock) -> None:
    refuses(penstock("drivers", "video-fil"), DEVICE, "did you mean 'video-file'")


def test_a_missing_driver_folder_is_refused(penstock: Penstock, tmp_path: Path) -> None:
    refuses(penstock("drivers", "--folder", str(tmp_path / "none")), DEVICE, "does not exist")


def test_a_driver_with_a_broken_manifest_is_listed_with_its_problem(
    penstock: Penstock, tmp_path: Path
) -> None:
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "manifest.toml").write_text("name = ")
    code, printed, told = penstock("drivers", "--folder", str(tmp_path), "--json")
    [mine] = [driver for driver in json.loads(printed) if driver["name"] == "mine"]

    assert code == DONE, told
    assert "manifest.toml" in mine["problem"]


# -- bench


def test_a_measurement_as_json_has_rates_percentiles_and_the_bare_library(
    penstock: Penstock, program: Path
) -> None:
    code, printed, told = penstock("bench", str(program), *QUICK, "--streams", "1,2", "--json")
    result = msgspec.json.decode(printed, type=BenchResult)

    assert code == DONE, told
    assert [row.streams for row in result.rows] == [1, 2]
    for row in result.rows:
        assert row.lanes == 1
        assert row.rate_hz > 0
        assert row.bare_hz > 0
        assert row.ratio == pytest.approx(row.rate_hz / row.bare_hz, rel=0.01)
        assert 0 < row.latency_p50_ms <= row.latency_p95_ms <= row.latency_p99_ms
        assert row.device_p50_ms <= row.latency_p50_ms
    assert result.versions["onnxruntime"]


def test_a_saved_measurement_is_a_baseline_and_a_fall_ends_with_a_failure(
    penstock: Penstock, program: Path, tmp_path: Path
) -> None:
    kept = tmp_path / "new" / "base.json"
    options = (str(program), *QUICK, "--no-bare")
    assert penstock("bench", *options, "--save", str(kept))[0] == DONE
    before = read_baseline(kept)
    impossible = msgspec.structs.replace(before.rows[0], rate_hz=1e9)
    write_baseline(msgspec.structs.replace(before, rows=(impossible,)), kept)

    code, printed, _ = penstock("bench", *options, "--baseline", str(kept), "--json")

    assert code == FAILED
    [change] = json.loads(printed)["changes"]
    assert change["is_slower"]
    assert change["baseline_hz"] == 1e9


@pytest.mark.parametrize(
    ("options", "word"),
    [
        (("--lanes", "many"), "--lanes"),
        (("--lanes", "1,,2"), "--lanes"),
        (("--streams", "0"), "--streams"),
        (("--streams", "-1"), "--streams"),
        (("--lanes", "9999"), "--lanes"),
        (("--window", "0"), "--window"),
        (("--windows", "2"), "--windows"),
        (("--tolerance", "x"), "--tolerance"),
    ],
)
def test_wrong_numbers_are_usage_errors(
    penstock: Penstock, program: Path, options: tuple[str, str], word: str
) -> None:
    refuses(penstock("bench", str(program), *options), USAGE, word)


def test_a_program_is_required(penstock: Penstock) -> None:
    refuses(penstock("bench"), USAGE, "Missing argument")


def test_a_missing_program_is_refused(penstock: Penstock, tmp_path: Path) -> None:
    refuses(penstock("bench", str(tmp_path / "none.dfp")), PROGRAM, "none.dfp")


def test_a_file_that_is_no_program_is_refused(penstock: Penstock, tmp_path: Path) -> None:
    (tmp_path / "bad.dfp").write_bytes(b"\x00\xff" * 500)
    refuses(penstock("bench", str(tmp_path / "bad.dfp")), PROGRAM, "bad.dfp")


def test_a_model_that_is_not_in_the_program_is_refused(penstock: Penstock, program: Path) -> None:
    refuses(penstock("bench", str(program), "--model", "3"), FAILED, "models 0 to 0")


def test_an_unknown_plugin_is_refused(penstock: Penstock, program: Path) -> None:
    refuses(penstock("bench", str(program), "--plugins", "warp-drive"), DEVICE, "warp-drive")


@pytest.mark.parametrize("content", [b"", b"{}", b"[1, 2]", b"\xff\xfe", b'{"rows": 3}'])
def test_a_baseline_that_is_none_is_refused_before_measuring(
    penstock: Penstock, program: Path, tmp_path: Path, content: bytes
) -> None:
    (tmp_path / "base.json").write_bytes(content)
    outcome = penstock("bench", str(program), "--baseline", str(tmp_path / "base.json"))
    refuses(outcome, USAGE, "base.json")


# -- the arithmetic of measurements


def row(rate_hz: float, *, streams: int = 1) -> object:
    windows = [Window(rate_hz, (1.0, 2.0, 3.0), (0.5,))] * 3
    return make_row(
        plugin="p", precision="float32", lanes=1, streams=streams, depth=2, ours=windows, bare=[]
    )


def result(*rows: object, sha256: str = "a") -> BenchResult:
    return BenchResult("x.dfp", sha256, "m", "cpu", 2, {}, 1.0, tuple(rows))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("rates", "is_steady"),
    [
        ([], False),
        ([100.0, 100.0], False),
        ([100.0, 105.0, 110.0], True),
        ([100.0, 105.0, 110.1], False),
        ([10.0, 100.0, 101.0, 99.0], True),
        ([100.0, 101.0, 99.0, 10.0], False),
        ([0.0, 0.0, 0.0], True),
    ],
)
def test_three_windows_agree_within_ten_percent(rates: list[float], is_steady: bool) -> None:
    assert agree(rates) is is_steady


def test_a_row_speaks_of_the_last_three_windows_only() -> None:
    slow, fast = Window(1.0, (900.0,), (900.0,)), Window(100.0, (2.0, 4.0), (1.0,))
    made = make_row(
        plugin="p",
        precision="float32",
        lanes=1,
        streams=1,
        depth=2,
        ours=[slow, fast, fast, fast],
        bare=[Window(50.0)] * 3,
    )

    assert made.rate_hz == 100.0
    assert made.latency_p99_ms <= 4.0
    assert made.ratio == 2.0
    assert made.is_steady
    assert made.windows_hz == (1.0, 100.0, 100.0, 100.0)


def test_a_fall_within_the_tolerance_is_not_slower() -> None:
    [change] = compare(result(row(91.0)), result(row(100.0)), 0.1)
    assert not change.is_slower
    [change] = compare(result(row(89.0)), result(row(100.0)), 0.1)
    assert change.is_slower
    assert change.change == pytest.approx(-0.11)


def test_a_baseline_of_another_program_or_of_other_rows_is_refused() -> None:
    with pytest.raises(ConfigError, match="another program"):
        compare(result(row(1.0)), result(row(1.0), sha256="b"), 0.1)
    with pytest.raises(ConfigError, match="no row"):
        compare(result(row(1.0)), result(row(1.0, streams=4)), 0.1)


# -- the list of verbs


def test_the_list_of_verbs_says_what_each_verb_says_itself() -> None:
    import typer

    commands = typer.main.get_command(make_app()).commands  # type: ignore[attr-defined]
    own = {name: (verb.help or "").split("\n\n")[0] for name, verb in commands.items()}

    assert {name: " ".join(own[name].split()) for name in SUMMARIES} == SUMMARIES


def test_the_list_of_verbs_loads_none_of_those_it_knows() -> None:
    script = (
        "import sys, app.main as m\n"
        "m.main(['--help'])\n"
        "print(*[name for name in sys.modules if name.startswith('app.commands.')])"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True
    )
    loaded = {name.rpartition(".")[2] for name in done.stdout.splitlines()[-1].split()}

    assert loaded & SUMMARIES.keys() == set()
    assert all(verb in done.stdout for verb in SUMMARIES)


@pytest.mark.parametrize(("line", "expected"), [("do", "doctor"), ("bench --base", "--baseline")])
def test_verbs_and_options_are_completed(line: str, expected: str) -> None:
    env = {**os.environ, "_PENSTOCK_COMPLETE": "complete_bash"}
    env |= {"COMP_WORDS": f"penstock {line}", "COMP_CWORD": str(len(line.split()))}
    done = subprocess.run(
        [sys.executable, "-m", "app"], env=env, capture_output=True, text=True, check=False
    )
    assert done.stdout.split() == [expected]
