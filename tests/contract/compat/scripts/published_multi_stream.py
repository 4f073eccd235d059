"""The published example of MultiStreamAsyncAccl, word by word; the test looks behind `# --`."""
# Written as its authors wrote it.
# ruff: noqa: ANN001, ANN002, ANN201, ANN204, B007, I001

from tensorflow import keras
import numpy as np
from memryx import NeuralCompiler, MultiStreamAsyncAccl


class Application:
    def __init__(self):
        self.streams = []
        self.streams_idx = []
        self.outputs = []
        for i in range(2):
            self.streams.append([np.random.rand(224, 224, 3).astype(np.float32) for _ in range(10)])
            self.streams_idx.append(0)
            self.outputs.append([])

    # Define the callback that will return model input data
    def data_source(self, stream_idx):
        # Generate inputs based on stream_idx
        if self.streams_idx[stream_idx] == len(self.streams[stream_idx]):
            return None
        self.streams_idx[stream_idx] += 1
        return self.streams[stream_idx][self.streams_idx[stream_idx] - 1]

    # Define the callback that will process the outputs of the model
    def output_processor(self, stream_idx, *outputs):
        logits = np.squeeze(outputs[0], 0)
        preds = keras.applications.mobilenet.decode_predictions(logits)
        # Route outputs based on stream_idx
        self.outputs[stream_idx].append(preds)


# Compile a MobileNet model for testing.
# Typically, comilation need to be done one time only.
model = keras.applications.MobileNet()
nc = NeuralCompiler(models=model, verbose=1)
dfp = nc.run()

# Accelerate using the MemryX hardware
app = Application()
accl = MultiStreamAsyncAccl(dfp)
# Starts asynchronous execution of input output callback pair associated with 2 streams
accl.connect_streams(app.data_source, app.output_processor, 2)
# Wait for the accelerator to finish execution
accl.wait()
# Explicitly free up hardware
accl.shutdown()

# --
print([len(outputs) for outputs in app.outputs])
