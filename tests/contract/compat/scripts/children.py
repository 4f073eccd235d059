"""Children of all kinds see the same names."""
# Written as users of that API write.
# ruff: noqa: ANN001, ANN201

import multiprocessing
import subprocess
import sys
from concurrent.futures import ProcessPoolExecutor

from memryx import SyncAccl
from memryx.runtime import accl as _  # noqa: F401


def told(method):
    import memryx

    return method, memryx.__spec__.origin, SyncAccl.__module__


if __name__ == "__main__":
    for method in ("spawn", "fork", "forkserver"):
        context = multiprocessing.get_context(method)
        with ProcessPoolExecutor(1, mp_context=context) as pool:
            print(*pool.submit(told, method).result(), flush=True)
    line = "import memryx, fluxless" if "--broken" in sys.argv else "import memryx"
    code = f"{line}; print('subprocess', memryx.__spec__.origin)"
    subprocess.run([sys.executable, "-c", code], check=True)
