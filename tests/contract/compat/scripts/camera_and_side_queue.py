"""A camera whose raw pictures wait on a queue for the results that belong to them."""
# Written as users of that API write.
# ruff: noqa: ANN001, ANN002, ANN201, ANN204

import queue
import random
import sys
import time

import numpy as np
from memryx import AsyncAccl


class Capture:
    def __init__(self, frames):
        self.left = frames

    def read(self):
        self.left -= 1
        if self.left < 0:
            return False, None
        return True, np.full((1, 4), self.left, np.float32)


class App:
    def __init__(self):
        self.cap = Capture(300)
        self.raw = queue.Queue(maxsize=100)
        self.pairs = []

    def get_frame(self):
        ok, frame = self.cap.read()
        if not ok:
            return None
        if random.random() < 0.02:
            time.sleep(0.002)
        self.raw.put(frame)
        return frame

    def process(self, *mxa_output):
        frame = self.raw.get(timeout=5)
        self.pairs.append((float(frame[0, 0]), float(mxa_output[0][0, 0])))


app = App()
accl = AsyncAccl(sys.argv[1])
accl.connect_output(app.process)
accl.connect_input(app.get_frame)
accl.wait()
print(len(app.pairs), all(result == 2 * raw for raw, result in app.pairs), app.raw.empty())
