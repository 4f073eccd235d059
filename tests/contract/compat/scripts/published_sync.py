"""The published example of SyncAccl, call by call."""

import numpy as np
import tensorflow as tf
from memryx import NeuralCompiler, SyncAccl

model = tf.keras.applications.MobileNet()
nc = NeuralCompiler(models=model)
dfp = nc.run()

img = np.random.rand(1, 224, 224, 3).astype(np.float32)
data = tf.keras.applications.mobilenet.preprocess_input(img)

accl = SyncAccl(dfp)
outputs = accl.run(data)
accl.shutdown()

print(outputs.shape, outputs.dtype)
