"""Bad programs and models: each gives exactly one clear sentence, and nothing else."""

import hashlib
import io
import random
import struct
import zipfile
from collections.abc import Callable, Sequence
from pathlib import Path

import msgspec
import onnx
import pytest
from onnx import TensorProto, helper

from engine.config import PostSettings, PreSettings, Task
from engine.dfp import Dfp, ModelEntry, compile_models, pack_dfp
from engine.dfp.model_compiler import check_draft, fix_draft, read_draft
from engine.dfp.model_source import CompleteSource
from engine.errors import (
    EngineError,
    ProgramCompileError,
    ProgramError,
    ProgramIncompatibleError,
    ProgramMalformedError,
)
from engine.protocol import TensorInfo
from tests.support.genuine_files import v5_file, v6_file

GRAPH_MEMBER = "models/0/main.onnx"
GRAPH = random.Random(0).randbytes(2000)


@pytest.fixture
def packed() -> bytes:
    entry = ModelEntry(
        name="classifier",
        main=GRAPH_MEMBER,
        inputs=(TensorInfo("image", (1, 3, 4, 4), "float32"),),
        outputs=(TensorInfo("scores", (1, 2), "float32"),),
        task=Task.CLASSIFY,
        labels=("cat", "cup"),
    )
    return pack_dfp(name="demo", models=[entry], graphs={GRAPH_MEMBER: GRAPH}, created="now")


@pytest.fixture
def open_file(tmp_path: Path) -> Callable[[bytes], Dfp]:
    def opened(data: bytes) -> Dfp:
        path = tmp_path / "demo.dfp"
        path.write_bytes(data)
        return Dfp(path)

    return opened


