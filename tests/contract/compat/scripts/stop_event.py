"""A recorder's detector: three bounded queues, half-second waits, a stop event, one device."""
# Written as users of that API write.
# ruff: noqa: ANN002, ANN201

import queue
import sys
import threading

import numpy as np
from memryx import AsyncAccl

stop_event = threading.Event()
inputs, ids, outputs = queue.Queue(maxsize=10), queue.Queue(maxsize=10), queue.Queue(maxsize=10)


def process_input():
    while True:
        if stop_event.is_set():
            return None
        try:
            connection_id, frame = inputs.get(timeout=0.5)
        except queue.Empty:
            continue
        ids.put(connection_id)
        return frame


def process_output(*found):
    outputs.put((ids.get(), found[0]))


accl = AsyncAccl(sys.argv[1], device_ids=[0], local_mode=True)
accl.connect_input(process_input)
accl.connect_output(process_output)
seen = []
for number in range(30):
    inputs.put((number, np.full((1, 4), number, np.float32)))
    connection_id, found = outputs.get(timeout=5)
    seen.append(connection_id == number and float(found[0, 0]) == 2.0 * number)
stop_event.set()
accl.shutdown()
print(all(seen), len(seen))
