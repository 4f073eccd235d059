"""What the pools' tests call in workers; importable there, and quickly so."""

import os
import signal
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from engine.machine import (
    FakePool,
    glob_read,
    glob_remove,
    glob_store,
    glob_store_attributes,
    glob_update,
    parallel_enabled,
    process_pool,
)


def identity(value: Any = None) -> Any:
    return value


def square(value: int) -> int:
    return value * value


def add(a: int, b: int = 0, *, c: int = 0) -> int:
    return a + b + c


def fail(value: object) -> Any:
    raise ValueError(f"refused {value}")


def fail_at_three(value: int) -> int:
    if value == 3:
        raise ValueError("refused 3")
    return value


def leave(code: object) -> None:
    sys.exit(code)  # type: ignore[arg-type]


def die(number: int) -> None:
    sys.stderr.write("these are my last words\n")
    os.kill(os.getpid(), number)
    signal.pause()


def crash() -> None:
    import ctypes

    ctypes.string_at(0)


def leave_at_once(code: object) -> None:
    os._exit(code if isinstance(code, int) else 1)


def pid(_: object = None) -> int:
    return os.getpid()


def wait_for_file(path: str) -> str:
    """Return once a file is there: how a test holds a worker back."""
    while not Path(path).exists():
        time.sleep(0.002)
    return path


def touch_and_wait(path: str, until: str) -> str:
    Path(path).touch()
    return wait_for_file(until)


def make_zeros(size_bytes: int) -> bytearray:
    return bytearray(size_bytes)


def array_facts(array: Any) -> tuple[float, bool, str]:
    return float(array.sum()), bool(array.flags.writeable), str(array.dtype)


def read_facts(key: int) -> tuple[float, bool, str]:
    return array_facts(glob_read(key))


def read(key: int) -> Any:
    return glob_read(key)


def read_after(path: str, until: str, key: int) -> Any:
    touch_and_wait(path, until)
    return glob_read(key)


def read_twice_is_same(key: int) -> bool:
    return glob_read(key) is glob_read(key)


def write_first(key: int) -> None:
    glob_read(key)[0] = 1


def store(value: object) -> int:
    return glob_store(value)


def remove(key: int) -> None:
    glob_remove(key)


def update_and_read(key: int, value: object) -> Any:
    glob_update(key, value)
    return glob_read(key)


def own_bytes_after_reading(key: int) -> int:
    """Return how much memory that is not shared a worker needs to read all of an array."""
    before = _own_bytes()
    glob_read(key).sum()
    return _own_bytes() - before


def _own_bytes() -> int:
    for line in Path("/proc/self/smaps_rollup").read_text("ascii").splitlines():
        if line.startswith("Anonymous:"):
            return 1024 * int(line.split()[1])
    raise LookupError("the system does not say")


def shared_files() -> list[str]:
    """Return the memory without a name that this process has open."""
    names = []
    for entry in Path("/proc/self/fd").iterdir():
        try:
            names.append(str(entry.readlink()))
        except OSError:
            continue
    return [name for name in names if "engine-machine" in name]


def nested_pool_is_fake() -> tuple[bool, bool, list[int]]:
    pool = process_pool()
    return isinstance(pool, FakePool), parallel_enabled(), pool.map(square, [1, 2, 3])


def blas_threads() -> tuple[str, int]:
    """Return the environment's word, and how many threads the linear algebra library uses."""
    import ctypes
    import re

    import numpy as np

    _ = np.ones((2, 2)) @ np.ones((2, 2))
    maps = Path("/proc/self/maps").read_text("utf-8")
    # Other packages in the process may bring a copy of their own.
    (path,) = set(re.findall(r"/\S*numpy\S*openblas\S*", maps))
    library = ctypes.CDLL(path)
    return os.environ.get("OPENBLAS_NUM_THREADS", ""), library.scipy_openblas_get_num_threads64_()


def error_that_cannot_travel() -> None:
    raise StubbornError(1, 2)


class StubbornError(Exception):
    """Pickles, but cannot be rebuilt."""

    def __init__(self, a: int, b: int) -> None:
        super().__init__("stubborn")
        self.both = (a, b)


class Unloadable:
    """Pickles, but cannot be rebuilt."""

    def __reduce__(self) -> tuple[object, ...]:
        return _refuse, ()


def _refuse() -> None:
    raise ValueError("cannot be rebuilt")


def make_unloadable() -> Unloadable:
    return Unloadable()


def make_unpicklable() -> Any:
    return (value for value in (1, 2))


def failing_items() -> Iterator[int]:
    yield 1
    yield 2
    raise LookupError("no third item")


@glob_store_attributes("big")
class Holder:
    """Has one attribute in the global storage."""

    def __init__(self, big: object = None) -> None:
        self.big = big
        self.small = 1


class DerivedHolder(Holder):
    """Does not call the constructor above."""

    def __init__(self) -> None:
        self.other = 2


def big_of(holder: Holder) -> Any:
    return holder.big


def sent_back(holder: Holder) -> Holder:
    return holder


def with_new_big(holder: Holder, big: object) -> Holder:
    holder.big = big
    return holder


def make_holder(big: object) -> Holder:
    return Holder(big)


_kept: list[Any] = []


def keep(key: int) -> None:
    _kept.append(glob_read(key))


def kept_sum() -> float:
    return float(_kept[0].sum())


def die_at_one(number: int) -> int:
    if number == 1:
        die(signal.SIGKILL)
    return number


def hold_on(path: str) -> None:
    """Say that we run, then be deaf to everything but SIGKILL."""
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    Path(path).touch()
    while True:
        signal.pause()


def read_and_die(key: int) -> None:
    glob_read(key).sum()
    die(signal.SIGKILL)
