"""Sessions whose runs a test holds, releases and counts."""

import threading
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import pytest

from engine.lanes import DeviceLanes
from engine.protocol import TensorInfo


class EchoSession:
    """Returns a copy of its first input; values in `failing` raise."""

    inputs = (TensorInfo("x", (1,), "int64"),)
    outputs = (TensorInfo("y", (1,), "int64"),)

    def __init__(self) -> None:
        self.failing: dict[int, BaseException] = {}
        self.seen: list[int] = []

    def run(self, inputs: Sequence[np.ndarray[Any, Any]]) -> list[np.ndarray[Any, Any]]:
        value = int(inputs[0][0])
        self.seen.append(value)
        if value in self.failing:
            raise self.failing[value]
        return [inputs[0].copy()]

    def close(self) -> None:
        pass


class GatedSession(EchoSession):
    """Runs only values that were let through, so that a test decides what finishes first."""

    def __init__(self) -> None:
        super().__init__()
        self._gates: dict[int, threading.Event] = {}
        self._lock = threading.Lock()

    def gate(self, value: int) -> threading.Event:
        with self._lock:
            return self._gates.setdefault(value, threading.Event())

    def run(self, inputs: Sequence[np.ndarray[Any, Any]]) -> list[np.ndarray[Any, Any]]:
        outputs = super().run(inputs)
        assert self.gate(int(inputs[0][0])).wait(20)
        return outputs

    def open_all(self, count: int = 100) -> None:
        for value in range(count):
            self.gate(value).set()


@pytest.fixture
def echo() -> EchoSession:
    return EchoSession()


@pytest.fixture
def gated() -> Iterator[GatedSession]:
    session = GatedSession()
    yield session
    session.open_all()


@pytest.fixture
def lanes() -> Iterator[DeviceLanes]:
    with DeviceLanes(2) as device:
        yield device


@pytest.fixture
def one_lane() -> Iterator[DeviceLanes]:
    with DeviceLanes(1) as device:
        yield device
