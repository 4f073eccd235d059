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
from engine.errors import EngineError, InvalidArgumentError, OutputError

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
