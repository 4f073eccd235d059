"""Thousands of damaged programs through the inspector: only our errors, little memory, no hang."""

import random
import struct
import time
import tracemalloc
from collections.abc import Iterator
from typing import Any

import msgspec
import numpy as np
import pytest
from typer.testing import CliRunner

from app.commands.inspect import inspect_command
from engine.dfp import Dfp, ModelEntry, describe, pack_dfp
from engine.dfp.archive import pack_members
from engine.errors import EngineError, ProgramError
from engine.protocol import TensorInfo
from tests.support.genuine_files import port, raw, two_model_file, v5_file, v6_file

MEMORY_LIMIT_BYTES = 30 * 1024 * 1024
"""What reading a file of some kilobytes may take at most: the limit of values in a file."""

TIME_LIMIT_S = 5.0
INTERESTING = (0, 1, 2, 3, 0x10, 0x60, 0x7F, 0x80, 0xA2, 0xFF)


def own_file() -> bytes:
    entry = ModelEntry(
        name="classifier",
        main="models/0/main.onnx",
        post_graph="models/0/post.onnx",
        inputs=(TensorInfo("image", (1, 3, 4, 4), "float32", 2),),
        outputs=(TensorInfo("scores", (1, 2), "float32", 5),),
        labels=("cat", "cup"),
    )
    graphs = {"models/0/main.onnx": bytes(range(256)), "models/0/post.onnx": b"post"}
    return pack_dfp(name="demo", models=[entry], graphs=graphs, created="now", compiler="test")


def rich_v6_file() -> bytes:
    folded = raw("N", 3, 8, 8, folded_optype=["reshape"], folded_opshape=[[1, -1], [2]])
    extra = {"enabled": True, "shape": [1, 1, 1, 8], "channels": [1, 3]}
    return v6_file(
        inport_info=[
            port(0, "x", (8, 8, 1, 3), range_convert={"enabled": True, "shift": 0.5}, **folded),
            {"port": 1, "active": False},
        ],
        outport_info=[port(0, "y", (1, 1, 1, 6), hpoc=extra, **raw(1, 6))],
        compiler_args={"a": [{"b": [1, 2]}], "c": -1, "d": "ü", "e": 0.5},
    )


OWN = Dfp(own_file())
KINDS = {
    "own": [OWN.data],
    "own, packed again": [OWN.member("manifest.json")],
    "version 5": [v5_file()],
    "version 6": [rich_v6_file(), two_model_file()],
}


def damaged(files: list[bytes], count: int, seed: int) -> Iterator[bytes]:
    """Yield files with some bytes flipped, overwritten, taken away, doubled or put in."""
    chance = random.Random(seed)
    for _ in range(count):
        data = bytearray(chance.choice(files))
        for _ in range(chance.choice((1, 1, 1, 2, 5))):
            _damage(data, chance)
        yield bytes(data)


def files_of(kind: str, count: int, seed: int) -> Iterator[bytes]:
    """Yield damaged files; a damaged manifest is packed so that nothing else is wrong."""
    for data in damaged(KINDS[kind], count, seed):
        if kind == "own, packed again":
            members = {name: OWN.member(name) for name in OWN.member_names}
            yield pack_members(members | {"manifest.json": data})
        else:
            yield data


def _damage(data: bytearray, chance: random.Random) -> None:
    at = chance.randrange(len(data)) if data else 0
    how = chance.randrange(8)
    if how == 0:
        data[at : at + 1] = bytes([chance.randrange(256)])
    elif how == 1:
        data[at : at + 1] = bytes([chance.choice(INTERESTING)])
    elif how == 2:  # a length, perhaps
        data[at : at + 4] = struct.pack("<I", chance.choice((0, 1, 255, 2**16, 2**31, 2**32 - 1)))
    elif how == 3:
        data[at : at + 8] = struct.pack("<Q", chance.choice((0, 2**32, 2**62, 2**63, 2**64 - 1)))
    elif how == 4:
        del data[at:]
    elif how == 5:
        del data[at : at + chance.randrange(1, 80)]
    elif how == 6:
        data[at:at] = data[at : at + chance.randrange(1, 400)]
    else:
        data[at:at] = chance.randbytes(chance.randrange(1, 30))


def look_into(data: bytes) -> bool:
    """Look at everything in a file; tell whether it could be opened."""
    told = ""
    try:
        dfp = Dfp(data)
    except ProgramError as error:
        told = str(error)
    if told:
        assert "\n" not in told
        assert len(told) < 1200
        return False
    state = describe(dfp)
    msgspec.json.encode(state)
    msgspec.json.encode(dfp.genuine)
    shapes = (dfp.input_shapes, dfp.output_shapes, dfp.num_inports, dfp.num_outports, dfp.needs)
    repr((dfp, shapes, dfp.input_ports, dfp.output_ports, dfp.output_names, dfp._metadata))
    return True


def memory_for(data: bytes) -> int:
    """Look into a file and return how many bytes that took at most."""
    tracemalloc.start()
    try:
        look_into(data)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    return peak


def check(kind: str, count: int, seed: int) -> None:
    refused = 0
    for number, data in enumerate(files_of(kind, count, seed)):
        begun = time.monotonic()
        refused += not look_into(data)
        assert time.monotonic() - begun < TIME_LIMIT_S
        if number % 10 == 0:  # measuring slows it down tenfold
            assert memory_for(data) < MEMORY_LIMIT_BYTES
    assert refused > count / 10


@pytest.mark.parametrize("kind", KINDS)
def test_hundreds_of_damaged_files_give_our_errors_only(kind: str) -> None:
    check(kind, 500, seed=1)


@pytest.mark.slow
@pytest.mark.parametrize("kind", KINDS)
def test_ten_thousand_damaged_files_give_our_errors_only(kind: str) -> None:
    check(kind, 10_000, seed=2)


@pytest.mark.parametrize("kind", KINDS)
def test_the_command_shows_damaged_files_or_says_what_is_wrong(kind: str, tmp_path: Any) -> None:
    import typer

    app = typer.Typer()
    app.command()(inspect_command)
    path = tmp_path / "x.dfp"
    shown = 0
    for number, data in enumerate(files_of(kind, 60, seed=3)):
        path.write_bytes(data)
        result = CliRunner().invoke(app, [str(path), *(["--json"] if number % 2 else [])])
        assert result.exception is None or isinstance(result.exception, EngineError | SystemExit)
        assert "\x1b" not in result.output
        shown += result.exit_code == 0

    assert shown or kind.startswith("own")


def test_a_file_with_as_many_values_as_may_be_stays_within_the_memory() -> None:
    pairs = {f"k{number}": list(range(250)) for number in range(190)}
    data = v6_file(compiler_args=pairs)

    assert look_into(data)
    assert memory_for(data) < MEMORY_LIMIT_BYTES


def test_random_text_behind_the_version_is_refused() -> None:
    chance = random.Random(9)
    for version in (5, 6):
        for _ in range(300):
            body = chance.randbytes(chance.randrange(2, 200))
            assert not look_into(struct.pack("<QB", version, 1) + body)


def test_a_file_of_zeros_of_any_length_is_refused() -> None:
    for size in np.geomspace(1, 10_000, 20).astype(int):
        assert not look_into(bytes(int(size)))
