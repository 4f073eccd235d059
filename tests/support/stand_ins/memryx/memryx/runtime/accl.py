"""Stands in for the vendor's class, with the habits its users know.

The "card" holds four frames per model and answers them in order, each value plus one. Bytes are
refused, outputs of one model come bare, those of several as a list.
"""

import os
import queue
import struct
from typing import Any

import numpy as np

_DEPTH = 4


class SyncAccl:
    """What is known of the original is in the module's docstring."""

    def __init__(self, dfp: Any, device_ids: Any = (0,), **_: Any) -> None:
        if not isinstance(dfp, str | bytearray):
            raise TypeError(f"dfp argument is not type str or bytearray, it is type={type(dfp)}")
        from memryx import mxa  # the driver, only now

        if os.environ.get("STAND_IN_CARD") == "absent":
            raise RuntimeError("Init DFP Runner failed!")
        self.version = struct.unpack_from("<Q", dfp)[0]
        self.device_ids = list(device_ids)
        self.is_shut_down = False
        self._frames: dict[int, queue.Queue[Any]] = {}
        mxa.OPENED.append(self)

    def send(self, data: Any, model_idx: int = 0, timeout: Any = None) -> None:
        arrays = [data] if isinstance(data, np.ndarray) else list(data)
        if os.environ.get("STAND_IN_CARD") == "breaks":
            raise RuntimeError(f"Driver stream input function error for port idx: {model_idx}")
        self._queue(model_idx).put([array.copy() for array in arrays])

    def receive(self, model_idx: int = 0, timeout: Any = None) -> Any:
        arrays = [array + 1 for array in self._queue(model_idx).get()]
        # A file without the models' own shapes gives outputs as (height, width, channels).
        return arrays[0] if len(arrays) == 1 else arrays

    def get_temperature(self, device_id: int) -> float:
        return -274.0 if os.environ.get("STAND_IN_CARD") == "cold" else 61.5

    def get_avg_power(self, device_id: int) -> float:
        return -3000.0 if os.environ.get("STAND_IN_CARD") == "cold" else 7600.0

    def get_pressure(self, device_id: int) -> str:
        return "high"

    def shutdown(self) -> None:
        self.is_shut_down = True

    def _queue(self, model_idx: int) -> queue.Queue[Any]:
        return self._frames.setdefault(model_idx, queue.Queue(_DEPTH))
