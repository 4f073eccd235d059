"""What owns an engine is killed: nothing may stay behind."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest

from engine.shm import segment_folder
from tests.support.tiny_project import make_project

OWNER = """
import sys
from engine.client import EngineClient
from engine.protocol import LoadProject, SetPreview, StartAll, StreamPhase
client = EngineClient.launch()
client.call(LoadProject(sys.argv[1]))
client.call(SetPreview("one", is_watched=True))
client.call(StartAll())
while not all(s.phase is StreamPhase.RUNNING for s in client.snapshot.streams):
    client.wait(0.1)
    client.pump()
print(client.engine_pid, *(s.driver_pid for s in client.snapshot.streams), flush=True)
sys.stdin.read()
"""


def segments_of(pids: list[int]) -> list[str]:
    return [
        path.name
        for path in Path(segment_folder()).glob("penstock-*")
        if int(path.name.split("-")[1]) in pids
    ]


def gone(pid: int) -> bool:
    try:
        return psutil.Process(pid).status() == psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return True


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM])
def test_kill_of_the_owner_leaves_no_process_and_no_segment(
    tmp_path: Path, number: signal.Signals
) -> None:
    project = make_project(tmp_path, names=("one", "two"))
    owner = subprocess.Popen(
        [sys.executable, "-c", OWNER, str(project)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert owner.stdin is not None
    assert owner.stdout is not None
    with owner.stdin, owner.stdout:
        pids = [int(word) for word in owner.stdout.readline().split()]
        assert len(pids) == 3
        assert segments_of(pids)
        os.kill(owner.pid, number)
        owner.wait(10)

    deadline = time.monotonic() + 8.0
    while not all(gone(pid) for pid in pids) or segments_of(pids):
        assert time.monotonic() < deadline, (pids, segments_of(pids))
        time.sleep(0.02)
