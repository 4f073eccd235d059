"""Figures of processes: the living are measured, the gone are left out."""

import os
import subprocess
import sys
import time

import pytest

from engine.telemetry import ProcessSampler


def test_this_process_is_measured() -> None:
    sampler = ProcessSampler()
    sampler.sample({"engine": os.getpid()})
    end = time.process_time() + 0.1  # the system counts in steps of 10 ms
    while time.process_time() < end:
        sum(i * i for i in range(10_000))
    (figures,) = sampler.sample({"engine": os.getpid()})

    assert (figures.role, figures.pid) == ("engine", os.getpid())
    assert figures.cpu_percent > 0
    assert figures.memory_bytes > 1_000_000


def test_the_first_sample_of_a_process_has_no_processor_use() -> None:
    (figures,) = ProcessSampler().sample({"engine": os.getpid()})
    assert figures.cpu_percent == 0.0


@pytest.mark.parametrize("pid", [-1, 0x7FFFFFF0, 2**80])
def test_a_pid_that_is_nobody_is_left_out(pid: int) -> None:
    figures = ProcessSampler().sample({"engine": os.getpid(), "ghost": pid})
    assert [f.role for f in figures] == ["engine"]


def test_a_process_that_ended_is_left_out_of_the_next_sample() -> None:
    sampler = ProcessSampler()
    child = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    roles = {"engine": os.getpid(), "child": child.pid}
    try:
        assert [f.role for f in sampler.sample(roles)] == ["engine", "child"]
    finally:
        child.kill()
        child.communicate()
    assert [f.role for f in sampler.sample(roles)] == ["engine"]
