"""Frames in the devices' shape (height, width, 1, channels), as scripts for SDK 1.0 give them."""

import sys

import numpy as np
from memryx import Dfp, SyncAccl

dfp = Dfp(sys.argv[1])
accl = SyncAccl(sys.argv[1])
picture = np.random.rand(6, 5, 3).astype(np.float32)  # height, width, channels
wanted = picture.mean(axis=(0, 1))
forms = [
    np.expand_dims(picture, 2),
    picture.reshape(dfp.input_shapes[0]),
    picture.transpose(2, 0, 1),
    np.expand_dims(picture.transpose(2, 0, 1), 0),
    picture,
]
print(dfp.input_shapes, all(np.allclose(accl.run(form)[0], wanted) for form in forms))
