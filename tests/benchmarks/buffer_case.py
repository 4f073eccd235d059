"""One measurement: data per second from producer processes to one consumer, as JSON.

``python buffer_case.py WAY SHAPE PRODUCERS SECONDS``, run in a process of its own. It needs nothing
of this repository but `engine`, and that only for our own ways, so that an interpreter which has
the peers can run it, too; ``BUFFER_CASE=peer`` says so.
"""

import contextlib
import importlib
import itertools
import json
import multiprocessing
import os
import sys
import time
from collections.abc import Iterator
from typing import Any

import numpy as np

Array = np.ndarray[Any, Any]

SHAPES = {
    "12 kB": ((64, 64, 3), "uint8"),
    "0.6 MB": ((1, 224, 224, 3), "float32"),
    "12.6 MB": ((64, 256, 256, 3), "uint8"),
    "50 MB": ((64, 256, 256, 3), "float32"),
}
PAGE = 4096
SIGNS = 61
RING_BYTES = 8 << 20
WARM_UP_BYTES = 256 << 20
WARM_UP_FRAMES = 500
WARM_UP_S = 1.5


def stamp(data: Array, index: int) -> None:
    """Write the index at the beginning and a sign of it into every page."""
    raw = data.reshape(-1).view(np.uint8)
    raw[8::PAGE] = index % SIGNS
    raw[:8] = np.frombuffer(index.to_bytes(8, "little"), np.uint8)


def read_stamp(data: Array) -> int:
    """Return the index; looks into every page, as a user of the data would."""
    raw = data.reshape(-1).view(np.uint8)
    index = int.from_bytes(raw[:8].tobytes(), "little")
    signs = raw[8::PAGE].tobytes()
    if signs.count(index % SIGNS) != len(signs):
        raise AssertionError(f"the data of message {index} are not whole")
    return index


def base_class(name: str) -> Any:
    """The base class that the measured buffer wants, also in new interpreters."""
    is_peer = os.environ.get("BUFFER_CASE") == "peer"
    module = f"concurrentbuffer.{name.lower()}" if is_peer else "engine.buffer"
    try:
        return getattr(importlib.import_module(module), name)
    except ImportError:  # a way that needs neither
        return object


class Indices(base_class("Commander")):
    def __init__(self) -> None:
        self.index = -1

    def build(self) -> None:
        pass

    def create_message(self) -> dict[str, int]:
        self.index += 1
        return {"index": self.index}


class Stamping(base_class("Producer")):
    def __init__(self, shape: tuple[int, ...], dtype: str) -> None:
        self.shape, self.dtype = shape, dtype

    def build(self) -> None:
        self.data = np.ones(self.shape, self.dtype)

    def create_data(self, message: Any) -> Any:
        stamp(self.data, message["index"])
        return (self.data,)


class StampingInPlace(Stamping):
    def create_data_into(self, message: Any, out: Any) -> None:
        stamp(out[0], message["index"])


def by_buffer(module: str, way: list[str], shape: Any, dtype: str, producers: int) -> Iterator[Any]:
    factory = importlib.import_module(module).buffer_iterator_factory
    more: dict[str, Any] = {} if "views" not in way else {"copy": False}
    iterator = factory(
        cpus=producers,
        buffer_shapes=(shape,),
        commander=Indices(),
        producer=(StampingInPlace if "in_place" in way else Stamping)(shape, dtype),
        context="fork" if "fork" in way else "spawn",
        deterministic=True,
        buffer_dtype=np.dtype(dtype),
        **more,
    )
    try:
        while True:
            yield next(iterator)[0]
    finally:
        iterator.stop()


def fill_queue(queue: Any, lane: int, producers: int, shape: Any, dtype: str) -> None:
    data = np.ones(shape, dtype)
    for index in itertools.count(lane, producers):
        stamp(data, index)
        queue.put(data, timeout=60)


