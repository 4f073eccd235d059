"""A post-processing model that is set after the callbacks; it holds from the next frame on."""
# Written as users of that API write.
# ruff: noqa: PLW0108

import queue
import sys
from pathlib import Path

import numpy as np
from memryx import AsyncAccl

gate = queue.Queue()
results = []
accl = AsyncAccl(Path(sys.argv[1]).with_suffix(".dfp"), [0], [True, True], False)
accl.connect_input(lambda: gate.get())
accl.connect_output(lambda result: results.append(float(result[0, 0])))
accl.set_postprocessing_model("post.onnx", model_idx=0)
for number in range(3):
    gate.put(np.full((1, 4), number, np.float32))
gate.put(None)
accl.wait()
print(results)
