"""Rules that the ports of a DFP file of MemryX must keep, whatever its version."""

import math
from collections.abc import Sequence
from typing import NamedTuple

from engine.dfp.byte_reader import ByteReader, damaged_at
from engine.dfp.genuine import GENERATIONS, GenuinePort

__all__ = (
    "CODES",
    "PlacedPort",
    "check_ports",
    "check_shape",
    "generation_name",
    "packing_name",
    "weight_bytes_of",
)

CODES = ("gbf80", "rgb565", "rgb888", "yuv422", "bf16", "fp32", "gbf80_row")
"""Names of the packing formats, by number."""

_VALUES_LIMIT = 2**36


class PlacedPort(NamedTuple):
    """A port and the byte at which the file describes it."""

    port: GenuinePort
    offset: int


def packing_name(code: int) -> str:
    """Return the name of a packing format."""
    return CODES[code] if code < len(CODES) else f"unknown: {code}"


def generation_name(generation: int, offset: int, source: str) -> str:
    """Return the name of a hardware generation, or raise for an unknown one."""
    if generation not in GENERATIONS:
        known = ", ".join(f"{number} ({name})" for number, name in GENERATIONS.items())
        raise damaged_at(
            source, offset, f"there is no hardware generation {generation}, only {known}"
        )
    return GENERATIONS[generation]


def check_shape(shape: Sequence[int], where: str, offset: int, source: str) -> None:
    """Refuse a shape that no tensor has."""
    if len(shape) != 4 or 0 in shape or math.prod(shape) > _VALUES_LIMIT:
        shown = " x ".join(map(str, shape[:8]))
        raise damaged_at(source, offset, f"{where} is {shown or 'empty'}, which no tensor has")


def check_ports(
    inputs: Sequence[PlacedPort], outputs: Sequence[PlacedPort], models: int, source: str
) -> None:
    """Refuse ports that contradict each other or the number of models.

    Raises
    ------
    ProgramMalformedError
        At the byte where the first wrong port is described.
    """
    for kind, placed in (("input", inputs), ("output", outputs)):
        seen: set[int] = set()
        for port, offset in placed:
            if port.port in seen:
                raise damaged_at(source, offset, f"{kind} port {port.port} is there twice")
            seen.add(port.port)
            if port.is_active and port.model_index >= models:
                raise damaged_at(
                    source,
                    offset,
                    f"{kind} port {port.port} belongs to model {port.model_index}, "
                    f"but the file has {models}",
                )
    fed = {port.model_index for port, _ in inputs if port.is_active}
    drained = {port.model_index for port, _ in outputs if port.is_active}
    if fed != drained:
        number = min(fed ^ drained)
        missing = "input" if number in drained else "output"
        first = [*inputs, *outputs][0].offset
        raise damaged_at(source, first, f"model {number} has no active {missing} port")


def weight_bytes_of(data: bytes | memoryview, begin: int, size_bytes: int, source: str) -> int:
    """Return the size of the weights in the hardware part, after checking what is in it."""
    if not size_bytes:
        return 0
    reader = ByteReader(data, source, begin=begin, end=begin + size_bytes)
    weight_bytes = reader.integer("u32", "the size of the weights")
    reader.take(weight_bytes, "the weights")
    if reader.remaining:
        count = reader.integer("u8", "the number of register sets")
        if count:
            config_bytes = reader.integer("u32", "the size of the registers")
            reader.take(config_bytes, "the registers")
    return weight_bytes
