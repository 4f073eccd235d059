"""Files that ship with the program: icons, demo project, bundled license."""

from pathlib import Path

__all__ = ("resource_path",)

_FOLDER = Path(__file__).parent


def resource_path(relative: str) -> Path:
    """Return the path of a bundled file or folder, for example ``"demo/demo.toml"``.

    Raises
    ------
    FileNotFoundError
        When this installation does not contain it.
    """
    path = _FOLDER.joinpath(relative)
    if not path.exists():
        raise FileNotFoundError(f"the bundled file {relative!r} is missing; install Penstock again")
    return path
