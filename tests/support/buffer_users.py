"""Commanders and producers that tests hand to a buffer; importable by new interpreters."""

import contextlib
import ctypes
import os
import signal
import sys
import threading
from collections.abc import Iterator
from typing import Any

import numpy as np

from engine.buffer import Commander, Producer, buffer_iterator_factory

SHAPE = (4, 3)


class Counting(Commander):
    """Commands 0, 1, 2, ... up to a length."""

    def __init__(self, length: int | None = None) -> None:
        self.length = length
        self.index = -1

    def create_message(self) -> Any:
        self.index += 1
        if self.length is not None and self.index >= self.length:
            raise StopIteration
        return {"index": self.index}


class LargeMessages(Counting):
    def create_message(self) -> Any:
        return {**super().create_message(), "blob": bytes(1_000_000)}


class Filling(Producer):
    """Fills an array with the message's index."""

    def __init__(self, shape: tuple[int, ...] = SHAPE, dtype: str = "uint16") -> None:
        self.shape = shape
        self.dtype = dtype

    def create_data(self, message: Any) -> Any:
        return np.full(self.shape, message["index"], self.dtype)


class Trouble:
    """Something that goes wrong; picklable."""

    def __init__(self, kind: str) -> None:
        self.kind = kind

    def __call__(self) -> None:
        if self.kind == "raise":
            raise ValueError("boom")
        if self.kind == "exit":
            sys.exit(3)
        print("last words", file=sys.stderr, flush=True)
        if self.kind == "_exit":
            os._exit(7)
        if self.kind == "_exit 0":
            os._exit(0)
        if self.kind == "segfault":
            ctypes.string_at(0)
        if self.kind == "abort":
            os.abort()
        if self.kind == "kill":
            os.kill(os.getpid(), signal.SIGKILL)
        if self.kind == "hang":
            threading.Event().wait()
        if self.kind == "hang against SIGTERM":
            signal.signal(signal.SIGTERM, signal.SIG_IGN)
            threading.Event().wait()


class TroubledCommander(Counting):
    def __init__(self, stage: str, trouble: Trouble, at: int = 3) -> None:
        super().__init__()
        self.stage, self.trouble, self.at = stage, trouble, at

    def build(self) -> None:
        if self.stage == "build":
            self.trouble()

    def create_message(self) -> Any:
        message = super().create_message()
        if self.stage == "work" and message["index"] == self.at:
            self.trouble()
        return message

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state)
        if self.stage == "unpickle":
            self.trouble()


class TroubledProducer(Filling):
    def __init__(self, stage: str, trouble: Trouble, at: int = 3) -> None:
        super().__init__()
        self.stage, self.trouble, self.at = stage, trouble, at

    def build(self) -> None:
        if self.stage == "build":
            self.trouble()

    def create_data(self, message: Any) -> Any:
        if self.stage == "work" and message["index"] == self.at:
            self.trouble()
        return super().create_data(message)

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state)
        if self.stage == "unpickle":
            self.trouble()


class ReturningWhatItIsGiven(Producer):
    """Returns the same thing for every message."""

    def __init__(self, data: Any) -> None:
        self.data = data

    def create_data(self, message: Any) -> Any:
        return self.data


@contextlib.contextmanager
def buffer(
    commander: Any = None,
    producer: Any = None,
    *,
    cpus: int = 2,
    shapes: Any = (SHAPE,),
    context: str | None = "fork",
    deterministic: bool = True,
    **more: Any,
) -> Iterator[Any]:
    """An iterator that is stopped at the end."""
    iterator = buffer_iterator_factory(
        cpus=cpus,
        buffer_shapes=shapes,
        commander=commander or Counting(),
        producer=producer or Filling(),
        context=context,
        deterministic=deterministic,
        **more,
    )
    try:
        yield iterator
    finally:
        iterator.stop()


def indices(iterator: Any, count: int) -> list[int]:
    """The indices in the next data."""
    return [int(next(iterator)[0].flat[0]) for _ in range(count)]
