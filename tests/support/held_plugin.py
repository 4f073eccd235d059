"""A plugin that a test holds back or breaks from another process, by files in one folder.

`HeldDevice` is the test's side; the plugin is found by an entry point in a folder that the test
puts on the path of a device manager (see `held_environment`).
"""

import contextlib
import fcntl
import json
import os
import signal
import threading
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from engine.plugins import Device, ProbeReport
from engine.plugins.onnxruntime_cpu import OnnxRuntimeCpuPlugin

FOLDER_VARIABLE = "PENSTOCK_TEST_DEVICE"
ROOT = Path(__file__).resolve().parents[2]

Array = np.ndarray[Any, Any]


class HeldDevice:
    """The test's side: hold frames back, break on some, count them."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        folder.mkdir(parents=True, exist_ok=True)
        self._gate = os.open(folder / "gate", os.O_RDWR | os.O_CREAT, 0o600)
        self._told: dict[str, Any] = {"breaks_on": [], "takes_s": 0.0, "dies_on": []}
        self._tell()

    def hold(self) -> None:
        fcntl.flock(self._gate, fcntl.LOCK_EX)

    def release(self) -> None:
        fcntl.flock(self._gate, fcntl.LOCK_UN)

    def reset(self) -> None:
        self.release()
        self._told = {"breaks_on": [], "takes_s": 0.0, "dies_on": []}
        self._tell()
        (self.folder / "executed").unlink(missing_ok=True)

    def close(self) -> None:
        os.close(self._gate)

    @property
    def breaks_on(self) -> set[float]:
        return set(self._told["breaks_on"])

    @breaks_on.setter
    def breaks_on(self, numbers: set[float]) -> None:
        self._told["breaks_on"] = sorted(numbers)
        self._tell()

    def die_on(self, number: float) -> None:
        """Have the worker killed when it executes that frame."""
        self._told["dies_on"] = [number]
        self._tell()

    @property
    def takes_s(self) -> float:
        return float(self._told["takes_s"])

    @takes_s.setter
    def takes_s(self, seconds: float) -> None:
        self._told["takes_s"] = seconds
        self._tell()

    @property
    def executed(self) -> int:
        path = self.folder / "executed"
        return path.stat().st_size if path.exists() else 0

    def _tell(self) -> None:
        fresh = self.folder / "told.new"
        fresh.write_text(json.dumps(self._told))
        fresh.replace(self.folder / "told")


@contextlib.contextmanager
def held_environment(folder: Path) -> Iterator[HeldDevice]:
    """Let device managers started within find the plugin "held"."""
    info = folder / "path" / "penstock_held-1.dist-info"
    info.mkdir(parents=True)
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: penstock-held\nVersion: 1\n")
    (info / "entry_points.txt").write_text(
        "[penstock.plugins]\nheld = tests.support.held_plugin:HeldPlugin\n"
    )
    device = HeldDevice(folder / "device")
    known = {name: os.environ.get(name) for name in ("PYTHONPATH", FOLDER_VARIABLE)}
    os.environ["PYTHONPATH"] = os.pathsep.join([str(info.parent), str(ROOT)])
    os.environ[FOLDER_VARIABLE] = str(device.folder)
    try:
        yield device
    finally:
        device.close()
        for name, value in known.items():
            if value is None:
                os.environ.pop(name)
            else:
                os.environ[name] = value


class _HeldSession:
    def __init__(self, session: Any) -> None:
        self.inputs, self.outputs = session.inputs, session.outputs
        self._session = session
        self._folder = Path(os.environ[FOLDER_VARIABLE])

    def run(self, inputs: Sequence[Array]) -> list[Array]:
        gate = os.open(self._folder / "gate", os.O_RDWR)
        try:
            fcntl.flock(gate, fcntl.LOCK_SH)
        finally:
            os.close(gate)
        told = json.loads((self._folder / "told").read_bytes())
        number = float(np.ravel(inputs[0])[0])
        if told["takes_s"]:
            threading.Event().wait(told["takes_s"])
        if number in told["dies_on"]:
            os.kill(os.getpid(), signal.SIGKILL)
        with (self._folder / "executed").open("ab") as file:
            file.write(b"x")
        if number in told["breaks_on"]:
            raise RuntimeError("the device broke")
        outputs: list[Array] = self._session.run(inputs)
        return outputs

    def close(self) -> None:
        self._session.close()


class HeldPlugin(OnnxRuntimeCpuPlugin):
    key = "held"
    plugin_id = "5b0cf8ac-0b1c-4f0e-9a4e-6f5f1c1d7c55"
    name = "held back by a test"

    def probe(self) -> ProbeReport:
        return ProbeReport(True, devices=(Device(0, "cpu", "held"),))

    def load(self, graph: bytes, *, threads_per_lane: int = 1) -> Any:
        return _HeldSession(super().load(graph, threads_per_lane=threads_per_lane))