def by_faster_fifo(shape: Any, dtype: str, producers: int) -> Iterator[Any]:
    size = int(np.prod(shape)) * np.dtype(dtype).itemsize
    queue = importlib.import_module("faster_fifo").Queue(4 * producers * (size + 4096) + 65536)
    fork = multiprocessing.get_context("fork")
    arguments = (producers, shape, dtype)
    lanes = [
        fork.Process(target=fill_queue, args=(queue, lane, *arguments), daemon=True)
        for lane in range(producers)
    ]
    for process in lanes:
        process.start()
    try:
        while True:
            yield from queue.get_many(timeout=60)
    finally:
        for process in lanes:
            process.kill()
            process.join()


def fill_ring(memory: Any, free: Any, full: Any, lane: int, *what: Any) -> None:
    producers, slots, shape, dtype = what
    places = slots_of(memory, slots, shape, dtype)
    data = np.ones(shape, dtype)
    for turn, index in enumerate(itertools.count(lane, producers)):
        stamp(data, index)
        free.acquire()
        np.copyto(places[turn % slots], data)
        full.release()


def slots_of(memory: Any, slots: int, shape: Any, dtype: str) -> list[Array]:
    size = int(np.prod(shape)) * np.dtype(dtype).itemsize
    return [np.ndarray(shape, dtype, memory, slot * size) for slot in range(slots)]


def by_ring(shape: Any, dtype: str, producers: int, method: str) -> Iterator[Any]:
    """The limit: slots and two semaphores per producer, a copy in, a copy out, nothing else."""
    size = int(np.prod(shape)) * np.dtype(dtype).itemsize
    slots = max(4, min(64, RING_BYTES // size))
    context: Any = multiprocessing.get_context(method)
    lanes = []
    for lane in range(producers):
        memory = context.RawArray("B", slots * size)
        free, full = context.Semaphore(slots), context.Semaphore(0)
        what = (producers, slots, shape, dtype)
        process = context.Process(
            target=fill_ring, args=(memory, free, full, lane, *what), daemon=True
        )
        process.start()
        lanes.append((process, free, full, slots_of(memory, slots, shape, dtype)))
    try:
        for turn in itertools.count():
            for _, free, full, places in lanes:
                full.acquire()
                data = places[turn % slots].copy()
                free.release()
                yield data
    finally:
        for process, *_ in lanes:
            process.kill()
            process.join()


def data_by(way: str, shape: Any, dtype: str, producers: int) -> Iterator[Any]:
    name, *more = way.split("-")
    if name == "ring":
        return by_ring(shape, dtype, producers, *more)
    if name == "faster_fifo":
        return by_faster_fifo(shape, dtype, producers)
    module = "concurrentbuffer.iterator" if name == "peer" else "engine.buffer"
    return by_buffer(module, more, shape, dtype, producers)


def main() -> None:
    way, shape_name, producers, seconds = sys.argv[1:]
    shape, dtype = SHAPES[shape_name]
    size = int(np.prod(shape)) * np.dtype(dtype).itemsize
    data = data_by(way, shape, dtype, int(producers))
    is_ordered = way != "faster_fifo"
    begun, expected = time.perf_counter(), -1
    while expected < WARM_UP_FRAMES and (expected < 16 or expected * size < WARM_UP_BYTES):
        expected += 1
        found = read_stamp(next(data))
        assert found == expected or not is_ordered
    while time.perf_counter() - begun < WARM_UP_S:  # the other new interpreters start meanwhile
        expected += 1
        found = read_stamp(next(data))
        assert found == expected or not is_ordered
    count, begin = 0, time.perf_counter()
    while (elapsed := time.perf_counter() - begin) < float(seconds) or count < 4:
        found = read_stamp(next(data))
        count += 1
        assert found == expected + count or not is_ordered
    print(json.dumps(count / elapsed), flush=True)
    with contextlib.suppress(Exception):
        data.close()  # type: ignore[attr-defined]
    os._exit(0)  # a peer may hang in its own exit


if __name__ == "__main__":
    main()
