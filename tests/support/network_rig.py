"""A device manager that listens at a port of this machine, with keys of its own."""

import contextlib
import os
import socket
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

from engine.manager import ManagerAddress, NetworkAddress, start_manager
from engine.manager.network.keys import CLIENT, MANAGER, ManagerKeys
from tests.support.held_plugin import HeldDevice, held_environment
from tests.support.manager_rig import Rig

HOST = "127.0.0.1"


def free_port() -> int:
    with socket.socket() as end:
        end.bind((HOST, 0))
        return int(end.getsockname()[1])


class NetworkRig(Rig):
    """A manager in a folder and at a port; `place` is the port, `local` the folder."""

    def __init__(self, folder: Path, device: HeldDevice) -> None:
        super().__init__(folder, device)
        port = free_port()
        self.address = ManagerAddress(str(folder / "manager"), port)
        self.network = NetworkAddress(HOST, port)
        self.local = {"manager_addr": self.address.folder, "manager_port": port}
        self.place = {"manager_addr": HOST, "manager_port": port}
        self.keys = ManagerKeys()
        self.keys.make(MANAGER)
        self.keys.make(CLIENT)
        self.keys.allow("tester", self.keys.folder / "client.pub")
        self.keys.trust(self.network, self.keys.folder / "manager.pub")

    def start(self, *devices: str, idle_timeout_s: float = 0) -> None:
        start_manager(
            self.address,
            devices=devices or ["held"],
            idle_timeout_s=idle_timeout_s,
            listen=HOST,
        )

    def client(self, body: str) -> "subprocess.Popen[str]":
        """Start a client process that comes through the network."""
        return super().client(f"place = {self.place!r}\n{body}")

    @property
    def gateway_pid(self) -> int:
        """The process of the gateway, found by what it was started with."""
        children = Path(f"/proc/{self.status.pid}/task/{self.status.pid}/children").read_text()
        for pid in children.split():
            if b"engine.manager.network.gateway" in Path(f"/proc/{pid}/cmdline").read_bytes():
                return int(pid)
        return 0

    @property
    def peers(self) -> list[str]:
        return [client.peer for device in self.status.devices for client in device.clients]


@contextlib.contextmanager
def network_rig() -> Iterator[NetworkRig]:
    before = os.environ.get("PENSTOCK_MANAGER_KEYS")
    with (
        tempfile.TemporaryDirectory(prefix="penstock-test-") as folder,
        held_environment(Path(folder, "held")) as device,
    ):
        os.environ["PENSTOCK_MANAGER_KEYS"] = str(Path(folder, "keys"))
        try:
            made = NetworkRig(Path(folder), device)
            try:
                yield made
            finally:
                made.close()
        finally:
            if before is None:
                del os.environ["PENSTOCK_MANAGER_KEYS"]
            else:
                os.environ["PENSTOCK_MANAGER_KEYS"] = before
