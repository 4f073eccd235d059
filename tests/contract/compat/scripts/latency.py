"""A benchmark: stamps in both callbacks give latency, frames over elapsed time the rate."""
# Written as users of that API write.
# ruff: noqa: ANN002, ANN201

import sys
import time

import numpy as np
from memryx import AsyncAccl

started, ended = [], []
frame = np.zeros((1, 4), np.float32)


def feed():
    if len(started) == 200:
        return None
    started.append(time.perf_counter())
    return frame


def take(*_):
    ended.append(time.perf_counter())


accl = AsyncAccl(sys.argv[1])
accl.connect_output(take)
accl.connect_input(feed)
accl.wait()
accl.stop()
latencies = [end - start for start, end in zip(started, ended, strict=True)]
print(len(latencies), min(latencies) > 0, len(ended) / (ended[-1] - started[0]) > 0)
