"""Device managers for tests: in a folder of their own, stopped at the end whatever happens."""

import contextlib
import json
import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import psutil
from onnx import TensorProto, helper

from engine.dfp import ModelEntry, pack_dfp
from engine.manager import (
    ManagerAddress,
    ManagerStatus,
    manager_status,
    start_manager,
    stop_manager,
)
from engine.protocol import TensorInfo
from tests.support.held_plugin import ROOT, HeldDevice, held_environment

CLIENT = """
import json, os, sys, threading
import numpy as np
from engine import AsyncAccl, SchedulerOptions, SyncAccl
folder, body = sys.argv[1:]
dfp = os.path.join(folder, "identity.dfp")
place = {"manager_addr": os.path.join(folder, "manager")}
def frame(number):
    return np.full((1, 4), number, np.float32)
def say(**told):
    print(json.dumps(told), flush=True)
def forever():
    threading.Event().wait()
exec(body)
"""


def identity_program(
    shape: tuple[int, ...] = (1, 4), *, name: str = "identity", factor: int = 1
) -> bytes:
    """Return a program: y = factor * x; different names are different programs."""
    x, y = (helper.make_tensor_value_info(n, TensorProto.FLOAT, list(shape)) for n in "xy")
    node = helper.make_node("Identity", ["x"], ["y"])
    if factor != 1:
        node = helper.make_node("Sum", ["x"] * factor, ["y"])
    model = helper.make_model(
        helper.make_graph([node], name, [x], [y]),
        opset_imports=[helper.make_opsetid("", 17)],
        ir_version=8,
    )
    entry = ModelEntry(
        name=name,
        main="m.onnx",
        inputs=(TensorInfo("x", shape, "float32"),),
        outputs=(TensorInfo("y", shape, "float32"),),
    )
    return pack_dfp(name=name, models=[entry], graphs={"m.onnx": model.SerializeToString()})


def frame(number: float) -> np.ndarray[Any, Any]:
    return np.full((1, 4), number, np.float32)


CLIENT_STAGES = {
    "has a program": "accl = SyncAccl(dfp, **place)",
    "has frames under way": (
        "accl = SyncAccl(dfp, **place)\nfor n in range(20): accl.send(frame(n))"
    ),
    "streams": (
        "accl = AsyncAccl(dfp, **place)\n"
        "accl.connect_input(lambda: frame(1)); accl.connect_output(lambda y: None)"
    ),
}
"""What a client is at when it is killed; lines for `Rig.client`."""


class Rig:
    """A folder with a manager's address, a held device, and client processes."""

    def __init__(self, folder: Path, device: HeldDevice) -> None:
        self.folder = folder
        self.device = device
        self.address = ManagerAddress(str(folder / "manager"))
        self.place = {"manager_addr": self.address.folder}
        (folder / "identity.dfp").write_bytes(identity_program())
        self.dfp = folder / "identity.dfp"
        self._clients: list[subprocess.Popen[str]] = []

    def start(self, *devices: str, idle_timeout_s: float = 0) -> None:
        start_manager(self.address, devices=devices or ["held"], idle_timeout_s=idle_timeout_s)

    @property
    def status(self) -> ManagerStatus:
        status = manager_status(self.address)
        assert status is not None
        return status

    @property
    def client_pids(self) -> list[int]:
        return [client.pid for device in self.status.devices for client in device.clients]

    def client(self, body: str) -> subprocess.Popen[str]:
        """Start a client process; see `heard`."""
        process = subprocess.Popen(
            [sys.executable, "-c", CLIENT, str(self.folder), body],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            cwd=ROOT,
        )
        self._clients.append(process)
        return process

    def end_clients(self) -> None:
        clients, self._clients = self._clients, []
        for process in clients:
            if process.poll() is None:
                process.kill()
            process.communicate()

    def close(self) -> None:
        self.device.release()
        self.end_clients()
        stop_manager(self.address)


def heard(process: subprocess.Popen[str]) -> dict[str, Any]:
    """Return what a client says next."""
    assert process.stdout is not None
    line = process.stdout.readline()
    if not line:
        raise AssertionError(f"the client ended: {process.communicate()[1]}")
    told: dict[str, Any] = json.loads(line)
    return told


def kill(pid: int) -> None:
    os.kill(pid, signal.SIGKILL)


def segments_of(pid: int) -> list[str]:
    return [path.name for path in Path("/dev/shm").glob(f"penstock-{pid}-*")]


def is_running(pid: int) -> bool:
    try:
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


@contextlib.contextmanager
def rig() -> Iterator[Rig]:
    with (
        tempfile.TemporaryDirectory(prefix="penstock-test-") as folder,
        held_environment(Path(folder, "held")) as device,
    ):
        made = Rig(Path(folder), device)
        try:
            yield made
        finally:
            made.close()


Poll = Callable[..., None]
