"""The two things that are compared: streams over device lanes, and bare onnxruntime in threads."""

import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np

from app.benchmark.results import Window
from engine.lanes import DeviceLanes, LaneChannel
from engine.plugins import Session
from engine.protocol import TensorInfo

__all__ = ("BareLoad", "LaneLoad", "Load", "random_inputs")

Array = np.ndarray[Any, Any]

_SEED = 20260
_SETTLE_NS = 200_000_000


def random_inputs(tensors: Sequence[TensorInfo]) -> list[Array]:
    """Return one array per input: 0..1 for floats, bytes for uint8, else zeros (often indices).

    Free dimensions become 1.
    """
    rng = np.random.default_rng(_SEED)
    arrays: list[Array] = []
    for tensor in tensors:
        shape, dtype = tuple(size or 1 for size in tensor.shape), np.dtype(tensor.dtype)
        if dtype.kind == "f":
            arrays.append(rng.random(shape).astype(dtype))
        elif dtype == np.uint8:
            arrays.append(rng.integers(0, 256, shape, dtype=np.uint8))
        else:
            arrays.append(np.zeros(shape, dtype))
    return arrays


class Load:
    """Something that keeps a device busy for a while and says how it went; a context manager."""

    def __enter__(self) -> "Load":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def window(self, seconds: float) -> Window:
        """Run for a moment to settle, then measure for so many seconds."""
        raise NotImplementedError

    def close(self) -> None:
        """Let go of everything. Safe to call twice."""
        raise NotImplementedError


class LaneLoad(Load):
    """`streams` users that each keep `depth` frames under way on `lanes` lanes.

    `inputs` is the frame they use, one array per input; without it, random values.
    """

    def __init__(
        self,
        session: Session,
        *,
        lanes: int,
        streams: int,
        depth: int,
        inputs: Sequence[Array] | None = None,
    ) -> None:
        self._session = session
        self._inputs = random_inputs(session.inputs) if inputs is None else inputs
        self._lanes = DeviceLanes(lanes)
        self._channels = [
            self._lanes.open_channel(session, name=f"stream {number}", depth=depth)
            for number in range(streams)
        ]

    def window(self, seconds: float) -> Window:
        """Run all streams at once; an error of the device is raised here."""
        begin_ns = time.monotonic_ns() + _SETTLE_NS
        end_ns = begin_ns + int(seconds * 1e9)
        with ThreadPoolExecutor(len(self._channels), thread_name_prefix="bench") as pool:
            parts = [
                pool.submit(_keep_busy, channel, self._inputs, begin_ns, end_ns)
                for channel in self._channels
            ]
            times = [pair for part in parts for pair in part.result()]
        return Window(
            len(times) / seconds,
            tuple(latency for latency, _ in times),
            tuple(device for _, device in times),
        )

    def close(self) -> None:
        """Close channels, lanes and session."""
        for channel in self._channels:
            channel.close()
        self._lanes.close()
        self._session.close()


class BareLoad(Load):
    """Threads that share one onnxruntime session and do nothing but run it."""

    def __init__(self, graph: bytes, tensors: Sequence[TensorInfo], *, threads: int) -> None:
        import onnxruntime

        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = 1
        options.inter_op_num_threads = 1
        options.log_severity_level = 3
        self._session = onnxruntime.InferenceSession(
            graph, options, providers=["CPUExecutionProvider"]
        )
        names = [tensor.name for tensor in tensors]
        self._feed = dict(zip(names, random_inputs(tensors), strict=True))
        self._threads = threads

    def window(self, seconds: float) -> Window:
        """Run the session in all threads; only the rate is measured."""
        begin_ns = time.monotonic_ns() + _SETTLE_NS
        end_ns = begin_ns + int(seconds * 1e9)
        with ThreadPoolExecutor(self._threads, thread_name_prefix="bare") as pool:
            parts = [pool.submit(self._run, begin_ns, end_ns) for _ in range(self._threads)]
            count = sum(part.result() for part in parts)
        return Window(count / seconds)

    def close(self) -> None:
        """Let go of the session."""
        self._session = None

    def _run(self, begin_ns: int, end_ns: int) -> int:
        count, run, feed = 0, self._session.run, self._feed
        while (now := time.monotonic_ns()) < end_ns:
            run(None, feed)
            count += begin_ns <= now
        return count


def _keep_busy(
    channel: LaneChannel, inputs: Sequence[Array], begin_ns: int, end_ns: int
) -> list[tuple[float, float]]:
    """Submit as many as the channel takes, and one more for each received, until the time is over.

    Returns latency and execution time in milliseconds of every frame received in the window.
    """
    times: list[tuple[float, float]] = []
    for _ in range(channel.depth):
        channel.submit(inputs)
    while channel.under_way:
        done = channel.receive()
        now = time.monotonic_ns()
        if done.error is not None:
            raise done.error
        if begin_ns <= now < end_ns:
            times.append(((now - done.queued_ns) / 1e6, (done.finished_ns - done.started_ns) / 1e6))
        if now < end_ns:
            channel.submit(inputs)
    return times
