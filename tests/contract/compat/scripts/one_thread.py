"""A window library wants one thread: all results of a stream come in the same."""
# Written as users of that API write.
# ruff: noqa: ANN002, ANN201

import sys
import threading

import numpy as np
from memryx import AsyncAccl

threads = {"input": set(), "output": set()}
left = list(range(50))


class App:
    def generate(self):
        threads["input"].add(threading.get_ident())
        return np.full((1, 4), left.pop(), np.float32) if left else None

    def post(self, *mxa_output):
        threads["output"].add(threading.get_ident())


app = App()
accl = AsyncAccl(dfp=sys.argv[1])
accl.connect_input(app.generate)
accl.connect_output(app.post)
accl.wait()
accl.wait()
print(len(threads["input"]), len(threads["output"]), threads["input"] & threads["output"])
