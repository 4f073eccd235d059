import random

import msgspec
import pytest

from engine.dfp import Manifest, MemberInfo, ModelEntry, Parity
from engine.dfp.manifest import decode_manifest, encode_manifest
from engine.errors import ProgramError, ProgramIncompatibleError, ProgramMalformedError
from engine.protocol import TensorInfo

DIGEST = "0" * 64


@pytest.fixture
def manifest(entry: ModelEntry) -> Manifest:
    return Manifest(
        "penstock-dfp", 1, "demo", "now", "test", (entry,), {entry.main: MemberInfo(DIGEST, 3)}
    )


def changed(manifest: Manifest, **fields: object) -> bytes:
    return msgspec.json.encode(msgspec.to_builtins(manifest) | fields)


def test_a_manifest_survives_the_way_through_its_file(manifest: Manifest) -> None:
    assert decode_manifest(encode_manifest(manifest), "x.dfp") == manifest


def test_a_newer_version_is_named_even_when_it_has_unknown_fields(manifest: Manifest) -> None:
    data = changed(manifest, version=2, news={"deep": [1]})

    with pytest.raises(ProgramIncompatibleError, match="is of version 2, this Penstock reads up"):
        decode_manifest(data, "x.dfp")


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"format": "other"}, "not a DFP"),
        ({"version": 0}, "no version 0"),
        ({"surprise": 1}, "surprise"),
        ({"models": []}, "at least one model"),
        ({"name": ""}, "the program's name is 1 to 200"),
        ({"name": "two\nlines"}, "printable"),
        ({"members": {}}, "main graph 'models/0/main.onnx' of model 'classifier' is missing"),
        ({"members": {"../up": {"sha256": DIGEST, "size_bytes": 1}}}, "cannot be a file's"),
        ({"members": {"/root": {"sha256": DIGEST, "size_bytes": 1}}}, "cannot be a file's"),
        ({"members": {"a": {"sha256": "short", "size_bytes": 1}}}, "64 hexadecimal digits"),
        ({"members": {"a": {"sha256": DIGEST, "size_bytes": -1}}}, "0 or more"),
        ({"created": 5}, "created"),
    ],
)
def test_a_wrong_field_is_refused_with_its_name(
    manifest: Manifest, fields: dict[str, object], words: str
) -> None:
    with pytest.raises(ProgramMalformedError) as caught:
        decode_manifest(changed(manifest, **fields), "x.dfp")

    assert words in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    "data", [b"", b"\xff\xfe", b"null", b"[1]", b"[" * 100_000, b'{"a":' * 9000]
)
def test_what_is_not_a_manifest_is_refused(data: bytes) -> None:
    with pytest.raises(ProgramMalformedError):
        decode_manifest(data, "x.dfp")


@pytest.mark.parametrize(
    ("tensor", "words"),
    [
        (TensorInfo("", (1,), "float32"), "not printable"),
        (TensorInfo("\x1b[31m", (1,), "float32"), "not printable"),
        (TensorInfo("a", (1,), "text"), "unknown dtype 'text'"),
        (TensorInfo("a", (-1,), "float32"), "impossible shape"),
        (TensorInfo("a", (1,), "float32", port=-1), "not different numbers from 0 on"),
    ],
)
def test_an_impossible_tensor_is_refused(
    manifest: Manifest, entry: ModelEntry, tensor: TensorInfo, words: str
) -> None:
    models = [msgspec.to_builtins(entry) | {"inputs": [msgspec.to_builtins(tensor)]}]

    with pytest.raises(ProgramMalformedError, match=words):
        decode_manifest(changed(manifest, models=models), "x.dfp")


def test_random_damage_of_the_text_gives_our_errors_only(manifest: Manifest) -> None:
    data = encode_manifest(manifest)
    chance = random.Random(2)
    refused = 0

    for _ in range(500):
        broken = bytearray(data)
        broken[chance.randrange(len(data))] ^= 1 << chance.randrange(8)
        try:
            decode_manifest(bytes(broken), "x.dfp")
        except ProgramError:
            refused += 1

    assert refused > 100


def test_parity_says_why_it_was_not_checked() -> None:
    assert str(Parity(reason="it took too long")) == "not checked: it took too long"


def test_parity_says_how_large_the_difference_is() -> None:
    assert "0.001" in str(Parity(0.001, 5.0, ""))


def test_a_difference_that_is_no_number_is_refused() -> None:
    with pytest.raises(ValueError, match="finite"):
        Parity(float("nan"))
