import hashlib
import subprocess
import sys
from pathlib import Path

import msgspec
import pytest

from engine.config import Task
from engine.dfp import Dfp, ModelEntry, describe, pack_dfp, write_dfp
from engine.errors import InvalidArgumentError, OutputError
from engine.protocol import TensorInfo

GRAPH = bytes(range(256)) * 4


def second(entry: ModelEntry) -> ModelEntry:
    return msgspec.structs.replace(
        entry,
        name="second",
        main="models/1/main.onnx",
        pre_graph="models/1/pre.onnx",
        inputs=(TensorInfo("x", (1,), "uint8", 1),),
        outputs=(TensorInfo("y", (0, 4), "float32", 1), TensorInfo("z", (), "int64", 2)),
    )


@pytest.mark.parametrize("kind", [bytes, bytearray, memoryview])
def test_a_program_opens_from_bytes(packed: bytes, kind: type) -> None:
    dfp = Dfp(kind(packed))

    assert (dfp.path, dfp.size_bytes) == (None, len(packed))
    assert dfp.graph() == GRAPH


@pytest.mark.parametrize("kind", [str, Path])
def test_a_program_opens_from_a_file(packed: bytes, tmp_path: Path, kind: type) -> None:
    path = tmp_path / "demo.dfp"
    path.write_bytes(packed)

    dfp = Dfp(kind(path))

    assert dfp.path == path
    assert dfp.sha256 == hashlib.sha256(packed).hexdigest()


def test_a_program_opens_from_another_without_reading_again(packed: bytes) -> None:
    dfp = Dfp(packed)

    assert Dfp(dfp).manifest is dfp.manifest
    assert Dfp(dfp).graph() == GRAPH


def test_a_buffer_that_changes_later_does_not_change_the_program(packed: bytes) -> None:
    buffer = bytearray(packed)
    dfp = Dfp(buffer)

    buffer[:] = bytes(len(buffer))

    assert dfp.graph() == GRAPH


def test_ports_run_over_all_models(entry: ModelEntry) -> None:
    graphs = dict.fromkeys([entry.main, "models/1/main.onnx", "models/1/pre.onnx"], b"g")
    dfp = Dfp(pack_dfp(name="two", models=[entry, second(entry)], graphs=graphs))

    assert {port: tensor.name for port, tensor in dfp.input_tensors.items()} == {0: "image", 1: "x"}
    assert list(dfp.output_tensors) == [0, 1, 2]


def test_each_part_of_a_model_is_found(entry: ModelEntry) -> None:
    graphs = {entry.main: b"a", "models/1/main.onnx": b"b", "models/1/pre.onnx": b"c"}
    dfp = Dfp(pack_dfp(name="two", models=[entry, second(entry)], graphs=graphs))

    assert [dfp.graph(0), dfp.graph(1), dfp.graph(1, "pre")] == [b"a", b"b", b"c"]


@pytest.mark.parametrize("model_idx", [-1, 1])
def test_a_model_that_is_not_there_is_named(packed: bytes, model_idx: int) -> None:
    with pytest.raises(InvalidArgumentError, match=f"0 to 0, not {model_idx}"):
        Dfp(packed).graph(model_idx)


def test_a_part_that_is_not_there_is_named(packed: bytes) -> None:
    with pytest.raises(InvalidArgumentError, match="no 'post' graph, only main"):
        Dfp(packed).graph(0, "post")


def test_equal_arguments_give_equal_bytes(entry: ModelEntry) -> None:
    packs = [
        pack_dfp(name="n", models=[entry], graphs={entry.main: GRAPH}, created="now", compiler="c")
        for _ in range(2)
    ]

    assert packs[0] == packs[1]


def test_a_graph_that_is_missing_is_refused_by_the_writer(entry: ModelEntry) -> None:
    with pytest.raises(InvalidArgumentError, match="main graph"):
        pack_dfp(name="n", models=[entry], graphs={})


def test_writing_replaces_the_file_and_leaves_nothing_beside_it(
    entry: ModelEntry, tmp_path: Path
) -> None:
    path = tmp_path / "demo.dfp"
    path.write_text("old")

    dfp = write_dfp(path, name="demo", models=[entry], graphs={entry.main: GRAPH})

    assert Dfp(path).manifest == dfp.manifest
    assert list(tmp_path.iterdir()) == [path]


def test_a_folder_that_is_not_there_is_told_in_one_sentence(
    entry: ModelEntry, tmp_path: Path
) -> None:
    with pytest.raises(OutputError, match=r"demo\.dfp cannot be written: No such file"):
        write_dfp(tmp_path / "no" / "demo.dfp", name="n", models=[entry], graphs={entry.main: b""})


def test_a_folder_in_the_place_of_the_file_is_left_alone(entry: ModelEntry, tmp_path: Path) -> None:
    path = tmp_path / "demo.dfp"
    path.mkdir()

    with pytest.raises(OutputError, match="cannot be written"):
        write_dfp(path, name="n", models=[entry], graphs={entry.main: b""})

    assert list(tmp_path.iterdir()) == [path]


def test_clients_are_shown_what_the_manifest_says(packed: bytes, tmp_path: Path) -> None:
    path = tmp_path / "demo.dfp"
    path.write_bytes(packed)
    dfp = Dfp(path)

    state = describe(dfp)

    assert (state.name, state.path, state.task) == ("demo", str(path), Task.CLASSIFY)
    assert (state.sha256, state.size_bytes) == (dfp.sha256, len(packed))
    assert (state.inputs, state.outputs) == (dfp.models[0].inputs, dfp.models[0].outputs)
    assert (state.labels, state.label_count) == (("cat", "cup"), 2)
    assert (state.pre, state.post) == (dfp.models[0].pre, dfp.models[0].post)
    assert describe(dfp, name="mine").name == "mine"


def test_opening_a_program_imports_no_inference_library(packed: bytes, tmp_path: Path) -> None:
    path = tmp_path / "demo.dfp"
    path.write_bytes(packed)
    code = (
        "import sys; from engine.dfp import Dfp, describe; describe(Dfp(sys.argv[1])); "
        "print(sorted({'onnx', 'onnxruntime', 'numpy', 'cv2'} & set(sys.modules)))"
    )

    done = subprocess.run(
        [sys.executable, "-c", code, str(path)], capture_output=True, text=True, check=True
    )

    assert done.stdout.strip() == "[]"
