"""A compiled program as an object, one frame, a list of frames, and what comes back."""

import numpy as np
from memryx import NeuralCompiler, SyncAccl

nc = NeuralCompiler()
nc.reset_config()
nc.set_config(models="double.onnx")
accl = SyncAccl(nc.run())
q_values = accl.run(np.ones((1, 4), np.float32))[0]
frames = [np.full((1, 4), number, np.float32) for number in range(3)]
out = accl.run(frames)
if isinstance(out, list):
    out = np.concatenate(out)
print(q_values.tolist(), out[:, 0].tolist())
