"""Where a device manager is found: a folder of this machine or a host, and a number."""

import os
import re
from pathlib import Path

import msgspec

from engine.errors import InvalidArgumentError
from engine.process.runtime import runtime_folder

__all__ = (
    "DEFAULT_PORT",
    "PUBLISHED_FOLDER",
    "AnyAddress",
    "ManagerAddress",
    "NetworkAddress",
    "default_address",
    "find_address",
    "find_folder",
)

PUBLISHED_FOLDER = "/run/mxa_manager/"
DEFAULT_PORT = 10000
_LONGEST_PATH = 100  # of a socket; the system's limit is about 107 bytes
_HOST = re.compile(
    r"[A-Za-z0-9_]([A-Za-z0-9._-]{0,252})|[0-9A-Fa-f:.]{2,45}(%[A-Za-z0-9._-]{1,15})?"
)


class ManagerAddress(msgspec.Struct, frozen=True):
    """The folder of a manager's socket and locks, and the number that tells managers apart."""

    folder: str
    port: int = DEFAULT_PORT

    @property
    def socket_path(self) -> str:
        """Where it listens."""
        return f"{self._stem}.sock"

    @property
    def lock_path(self) -> str:
        """Locked by the manager while it lives."""
        return f"{self._stem}.lock"

    @property
    def start_lock_path(self) -> str:
        """Locked by who starts a manager."""
        return f"{self._stem}.start"

    @property
    def log_path(self) -> str:
        """What it has to say."""
        return f"{self._stem}.log"

    @property
    def gateway_log_path(self) -> str:
        """Who came in over a network, and who was refused."""
        return f"{self._stem}-gateway.log"

    def device_lock_path(self, device: str) -> str:
        """Locked by the process that uses a device; see `engine.manager.devices.lock_name`."""
        return f"{self.folder}/device-{device}.lock"

    def make_folder(self) -> None:
        """Make the folder, private to this user, when it is missing.

        Raises
        ------
        InvalidArgumentError
            When it cannot be made.
        """
        try:
            Path(self.folder).mkdir(mode=0o700, parents=True, exist_ok=True)
        except OSError as error:
            raise InvalidArgumentError(
                f"the folder {self.folder} of the device manager cannot be made: "
                f"{error.strerror}; give another manager_addr",
                folder=self.folder,
            ) from error

    @property
    def _stem(self) -> str:
        return f"{self.folder}/penstock-{self.port}"


class NetworkAddress(msgspec.Struct, frozen=True):
    """Where a device manager listens for other machines."""

    host: str
    port: int = DEFAULT_PORT

    def __str__(self) -> str:
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


AnyAddress = ManagerAddress | NetworkAddress


def default_address(port: int = DEFAULT_PORT) -> ManagerAddress:
    """Return this user's own manager."""
    return ManagerAddress(str(runtime_folder() / "manager"), port)


def find_address(manager_addr: str | os.PathLike[str], manager_port: object) -> AnyAddress:
    """Return the address that the published arguments stand for.

    What begins with a slash is a folder, all else the name or number of a host. The published
    default folder means this user's own manager where that folder is missing, or belongs to others
    and has no manager of Penstock in it.

    Raises
    ------
    InvalidArgumentError
        When it is no address at all.
    """
    where = os.fspath(manager_addr)
    if where.startswith("/"):
        return find_folder(manager_addr, manager_port)
    port = _port_of(manager_port)
    host = where[1:-1] if where.startswith("[") and where.endswith("]") else where
    if not _HOST.fullmatch(host):
        raise InvalidArgumentError(
            f"manager_addr {where!r} is neither a folder of this machine, for example "
            f"{PUBLISHED_FOLDER!r}, nor a host, for example '192.168.1.5'; the number after a "
            "host's colon is manager_port"
        )
    return NetworkAddress(host, port)


def find_folder(manager_addr: str | os.PathLike[str], manager_port: object) -> ManagerAddress:
    """Return the address of a manager on this machine; see `find_address`.

    Raises
    ------
    InvalidArgumentError
        When it is on another machine, or no address at all.
    """
    port = _port_of(manager_port)
    folder = os.fspath(manager_addr)
    if not folder.startswith("/"):
        raise InvalidArgumentError(
            f"manager_addr {folder!r} is no folder of this machine, and devices of other machines "
            "can only be shared; leave local_mode out, or name a folder such as "
            f"{PUBLISHED_FOLDER!r}"
        )
    address = ManagerAddress(folder.rstrip("/") or "/", port)
    if address.folder == PUBLISHED_FOLDER.rstrip("/") and not _is_usable(address):
        return default_address(port)
    if len(os.fsencode(address.socket_path)) > _LONGEST_PATH:
        raise InvalidArgumentError(
            f"manager_addr {folder!r} is too long for a socket; use a shorter folder"
        )
    return address


def _port_of(manager_port: object) -> int:
    if not isinstance(manager_port, int) or not 0 < manager_port < 65536:
        raise InvalidArgumentError(
            f"manager_port is a number from 1 to 65535, not {manager_port!r}"
        )
    return manager_port


def _is_usable(address: ManagerAddress) -> bool:
    return Path(address.socket_path).exists() or os.access(address.folder, os.W_OK | os.X_OK)
