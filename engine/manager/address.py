"""Where a device manager is found: a folder and a number."""

import os
from pathlib import Path

import msgspec

from engine.errors import InvalidArgumentError
from engine.process.runtime import runtime_folder

__all__ = ("DEFAULT_PORT", "PUBLISHED_FOLDER", "ManagerAddress", "default_address", "find_address")

PUBLISHED_FOLDER = "/run/mxa_manager/"
DEFAULT_PORT = 10000
_LONGEST_PATH = 100  # of a socket; the system's limit is about 107 bytes


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

    def device_lock_path(self, device: int) -> str:
        """Locked by the process that uses a device."""
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


def default_address(port: int = DEFAULT_PORT) -> ManagerAddress:
    """Return this user's own manager."""
    return ManagerAddress(str(runtime_folder() / "manager"), port)


def find_address(manager_addr: str | os.PathLike[str], manager_port: object) -> ManagerAddress:
    """Return the address that the published arguments stand for.

    The published default folder means this user's own manager where that folder is missing, or
    belongs to others and has no manager of Penstock in it.

    Raises
    ------
    InvalidArgumentError
        When it is a network address, or no address at all.
    """
    if not isinstance(manager_port, int) or not 0 < manager_port < 65536:
        raise InvalidArgumentError(
            f"manager_port is a number from 1 to 65535, not {manager_port!r}"
        )
    folder = os.fspath(manager_addr)
    if not folder.startswith("/"):
        raise InvalidArgumentError(
            f"manager_addr {folder!r} is no folder; device managers are reached through a folder "
            f"of this machine, for example {PUBLISHED_FOLDER!r}, and not over the network yet"
        )
    address = ManagerAddress(folder.rstrip("/") or "/", manager_port)
    if address.folder == PUBLISHED_FOLDER.rstrip("/") and not _is_usable(address):
        return default_address(manager_port)
    if len(os.fsencode(address.socket_path)) > _LONGEST_PATH:
        raise InvalidArgumentError(
            f"manager_addr {folder!r} is too long for a socket; use a shorter folder"
        )
    return address


def _is_usable(address: ManagerAddress) -> bool:
    return Path(address.socket_path).exists() or os.access(address.folder, os.W_OK | os.X_OK)
