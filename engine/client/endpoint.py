"""Where an engine service listens: two sockets in a folder that only its user can enter."""

import secrets
import shutil
from pathlib import Path

import msgspec

from engine.process import is_same_process
from engine.process.runtime import runtime_folder

__all__ = ("Endpoint", "find_endpoints", "reap_endpoints", "runtime_folder")


class Endpoint(msgspec.Struct, frozen=True):
    """The folder of one engine service and the addresses in it."""

    folder: str

    @property
    def control(self) -> str:
        """Address of the request and reply socket."""
        return f"ipc://{self.folder}/control"

    @property
    def events(self) -> str:
        """Address of the publishing socket."""
        return f"ipc://{self.folder}/events"

    @classmethod
    def make(cls) -> "Endpoint":
        """Make a fresh folder below the runtime folder."""
        folder = runtime_folder() / f"engine-{secrets.token_hex(4)}"
        folder.mkdir(mode=0o700)
        return cls(str(folder))

    def write_owner(self, pid: int, start: int) -> None:
        """Note which process serves here, so that others can find or remove it."""
        Path(self.folder, "owner").write_text(f"{pid} {start}", encoding="ascii")

    def owner_is_alive(self) -> bool:
        """Tell whether the noted process still runs."""
        try:
            pid, start = Path(self.folder, "owner").read_text(encoding="ascii").split()
            return is_same_process(int(pid), int(start))
        except (OSError, ValueError):
            return False

    def remove(self) -> None:
        """Delete the folder; harmless when it is gone."""
        shutil.rmtree(self.folder, ignore_errors=True)


def find_endpoints() -> list[Endpoint]:
    """Return the endpoints of this user's living engine services, newest first."""
    folders = [path for path in runtime_folder().glob("engine-*") if path.is_dir()]
    folders.sort(key=lambda path: path.stat().st_mtime, reverse=True)
    endpoints = [Endpoint(str(path)) for path in folders]
    return [endpoint for endpoint in endpoints if endpoint.owner_is_alive()]


def reap_endpoints() -> None:
    """Remove the folders of engine services that ended without doing so."""
    for path in runtime_folder().glob("engine-*"):
        endpoint = Endpoint(str(path))
        if (path / "owner").exists() and not endpoint.owner_is_alive():
            endpoint.remove()
