import json
from collections.abc import Callable
from pathlib import Path

import onnx
import pytest
import typer
from typer.testing import CliRunner, Result

from app.commands.compile import compile_command, parse_shape
from app.commands.inspect import inspect_command
from engine.config import Task
from engine.dfp import Dfp
from engine.errors import (
    EngineError,
    InvalidArgumentError,
    OutputError,
    ProgramCompileError,
    ProgramIncompatibleError,
)
from tests.support.genuine_files import port, v5_file, v6_file
from tests.support.networks import detector

Make = Callable[..., onnx.ModelProto]
SETTINGS = """
name = "from settings"
task = "segment"
labels = ["one"]
[shapes]
image = [1, 3, 8, 8]
[pre]
channels = "bgr"
"""


def run(*arguments: str | Path) -> Result:
    app = typer.Typer()
    app.command("compile")(compile_command)
    app.command("inspect")(inspect_command)
    result = CliRunner().invoke(app, [str(argument) for argument in arguments])
    if isinstance(result.exception, EngineError):
        raise result.exception
    return result


@pytest.fixture
def model_file(make_model: Make, tmp_path: Path) -> Path:
    path = tmp_path / "adds.onnx"
    onnx.save(make_model(("N", 3, "H", "W")), path)
    return path


@pytest.fixture
def program(packed: bytes, tmp_path: Path) -> Path:
    path = tmp_path / "demo.dfp"
    path.write_bytes(packed)
    return path


def test_compile_takes_everything_from_a_settings_file(model_file: Path, tmp_path: Path) -> None:
    settings = tmp_path / "settings.toml"
    settings.write_text(SETTINGS)

    result = run("compile", model_file, "-o", tmp_path / "o.dfp", "--settings", settings)

    assert result.exit_code == 0
    dfp = Dfp(tmp_path / "o.dfp")
    assert (dfp.manifest.name, dfp.models[0].task) == ("from settings", Task.SEGMENT)
    assert (dfp.models[0].labels, dfp.models[0].pre.channels) == (("one",), "bgr")
    assert dfp.input_tensors[0].shape == (1, 3, 8, 8)
    assert "image: 1 x 3 x 8 x 8, float32" in result.stdout


def test_options_win_over_the_settings_file(model_file: Path, tmp_path: Path) -> None:
    settings, labels = tmp_path / "settings.toml", tmp_path / "labels.txt"
    settings.write_text(SETTINGS)
    labels.write_text("cat\ncup\n")
    options = ["--task", "classify", "--name", "mine", "--shape", "image=2,3,4,5"]

    run("compile", model_file, "-o", tmp_path / "o.dfp", "--settings", settings, "--labels", labels,
        *options)  # fmt: skip

    dfp = Dfp(tmp_path / "o.dfp")
    assert (dfp.manifest.name, dfp.models[0].task) == ("mine", Task.CLASSIFY)
    assert dfp.models[0].labels == ("cat", "cup")
    assert dfp.input_tensors[0].shape == (2, 3, 4, 5)


def test_the_program_is_named_like_the_model_by_default(
    model_file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)

    run("compile", model_file, "--shape", "image=1,3,4,4")

    assert Dfp("adds.dfp").manifest.name == "adds"


def test_a_failed_compilation_writes_nothing(model_file: Path, tmp_path: Path) -> None:
    with pytest.raises(EngineError, match="--shape image=1,3,SIZE,SIZE"):
        run("compile", model_file, "-o", tmp_path / "o.dfp")

    assert list(tmp_path.iterdir()) == [model_file]


@pytest.mark.parametrize(
    ("text", "shape"),
    [
        ("image=1,3,224,224", ("image", (1, 3, 224, 224))),
        ("a=b:0= 1, 5", ("a=b:0", (1, 5))),
    ],
)
def test_a_shape_is_read(text: str, shape: tuple[str, tuple[int, ...]]) -> None:
    assert parse_shape(text) == shape


@pytest.mark.parametrize(
    "text", ["", "image", "image=", "=1,2", "image=1,x", "image=1,0", "i=1,,2"]
)
def test_what_is_not_a_shape_is_refused(text: str) -> None:
    with pytest.raises(InvalidArgumentError, match="write NAME=SIZES"):
        parse_shape(text)


def test_inspect_shows_models_and_settings(program: Path) -> None:
    shown = " ".join(run("inspect", program).stdout.split())

    for words in ("Program demo", "Model 0: classifier", "image: 1 x 3 x 4 x 4", "2: cat; cup"):
        assert words in shown


def test_inspect_prints_json_that_holds_the_whole_manifest(program: Path) -> None:
    shown = json.loads(run("inspect", program, "--json").stdout)

    dfp = Dfp(program)
    assert (shown["sha256"], shown["size_bytes"]) == (dfp.sha256, dfp.size_bytes)
    assert shown["manifest"] == json.loads(dfp.member("manifest.json"))


