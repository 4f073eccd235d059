"""The published example of AsyncAccl, call by call."""
# Written as users of that API write.
# ruff: noqa: ANN002, ANN201

import numpy as np
from memryx import AsyncAccl, NeuralCompiler
from tensorflow import keras


def data_source():
    for _ in range(10):
        img = np.random.rand(1, 224, 224, 3).astype(np.float32)
        data = keras.applications.mobilenet.preprocess_input(img)
        yield data


outputs = []


def output_processor(*logits):
    logits = logits[0]
    preds = keras.applications.mobilenet.decode_predictions(logits)
    outputs.append(preds)


model = keras.applications.MobileNet()
nc = NeuralCompiler(models=model)
dfp = nc.run()

accl = AsyncAccl(dfp)
accl.connect_input(data_source)
accl.connect_output(output_processor)
accl.wait()
accl.shutdown()

print(len(outputs), {len(preds[0]) for preds in outputs})
