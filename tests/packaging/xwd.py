"""Reads the frame buffer of a virtual X server (X window dump, 32 bits per pixel)."""

import struct
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np

_FIELDS = 25
_NCOLORS, _COLOR_BYTES = 19, 12


@dataclass(frozen=True)
class Picture:
    """Pixels of a screen as 0x00RRGGBB."""

    width: int
    height: int
    data: bytes

    @cached_property
    def pixels(self) -> np.ndarray:
        shape = (self.height, self.width)
        return np.frombuffer(self.data, "<u4").reshape(shape) & 0xFFFFFF

    @cached_property
    def counts(self) -> np.ndarray:
        return np.unique(self.pixels, return_counts=True)[1]

    @property
    def colors(self) -> int:
        return len(self.counts)

    @property
    def largest_share(self) -> float:
        """Share of the pixels that have the most frequent color."""
        return float(self.counts.max() / self.counts.sum())

    def save(self, path: Path) -> None:
        """Write a PPM file."""
        rgb = np.stack([(self.pixels >> shift) & 255 for shift in (16, 8, 0)], -1).astype(np.uint8)
        path.write_bytes(b"P6 %d %d 255\n" % (self.width, self.height) + rgb.tobytes())


def read_xwd(path: Path) -> Picture:
    """Read a dump of a 24-bit screen."""
    raw = path.read_bytes()
    fields = struct.unpack_from(f">{_FIELDS}I", raw)
    header, width, height, bits, line = fields[0], fields[4], fields[5], fields[11], fields[12]
    assert bits == 32
    assert line == width * 4
    at = header + fields[_NCOLORS] * _COLOR_BYTES
    return Picture(width, height, raw[at : at + line * height])
