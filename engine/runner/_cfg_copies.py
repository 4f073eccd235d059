"""Private copies of the user's configuration for workers and consumers, big arrays copied once."""

import copy
import mmap
import pickle
from typing import Any

from engine.runner._slab import Slab
from engine.runner.cfg_node import as_cfg

__all__ = ("CfgCopies", "CfgParts", "rebuild_cfg")

_OUT_OF_BAND_BYTES = 64 * 1024

CfgParts = tuple[bytes, tuple[int, ...]]
"""Pickle of the configuration and the lengths of its big buffers, which lie in a slab."""


class CfgCopies:
    """The configuration as it was when the runner was activated.

    Big arrays are written down once; each copy maps them and shares the memory until it writes.
    What cannot be pickled is copied in the usual way, and reaches forked workers only.
    """

    def __init__(self, cfg: Any) -> None:  # noqa: ANN401 - any object may be a configuration
        self.slab: Slab | None = None
        self.parts: CfgParts | None = None
        self.unpicklable: Any = None
        buffers: list[memoryview] = []

        def is_small(buffer: pickle.PickleBuffer) -> bool:
            raw = buffer.raw()
            if raw.nbytes < _OUT_OF_BAND_BYTES:
                return True
            buffers.append(raw)
            return False

        cfg = as_cfg(cfg)
        try:
            body = pickle.dumps(cfg, 5, buffer_callback=is_small)
            pickle.loads(body, buffers=buffers)  # noqa: S301 - just made; it may not come back
        except Exception:  # noqa: BLE001 - the user's classes
            self.unpicklable = copy.deepcopy(cfg)
            return
        self.parts = (body, tuple(raw.nbytes for raw in buffers))
        if buffers:
            self.slab = _written(buffers)

    def fresh(self) -> Any:  # noqa: ANN401 - as given
        """Return a copy nobody else sees."""
        if self.parts is None:
            return copy.deepcopy(self.unpicklable)
        return rebuild_cfg(self.parts, self.slab)

    def close(self) -> None:
        """Let go of the memory; copies keep theirs."""
        if self.slab is not None:
            self.slab.close()


def rebuild_cfg(parts: CfgParts, slab: Slab | None) -> Any:  # noqa: ANN401 - as given
    """Return a private copy; its big arrays are mapped copy-on-write."""
    body, lengths = parts
    buffers: list[memoryview] = []
    if slab is not None:
        view, offset = memoryview(slab.privately()), 0
        for length in lengths:
            buffers.append(view[offset : offset + length])
            offset += _padded(length)
    return pickle.loads(body, buffers=buffers)  # noqa: S301 - from our own parent


def _written(buffers: list[memoryview]) -> Slab:
    slab = Slab.create(sum(_padded(raw.nbytes) for raw in buffers), "cfg")
    view, offset = memoryview(slab.mapping), 0
    for raw in buffers:
        view[offset : offset + raw.nbytes] = raw
        offset += _padded(raw.nbytes)
    return slab


def _padded(length: int) -> int:
    return -(-length // mmap.PAGESIZE) * mmap.PAGESIZE
