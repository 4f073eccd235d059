"""Arrays made in parallel by a producer that lives in a module beside the script."""

import numpy as np
from concurrentbuffer.iterator import buffer_iterator_factory
from makers import CountingCommander, FillingProducer

if __name__ == "__main__":
    iterator = buffer_iterator_factory(
        cpus=2,
        buffer_shapes=((2, 3),),
        commander=CountingCommander(),
        producer=FillingProducer(),
        context="spawn",
        deterministic=True,
        buffer_dtype=np.float32,
    )
    with iterator:
        print([float(next(iterator)[0][0, 0]) for _ in range(5)])
