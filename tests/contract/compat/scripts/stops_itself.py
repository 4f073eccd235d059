"""Applications that stop from __del__, and from a window's thread while a callback waits for it."""
# Written as users of that API write.
# ruff: noqa: ANN001, ANN201, ANN204

import queue
import sys
import threading
import time

import numpy as np
from memryx import AsyncAccl


class App:
    def __init__(self, path):
        self.accl = AsyncAccl(path)
        self.accl.connect_input(Source())
        self.accl.connect_output(Sink())

    def __del__(self):
        self.accl.stop()


class Source:
    def __call__(self):
        time.sleep(0.001)
        return np.zeros((1, 4), np.float32)


class Sink:
    def __call__(self, result):
        pass


app = App(sys.argv[1])
time.sleep(0.05)
del app

window = queue.Queue()
answered = threading.Event()
accl = AsyncAccl(sys.argv[1])


def show(result):
    window.put(result)
    answered.wait(0.3)  # the window draws it, when it comes to that


accl.connect_input(Source())
accl.connect_output(show)
window.get(timeout=5)  # the window's thread has the first result, and is closed now
begun = time.monotonic()
accl.stop()
print(time.monotonic() - begun < 1.0)