def rezipped(packed: bytes, **members: bytes | None) -> bytes:
    """Pack again with other members, as somebody with a ZIP tool would; None removes one."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(packed)) as before, zipfile.ZipFile(buffer, "w") as after:
        for name in dict.fromkeys([*before.namelist(), *members]):
            data = members[name] if name in members else before.read(name)
            if data is not None:
                after.writestr(name, data)
    return buffer.getvalue()


def sentence_of(error: EngineError) -> str:
    """Return the message, after checking that it is one line that somebody can read."""
    text = str(error)
    assert "\n" not in text
    assert len(text) < 600
    assert "Traceback" not in text
    return text


def test_a_program_that_is_cut_off_is_refused(
    open_file: Callable[[bytes], Dfp], packed: bytes
) -> None:
    for length in (10, len(packed) // 2, len(packed) - 1):
        with pytest.raises(ProgramMalformedError) as caught:
            open_file(packed[:length])
        assert f"demo.dfp is cut off: its end is missing after {length} bytes" in sentence_of(
            caught.value
        )


def test_every_truncation_is_refused(packed: bytes) -> None:
    for length in range(len(packed)):
        with pytest.raises(ProgramMalformedError):
            Dfp(packed[:length])


def test_a_changed_member_is_named(open_file: Callable[[bytes], Dfp], packed: bytes) -> None:
    changed = bytearray(packed)
    changed[packed.index(GRAPH)] ^= 1

    with pytest.raises(ProgramMalformedError, match=f"the member '{GRAPH_MEMBER}' was changed"):
        open_file(bytes(changed))


def test_a_member_changed_with_a_zip_tool_is_named(
    open_file: Callable[[bytes], Dfp], packed: bytes
) -> None:
    other = bytes(len(GRAPH))

    with pytest.raises(ProgramMalformedError) as caught:
        open_file(rezipped(packed, **{GRAPH_MEMBER: other}))

    assert caught.value.details["member"] == GRAPH_MEMBER
    assert "its SHA-256 is another one" in sentence_of(caught.value)


@pytest.mark.parametrize(
    ("members", "words"),
    [
        ({GRAPH_MEMBER: b"short"}, "has 5 instead of 2000 bytes"),
        ({GRAPH_MEMBER: None}, "is missing"),
        ({"extra.bin": b"?"}, "'extra.bin' is not in the manifest"),
        ({"manifest.json": None}, "without manifest.json"),
        ({"manifest.json": b"{"}, "its manifest cannot be read"),
    ],
)
def test_members_that_do_not_fit_the_manifest_are_refused(
    open_file: Callable[[bytes], Dfp], packed: bytes, members: dict[str, bytes | None], words: str
) -> None:
    with pytest.raises(ProgramMalformedError) as caught:
        open_file(rezipped(packed, **members))

    assert words in sentence_of(caught.value)


def test_a_newer_version_says_to_update(open_file: Callable[[bytes], Dfp], packed: bytes) -> None:
    manifest = msgspec.json.decode(Dfp(packed).member("manifest.json"))
    newer = msgspec.json.encode(manifest | {"version": 2, "unheard_of": {}})

    with pytest.raises(ProgramIncompatibleError) as caught:
        open_file(rezipped(packed, **{"manifest.json": newer}))

    assert "is of version 2, this Penstock reads up to 1; update Penstock" in sentence_of(
        caught.value
    )


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"P",
        b"hello, this is a text",
        b"\x89PNG\r\n\x1a\n" + bytes(100),
        b"PK\x05\x06" + bytes(18),
        bytes(1000),
    ],
)
def test_what_is_not_a_program_is_refused(open_file: Callable[[bytes], Dfp], data: bytes) -> None:
    with pytest.raises(ProgramMalformedError) as caught:
        open_file(data)

    assert "demo.dfp is not a DFP" in sentence_of(caught.value)


@pytest.mark.parametrize("version", [5, 6])
def test_a_program_for_memryx_hardware_says_what_is_needed(
    open_file: Callable[[bytes], Dfp], version: int
) -> None:
    dfp = open_file(v5_file() if version == 5 else v6_file())

    with pytest.raises(ProgramIncompatibleError) as caught:
        dfp.graph()

    told = sentence_of(caught.value)
    assert f"format version {version} for MemryX hardware" in told
    assert "penstock compile --for" in told


@pytest.mark.parametrize("version", [5, 6])
def test_a_damaged_program_for_memryx_hardware_says_at_which_byte(
    open_file: Callable[[bytes], Dfp], version: int
) -> None:
    with pytest.raises(ProgramMalformedError, match=r"damaged at byte \d+: ") as caught:
        open_file(struct.pack("<QBL", version, 1, 3) + bytes(200))

    assert isinstance(caught.value.details["offset"], int)
    sentence_of(caught.value)


def test_a_program_that_is_not_there_is_told_in_one_sentence(tmp_path: Path) -> None:
    with pytest.raises(ProgramError) as caught:
        Dfp(tmp_path / "no.dfp")
    assert "no.dfp cannot be read: No such file" in sentence_of(caught.value)
    with pytest.raises(ProgramError, match="cannot be read"):
        Dfp(tmp_path)


def test_a_compressed_program_is_refused_before_anything_grows(packed: bytes) -> None:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("manifest.json", Dfp(packed).member("manifest.json"))
        archive.writestr(GRAPH_MEMBER, bytes(50_000_000))

    with pytest.raises(ProgramMalformedError, match="is compressed, which a DFP never is"):
        Dfp(buffer.getvalue())


def test_every_flipped_bit_is_refused_or_changes_nothing(packed: bytes) -> None:
    whole = Dfp(packed)
    places = _places(packed)
    chance = random.Random(3)
    refused = dict.fromkeys(places, 0)

    for region, (begin, end) in places.items():
        for _ in range(150):
            broken = bytearray(packed)
            broken[chance.randrange(begin, end)] ^= 1 << chance.randrange(8)
            try:
                dfp = Dfp(bytes(broken))
            except ProgramError as error:
                sentence_of(error)
                refused[region] += 1
            else:
                assert (dfp.manifest, dfp.graph()) == (whole.manifest, GRAPH)

    assert refused["manifest"] == refused["graph"] == 150
    assert min(refused.values()) > 20


def test_random_pieces_cut_doubled_or_overwritten_are_refused(packed: bytes) -> None:
    whole = Dfp(packed)
    chance = random.Random(4)

    for _ in range(400):
        at, length = chance.randrange(len(packed)), chance.randrange(1, 60)
        piece = packed[at : at + length]
        noise = chance.choice([b"", piece * 2, chance.randbytes(len(piece))])
        broken = packed[:at] + noise + packed[at + length :]
        try:
            dfp = Dfp(broken)
        except ProgramError as error:
            sentence_of(error)
        else:
            assert (dfp.manifest, dfp.graph()) == (whole.manifest, GRAPH)


def _places(packed: bytes) -> dict[str, tuple[int, int]]:
    """Return where each kind of bytes lies in the file."""
    text = Dfp(packed).member("manifest.json")
    manifest, graph = packed.index(text), packed.index(GRAPH)
    directory, end = packed.index(b"PK\x01\x02"), len(packed) - 22
    return {
        "first header": (0, manifest),
        "manifest": (manifest, manifest + len(text)),
        "second header": (manifest + len(text), graph),
        "graph": (graph, graph + len(GRAPH)),
        "directory": (directory, end),
        "end": (end, len(packed)),
    }


def model(
    shape: Sequence[int | str] = (1, 4), op: str = "Relu", dtype: int = TensorProto.FLOAT
) -> bytes:
    graph = helper.make_graph(
        [helper.make_node(op, ["image"], ["scores"])],
        "g",
        [helper.make_tensor_value_info("image", dtype, shape)],
        [helper.make_tensor_value_info("scores", dtype, shape)],
    )
    opset = helper.make_opsetid("", 17)
    made = helper.make_model(graph, opset_imports=[opset], ir_version=9)
    return made.SerializeToString()


def cut(data: bytes) -> bytes:
    return data[: len(data) - 5]


def without_nodes() -> bytes:
    made = onnx.load_model_from_string(model())
    del made.graph.node[:]
    return made.SerializeToString()


def with_unknown_input() -> bytes:
    made = onnx.load_model_from_string(model())
    made.graph.node[0].input[0] = "nowhere"
    return made.SerializeToString()


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"", "no operator in it"),
        (b"\xff" * 100, "is not an ONNX model, or it is cut off"),
        (cut(model()), "is not an ONNX model, or it is cut off"),
        (without_nodes(), "no operator in it"),
        (with_unknown_input(), "is not a valid ONNX model"),
        (model(op="Wonder"), "is not a valid ONNX model: No Op registered for Wonder"),
        (model((1, 3, "H\n", 4)), "has names that cannot be printed"),
        (model((1, 3, "H", 4)), "no fixed size on axis 2 (H); give the sizes with --shape image="),
        (model(dtype=TensorProto.STRING, op="Identity"), "'image' holds values of type STRING"),
    ],
)
def test_a_model_that_cannot_be_used_is_refused(tmp_path: Path, data: bytes, words: str) -> None:
    path = tmp_path / "m.onnx"
    path.write_bytes(data)

    with pytest.raises(ProgramCompileError) as caught:
        compile_models([path], output=tmp_path / "m.dfp")

    told = sentence_of(caught.value)
    assert words in told
    assert str(path) in told
    assert list(tmp_path.iterdir()) == [path]


def test_a_model_that_is_not_there_is_told_in_one_sentence(tmp_path: Path) -> None:
    with pytest.raises(ProgramCompileError) as caught:
        compile_models([tmp_path / "no.onnx"])

    assert "no.onnx cannot be read: No such file" in sentence_of(caught.value)


def test_weights_outside_the_models_folder_are_not_read(tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    secret.write_bytes(bytes(16))
    made = onnx.load_model_from_string(model())
    weight = made.graph.initializer.add(name="w", dims=[4], data_type=TensorProto.FLOAT)
    weight.data_location = TensorProto.EXTERNAL
    weight.external_data.add(key="location", value="../secret")
    (tmp_path / "models").mkdir()
    path = tmp_path / "models" / "m.onnx"
    path.write_bytes(made.SerializeToString())

    with pytest.raises(ProgramCompileError) as caught:
        compile_models([path])

    sentence_of(caught.value)


def test_a_shape_for_an_unknown_input_names_the_inputs() -> None:
    with pytest.raises(ProgramCompileError, match=r"input 'x', which no model has.*'image'"):
        compile_models([model()], input_shapes={"x": (1,)})


def test_a_role_for_an_unknown_output_names_the_outputs() -> None:
    with pytest.raises(ProgramCompileError, match=r"no output 'prob'.*'scores'"):
        compile_models([model()], task=Task.CLASSIFY, post=PostSettings(outputs={"scores": "prob"}))


def test_random_damage_of_a_model_gives_our_errors_only() -> None:
    whole = onnx.load_model_from_string(model((1, 3, "H")))
    whole.graph.input[0].type.tensor_type.shape.dim[2].dim_value = 4
    whole.graph.initializer.append(helper.make_tensor("w", TensorProto.FLOAT, [2], [1, 2]))
    helper.set_model_props(whole, {"names": "{0: 'cat', 1: 'cup'}"})
    data = whole.SerializeToString()
    chance = random.Random(5)
    told = set()
    for _ in range(1000):
        broken = bytearray(data)
        broken[chance.randrange(len(data))] ^= 1 << chance.randrange(8)
        source = CompleteSource(
            bytes(broken), "m", "m.onnx", Task.TENSOR, PreSettings(), PostSettings(), ()
        )
        try:
            check_draft(fix_draft(read_draft(source), {}))
        except ProgramCompileError as error:
            told.add(sentence_of(error)[:30])

    assert told


def test_the_hash_of_a_program_is_the_hash_of_its_file(packed: bytes) -> None:
    assert Dfp(packed).sha256 == hashlib.sha256(packed).hexdigest()
