import random
import struct
from typing import Any

import pytest

from engine.dfp.byte_reader import ByteReader
from engine.dfp.mxpack import VALUES_LIMIT, Value, decode_value
from engine.errors import ProgramMalformedError
from tests.support.genuine_files import KEY_BYTES, Array, Raw, packed


def decoded(data: bytes) -> Any:
    return plain(decode_value(ByteReader(data, "x.dfp")))


def plain(value: Value) -> Any:
    if isinstance(value.content, dict):
        return {key: plain(item) for key, item in value.content.items()}
    if isinstance(value.content, list):
        return [plain(item) for item in value.content]
    return bytes(value.content) if isinstance(value.content, memoryview) else value.content


def refused(data: bytes) -> ProgramMalformedError:
    with pytest.raises(ProgramMalformedError) as caught:
        decoded(data)
    return caught.value


@pytest.mark.parametrize(
    "value",
    [
        0,
        255,
        256,
        65536,
        2**63,
        -1,
        -129,
        -40000,
        -(2**40),
        True,
        False,
        0.5,
        "",
        "name",
        "grüße",
        b"",
        b"bytes",
        [],
        [1, 2, 3],
        [1, 300, 70000],
        [-1, 1],
        ["a", "bc"],
        [[1], [2, 3]],
        [{"a": 1}, {"b": "c"}],
        {},
        {"a": {"b": [1, 2]}, "c": b"x"},
    ],
)
def test_what_was_packed_comes_back(value: Any) -> None:
    assert decoded(packed(value)) == value


def test_an_array_reads_like_nested_lists() -> None:
    inner = Array([1, 2])
    assert decoded(packed(Array([inner, inner]))) == [[1, 2], [1, 2]]


def test_values_know_where_they_begin() -> None:
    value = decode_value(ByteReader(b"junk" + packed({"a": 7}), "x.dfp", begin=4))

    assert isinstance(value.content, dict)
    assert (value.offset, value.content["a"].offset) == (5, 4 + 1 + 4 + KEY_BYTES + 1)


def test_binary_data_is_not_copied() -> None:
    data = packed(b"z" * 1000)
    value = decode_value(ByteReader(data, "x.dfp"))

    assert isinstance(value.content, memoryview)
    assert value.content.obj is data


@pytest.mark.parametrize("value", [300, "name", "grüße", b"bytes", [1, 2], {"a": 1}, 0.5, True])
def test_every_cut_is_refused_where_bytes_are_missing(value: Any) -> None:
    data = packed(value)

    for length in range(len(data)):
        error = refused(data[:length])
        assert isinstance(error.details["offset"], int)
        assert 0 <= error.details["offset"] <= length


def test_an_unknown_type_is_named_with_its_byte() -> None:
    error = refused(b"\x99")

    assert str(error) == "DFP x.dfp is damaged at byte 0: there is no type 0x99; copy it again"


def test_an_unknown_type_inside_a_list_is_refused() -> None:
    assert "0x99" in str(refused(bytes([2]) + struct.pack("<BI", 0x99, 1) + bytes(9)))


@pytest.mark.parametrize("kind", [0x01, 0x02, 0xA2, 0x03, 0x60, 0x61])
def test_a_length_beyond_the_file_is_refused_before_anything_is_made(kind: int) -> None:
    huge = struct.pack("<BI", 0x10, 2**32 - 1) if kind in (2, 0xA2) else b"\xff" * 8

    assert "byte" in str(refused(bytes([kind]) + huge + bytes(50)))


def test_a_key_that_is_there_twice_is_refused() -> None:
    entry = b"a".ljust(KEY_BYTES, b"\0") + packed(1)
    error = refused(b"\x01" + struct.pack("<I", 2) + entry * 2)

    assert "the key 'a' is there twice" in str(error)
    assert error.details["offset"] == 5 + len(entry)


@pytest.mark.parametrize("key", [b"", b"k" * KEY_BYTES, b"\xc3\xa4", b"a\nb"])
def test_a_key_that_is_none_is_refused(key: bytes) -> None:
    entry = key.ljust(KEY_BYTES, b"\0") + packed(1)

    assert "printable" in str(refused(b"\x01" + struct.pack("<I", 1) + entry))


def test_values_nested_without_end_are_refused() -> None:
    value: Any = 1
    for _ in range(40):
        value = [value]

    assert "nested more than" in str(refused(packed(value)))


def test_more_values_than_any_file_has_are_refused() -> None:
    many = bytes([2]) + struct.pack("<BI", 0x10, VALUES_LIMIT + 1) + bytes(VALUES_LIMIT + 1)

    assert f"more than {VALUES_LIMIT} values" in str(refused(many))


def test_many_lists_together_are_limited_too() -> None:
    inner = Raw(2, struct.pack("<BI", 0x10, 2000) + bytes(2000))

    assert "more than" in str(refused(packed([inner] * 60)))


def test_random_bytes_give_our_errors_only() -> None:
    chance = random.Random(7)
    refusals = 0
    for _ in range(500):
        data = chance.choice([b"\x01", b"\x02", b"\xa2"]) + chance.randbytes(chance.randrange(300))
        try:
            decoded(data)
        except ProgramMalformedError:
            refusals += 1

    assert refusals > 400
