import io
import random
import struct
import zipfile
from collections.abc import Callable

import pytest

from engine.dfp.archive import pack_members, read_members
from engine.errors import ProgramMalformedError

MEMBERS = {"manifest.json": b"{}", "models/0/main.onnx": b"weights"}


def zip_of(fill: Callable[[zipfile.ZipFile], None], method: int = zipfile.ZIP_STORED) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", method) as archive:
        fill(archive)
    return buffer.getvalue()


def refused(data: bytes) -> str:
    with pytest.raises(ProgramMalformedError) as caught:
        read_members(data, "x.dfp")
    return str(caught.value)


def test_members_are_found_where_they_were_packed() -> None:
    data = pack_members(MEMBERS)

    members = read_members(data, "x.dfp")

    found = {m.name: data[m.offset : m.offset + m.size_bytes] for m in members.values()}
    assert found == MEMBERS


def test_other_tools_can_read_what_was_packed() -> None:
    with zipfile.ZipFile(io.BytesIO(pack_members(MEMBERS))) as archive:
        assert archive.testzip() is None
        assert {name: archive.read(name) for name in archive.namelist()} == MEMBERS


def test_an_archive_of_another_tool_can_be_read() -> None:
    def fill(archive: zipfile.ZipFile) -> None:
        for name, data in MEMBERS.items():
            archive.writestr(name, data)

    assert list(read_members(zip_of(fill), "x.dfp")) == list(MEMBERS)


def test_equal_members_give_equal_bytes() -> None:
    assert pack_members(MEMBERS) == pack_members(dict(MEMBERS))


def test_a_compressed_member_is_refused() -> None:
    data = zip_of(lambda archive: archive.writestr("a", b"0" * 1_000_000), zipfile.ZIP_DEFLATED)

    assert "'a' is compressed" in refused(data)


def test_a_member_that_is_there_twice_is_refused() -> None:
    def fill(archive: zipfile.ZipFile) -> None:
        archive.writestr("a", b"1")
        with pytest.warns(UserWarning, match="Duplicate"):
            archive.writestr("a", b"2")

    assert "'a' twice" in refused(zip_of(fill))


def test_bytes_before_the_first_member_are_refused() -> None:
    def fill(archive: zipfile.ZipFile) -> None:
        archive.writestr("a", b"1")

    data = bytearray(b"junk" + zip_of(fill))
    end = len(data) - 22
    offset = struct.unpack_from("<L", data, end + 16)[0]
    struct.pack_into("<L", data, end + 16, offset + 4)
    struct.pack_into("<L", data, offset + 4 + 42, 4)

    assert "one behind the other" in refused(bytes(data))


def test_bytes_between_the_members_are_refused() -> None:
    data = pack_members(MEMBERS)
    directory = data.index(b"PK\x01\x02")
    longer = bytearray(data[:directory] + b"hidden" + data[directory:])
    struct.pack_into("<L", longer, len(longer) - 6, directory + 6)

    assert "belong to no member" in refused(bytes(longer))


def test_two_entries_for_the_same_bytes_are_refused() -> None:
    data = pack_members({"a": b"1"})
    directory, end = data.index(b"PK\x01\x02"), len(data) - 22
    entry = data[directory:end]
    closing = struct.pack("<4s4H2LH", b"PK\x05\x06", 0, 0, 2, 2, 2 * len(entry), directory, 0)

    assert "one behind the other" in refused(data[:end] + entry + closing)


def test_every_truncation_is_refused() -> None:
    data = pack_members(MEMBERS)

    for length in range(4, len(data)):
        refused(data[:length])


def test_a_file_that_goes_on_behind_its_end_is_refused() -> None:
    assert "cut off" in refused(pack_members(MEMBERS) + b"more")


def test_random_bytes_behind_the_first_signature_are_refused() -> None:
    random_bytes = random.Random(1)

    for _ in range(200):
        body = random_bytes.randbytes(random_bytes.randrange(200))
        refused(b"PK\x03\x04" + body)
        refused(b"PK\x03\x04" + body + b"PK\x05\x06" + random_bytes.randbytes(18))
