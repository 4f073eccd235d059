"""A detector (model 1) whose results feed a second model (model 0) through a queue."""
# Written as users of that API write.
# ruff: noqa: ANN001, ANN002, ANN201

import queue
import sys

import numpy as np
from memryx import AsyncAccl

found = queue.Queue()
landmarks = []
frames = iter(range(20))


def detector_in():
    number = next(frames)  # StopIteration ends the stream
    return np.full((1, 4), number, np.float32)


def detector_out(boxes):
    found.put(boxes)


def landmark_in():
    box = found.get()
    return None if box is None else box


def landmark_out(*result):
    landmarks.append(float(result[0][0, 0]))
    if len(landmarks) == 20:
        found.put(None)


accl = AsyncAccl(sys.argv[1], group_id=0)
accl.connect_input(detector_in, model_idx=1)
accl.connect_output(detector_out, model_idx=1)
accl.connect_input(landmark_in, model_idx=0)
accl.connect_output(landmark_out, model_idx=0)
accl.wait()
print(landmarks == [4.0 * number for number in range(20)])
