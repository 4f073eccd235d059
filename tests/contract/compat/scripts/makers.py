"""What `parallel_arrays` has its data made by."""
# Written as users of that API write.
# ruff: noqa: ANN001, ANN201, ANN204

import numpy as np
from concurrentbuffer.commander import Commander
from concurrentbuffer.producer import Producer


class CountingCommander(Commander):
    def __init__(self):
        self.index = -1

    def create_message(self):
        self.index += 1
        return {"index": self.index}


class FillingProducer(Producer):
    def create_data(self, message):
        return [np.full((2, 3), message["index"], np.float32)]
