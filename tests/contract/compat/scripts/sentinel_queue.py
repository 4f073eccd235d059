"""An input callback that blocks on a queue until another thread puts None."""
# Written as users of that API write.
# ruff: noqa: ANN201, PLW0108

import queue
import sys
import threading

import numpy as np
from memryx import AsyncAccl

frames = queue.Queue(maxsize=10)
results = []


def read_camera():
    for number in range(25):
        frames.put(np.full((1, 4), number, np.float32))
    frames.put(None)


accl = AsyncAccl(sys.argv[1])
accl.connect_input(lambda: frames.get())
accl.connect_output(lambda result: results.append(result[0, 0]))
threading.Thread(target=read_camera).start()
accl.wait()
print(len(results))
