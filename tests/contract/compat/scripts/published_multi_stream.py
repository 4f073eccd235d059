"""The published example of MultiStreamAsyncAccl, call by call."""
# Written as users of that API write.
# ruff: noqa: ANN001, ANN002, ANN201, ANN204

import numpy as np
from memryx import MultiStreamAsyncAccl, NeuralCompiler
from tensorflow import keras


class Application:
    def __init__(self):
        self.streams = []
        self.streams_idx = []
        self.outputs = []
        for _ in range(2):
            self.streams.append([np.random.rand(224, 224, 3).astype(np.float32) for _ in range(10)])
            self.streams_idx.append(0)
            self.outputs.append([])

    def data_source(self, stream_idx):
        if self.streams_idx[stream_idx] == len(self.streams[stream_idx]):
            return None
        self.streams_idx[stream_idx] += 1
        return self.streams[stream_idx][self.streams_idx[stream_idx] - 1]

    def output_processor(self, stream_idx, *outputs):
        logits = np.squeeze(outputs[0], 0)
        preds = keras.applications.mobilenet.decode_predictions(logits)
        self.outputs[stream_idx].append(preds)


model = keras.applications.MobileNet()
nc = NeuralCompiler(models=model, verbose=1)
dfp = nc.run()

app = Application()
accl = MultiStreamAsyncAccl(dfp)
accl.connect_streams(app.data_source, app.output_processor, 2)
accl.wait()
accl.shutdown()

print([len(outputs) for outputs in app.outputs])
