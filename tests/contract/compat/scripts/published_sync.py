"""The published example of SyncAccl, word by word; the lines behind `# --` look at what it did."""
# Written as its authors wrote it.
# ruff: noqa: I001

import tensorflow as tf
import numpy as np
from memryx import NeuralCompiler, SyncAccl

# Compile a MobileNet model for testing.
# Typically, comilation need to be done one time only.
model = tf.keras.applications.MobileNet()
nc = NeuralCompiler(models=model)
dfp = nc.run()

# Prepare the input data
img = np.random.rand(1, 224, 224, 3).astype(np.float32)
data = tf.keras.applications.mobilenet.preprocess_input(img)

# Accelerate using the MemryX hardware
accl = SyncAccl(dfp)
outputs = accl.run(data)  # Run sequential acceleration on the input data.
# Explicitly free up hardware
accl.shutdown()

# --
print(outputs.shape, outputs.dtype)
