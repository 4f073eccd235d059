"""Pools, the global store, and a counter."""

from pynitride.core.machine import (
    Counter,
    FakePool,
    glob_read,
    glob_remove,
    glob_store,
    no_parallel,
)

key = glob_store([1, 2, 3])
with no_parallel():
    print(FakePool().map(lambda x: x * 2, glob_read(key)))
glob_remove(key)
counter = Counter(print_every=100)
counter.increment(5)