def test_inspect_writes_the_members_into_a_new_folder(program: Path, tmp_path: Path) -> None:
    folder = tmp_path / "deep" / "members"

    run("inspect", program, "--extract", folder)

    dfp = Dfp(program)
    found = {str(p.relative_to(folder)): p.read_bytes() for p in folder.rglob("*") if p.is_file()}
    assert found == {name: dfp.member(name) for name in dfp.member_names}


def test_inspect_leaves_a_folder_alone_that_has_something_in_it(
    program: Path, tmp_path: Path
) -> None:
    with pytest.raises(OutputError, match="is not empty"):
        run("inspect", program, "--extract", tmp_path)

    assert list(tmp_path.iterdir()) == [program]


def test_inspect_tells_when_the_folder_is_a_file(program: Path) -> None:
    with pytest.raises(OutputError, match="cannot be written"):
        run("inspect", program, "--extract", program)


@pytest.fixture
def detector_file(tmp_path: Path) -> Path:
    path = tmp_path / "detector.onnx"
    onnx.save(detector(), path)
    return path


@pytest.fixture
def genuine(tmp_path: Path) -> Path:
    path = tmp_path / "genuine.dfp"
    path.write_bytes(
        v6_file(
            inport_info=[port(3, "planes", (8, 8, 1, 3))],
            outport_info=[port(1, "last", (8, 8, 1, 5))],
        )
    )
    return path


def test_compile_crops_and_shows_how_each_output_compares(
    detector_file: Path, tmp_path: Path
) -> None:
    shown = run("compile", detector_file, "-o", tmp_path / "o.dfp", "--autocrop").stdout

    dfp = Dfp(tmp_path / "o.dfp")
    assert (list(dfp.models[0].graphs), dfp.output_names) == (["main", "pre", "post"], ["r2"])
    assert "cosine 1.00000" in shown


def test_compile_cuts_at_named_tensors(detector_file: Path, tmp_path: Path) -> None:
    run("compile", detector_file, "-o", tmp_path / "o.dfp", "--inputs", "r1", "--outputs", "last")

    dfp = Dfp(tmp_path / "o.dfp")
    assert ([t.name for t in dfp.input_tensors.values()], dfp.output_names) == (["r1"], ["c2"])


def test_compile_gives_the_ports_of_a_memryx_program(
    detector_file: Path, genuine: Path, tmp_path: Path
) -> None:
    run("compile", detector_file, "-o", tmp_path / "o.dfp", "--for", genuine)

    dfp = Dfp(tmp_path / "o.dfp")
    assert {number: p["layer_name"] for number, p in dfp.input_ports.items()} == {3: "planes"}
    assert {number: p["layer_name"] for number, p in dfp.output_ports.items()} == {1: "last"}


def test_compile_quantizes_with_calibration_data_only(detector_file: Path, tmp_path: Path) -> None:
    with pytest.raises(ProgramCompileError, match=r"give frames .*--calibration FILE"):
        run("compile", detector_file, "-o", tmp_path / "o.dfp", "--int8")
    with pytest.raises(InvalidArgumentError, match="given 2 times for 1 models"):
        run("compile", detector_file, "--calibration", "a.npy", "--calibration", "b.npy")


def test_inspect_shows_a_memryx_program_and_what_it_needs(genuine: Path) -> None:
    shown = " ".join(run("inspect", genuine).stdout.split())

    for words in (
        "DFP version 6, sub-version 1",
        "Cascade+, 4 chips",
        "600 MHz",
        "/models/mobilenet.onnx",
        "Input port 3: planes",
        "Output port 1: last",
        "bf16, 384 bytes a frame",
        f"penstock compile --for {genuine} MODEL.onnx",
    ):
        assert words in shown


def test_inspect_prints_the_metadata_of_a_memryx_program_as_json(tmp_path: Path) -> None:
    path = tmp_path / "old.dfp"
    path.write_bytes(v5_file())

    shown = json.loads(run("inspect", path, "--json").stdout)

    assert (shown["genuine"]["version"], shown["genuine"]["compiler"]) == (5, "1.0.0")
    assert shown["genuine"]["inputs"][0]["mxa_shape"] == [224, 224, 1, 3]
    assert shown["sha256"] == Dfp(path).sha256
    assert "MemryX" in shown["needs"]


def test_inspect_cannot_extract_a_memryx_program(genuine: Path, tmp_path: Path) -> None:
    with pytest.raises(ProgramIncompatibleError):
        run("inspect", genuine, "--extract", tmp_path / "parts")

    assert not (tmp_path / "parts").exists()


def test_inspect_shows_no_control_characters_of_a_memryx_program(tmp_path: Path) -> None:
    path = tmp_path / "evil.dfp"
    evil = "\x1b[31mred\x07"
    outputs = [port(0, evil, (1, 1, 1, 2))]
    path.write_bytes(
        v6_file(
            models=[evil], compiler_args={"a": evil}, outport_info=outputs, compiler_version=evil
        )
    )

    shown = run("inspect", path).stdout

    assert "\x1b" not in shown
    assert "\x07" not in shown
