"""The published example of AsyncAccl, word by word; the lines behind `# --` look at what it did."""
# Written as its authors wrote it.
# ruff: noqa: ANN002, ANN201, B007, I001

from tensorflow import keras
import numpy as np
from memryx import NeuralCompiler, AsyncAccl


# Define the callback that will return model input data
def data_source():
    for i in range(10):
        img = np.random.rand(1, 224, 224, 3).astype(np.float32)
        data = keras.applications.mobilenet.preprocess_input(img)
        yield data


# Define the callback that will process the outputs of the model
outputs = []


def output_processor(*logits):
    logits = logits[0]
    preds = keras.applications.mobilenet.decode_predictions(logits)
    outputs.append(preds)


# Compile a MobileNet model for testing.
# Typically, comilation need to be done one time only.
model = keras.applications.MobileNet()
nc = NeuralCompiler(models=model)
dfp = nc.run()

# Accelerate using the MemryX hardware
accl = AsyncAccl(dfp)
# Starts asynchronous execution of input generating callback
accl.connect_input(data_source)
# Starts asynchronous execution of output processing callback
accl.connect_output(output_processor)
# Wait for the accelerator to finish execution
accl.wait()
# Explicitly free up hardware
accl.shutdown()

# --
print(len(outputs), {len(preds[0]) for preds in outputs})
