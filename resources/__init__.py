"""Files that ship with the program: icons, demo project, bundled license."""

from importlib.resources import files
from pathlib import Path

__all__ = ("resource_path",)


def resource_path(relative: str) -> Path:
    """Return the path of a bundled file or folder, for example ``"demo/demo.toml"``.

    Raises
    ------
    FileNotFoundError
        When this installation does not contain it.
    """
    path = Path(str(files(__name__))).joinpath(relative)
    if not path.exists():
        raise FileNotFoundError(f"the bundled file {relative!r} is missing; install Penstock again")
    return path
