"""Measures latency and rate in one context and in two, and what a simulated card would do."""

import sys

from memryx import Benchmark, Simulator

dfp = sys.argv[1]
with Benchmark(dfp=dfp, verbose=2, chip_gen=3.1) as bench:
    _, latency_ms, _ = bench.run(threading=False)
    _, _, rate = bench.run(frames=200)
with Benchmark(dfp=dfp) as bench:
    outputs, _, rate_again = bench.run(frames=200, threading=True)
simulator = Simulator(dfp=dfp)
_, simulated_ms, simulated_rate = simulator.run(frames=50)
simulator.shutdown()
print(outputs.shape, latency_ms > 0, rate > 0 < rate_again, simulated_ms > 1000 / simulated_rate)
