"""Everything at once, from many threads: nothing hangs, nothing is wrong, nothing is left."""

import random
import threading
import time
from typing import Any

import numpy as np
import pytest

from engine.handle import (
    Handle,
    Model,
    ObjectNoLongerValidError,
    ProcessingAbortedError,
    ProcessingContext,
    ProcessingQueueSet,
)
from engine.handle.errors import ContextBusyError, ThreadsExistError

EXPECTED = (
    ObjectNoLongerValidError,
    ProcessingAbortedError,
    ContextBusyError,
    ThreadsExistError,
)
SECONDS = 1.0


class Chaos:
    """Runs actions on threads until the time is over, and keeps what was not expected."""

    def __init__(self) -> None:
        self.end = time.monotonic() + SECONDS
        self.unexpected: list[BaseException] = []
        self.done: dict[str, int] = {}
        self._threads: list[threading.Thread] = []

    def run(self, name: str, action: Any) -> None:
        thread = threading.Thread(target=self._repeat, args=(name, action), name=f"chaos-{name}")
        self._threads.append(thread)
        thread.start()

    def finish(self) -> None:
        for thread in self._threads:
            thread.join(30)
            assert not thread.is_alive(), f"{thread.name} hangs"
        assert self.unexpected == []

    def _repeat(self, name: str, action: Any) -> None:
        while time.monotonic() < self.end:
            try:
                action()
                self.done[name] = self.done.get(name, 0) + 1
            except EXPECTED:
                continue
            except BaseException as error:  # noqa: BLE001 - the outermost function of a thread
                self.unexpected.append(error)
                return


def process_once(model: Model, queue_set: ProcessingQueueSet | None, data: Any) -> None:
    context = ProcessingContext(model, queue_set)
    context.setSourceData(data)
    context.processNext()
    np.testing.assert_array_equal(context.outputSinkData(0), 2 * data)


def test_processing_stopping_and_creating_at_once(handle: Handle, programs: Any) -> None:
    model = Model(handle, programs.double((0, 4)))
    queue_set = ProcessingQueueSet(handle)
    data = np.random.default_rng(1).random((9_000, 4)).astype(np.float32)
    shared = [ProcessingContext(model)]
    shared[0].setSourceData(data)

    def change_threads() -> None:
        handle.stopProcessingThreads()
        handle.createProcessingThreads(random.randint(1, 4), lambda *_: None)
        shared[0] = ProcessingContext(model)
        shared[0].setSourceData(data)

    def use_shared() -> None:
        shared[0].processNext()

    chaos = Chaos()
    chaos.run("own", lambda: process_once(model, None, data))
    chaos.run("own again", lambda: process_once(model, None, data[:50]))
    chaos.run("other set", lambda: process_once(model, queue_set, data))
    chaos.run("shared", use_shared)
    chaos.run("shared again", use_shared)
    chaos.run("abort", lambda: (shared[0].abort(), threading.Event().wait(0.002)))
    chaos.run("change", change_threads)
    chaos.run("stop", lambda: (handle.stopProcessingThreads(), threading.Event().wait(0.01)))
    chaos.finish()
    assert chaos.done["other set"] > 0
    assert chaos.done["change"] > 0
    process_once(model, None, data)


def test_closing_the_handle_in_the_middle_of_everything(license_data: bytes, programs: Any) -> None:
    data = np.ones((5_000, 4), np.float32)
    program = programs.double((0, 4))
    for _ in range(4):
        handle = Handle(license_data)
        handle.createProcessingThreads(3)
        model = Model(handle, program)
        chaos = Chaos()
        chaos.end = time.monotonic() + 0.2
        for number in range(3):
            chaos.run(str(number), lambda model=model: process_once(model, None, data))
        threading.Event().wait(0.02)
        handle.close()
        chaos.finish()


@pytest.mark.parametrize("count", [1, 3])
def test_an_interruption_in_the_middle_leaves_the_queue_set_usable(
    handle: Handle, programs: Any, device: Any, count: int
) -> None:
    handle.createProcessingThreads(count)
    model = Model(handle, programs.double())
    context = ProcessingContext(model)
    context.setSourceData(np.ones((30, 4), np.float32))
    device.error = KeyboardInterrupt()
    with pytest.raises(KeyboardInterrupt):
        context.processNext()
    device.error = None
    context.processNext()
    assert context.outputSinkData(0).sum() == 240
    handle.stopProcessingThreads()
