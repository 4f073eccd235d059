"""A program whose camera never ends, and which just leaves."""

import sys
import threading

import numpy as np
from memryx import MultiStreamAsyncAccl

first = threading.Event()
accl = MultiStreamAsyncAccl(sys.argv[1], [0], 2, [True, True], False)
accl.connect_streams(
    lambda stream_idx: np.zeros((1, 4), np.float32), lambda stream_idx, *ofmaps: first.set(), 3
)
first.wait(10)
print("leaving")
sys.exit(5)
