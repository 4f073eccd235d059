"""Version of the engine, for programs that want to know."""
# ruff: noqa: N802 - the published names are camelCase

from importlib.metadata import PackageNotFoundError, version

__all__ = ("versionMajor", "versionMinor", "versionString")


def versionString() -> str:
    """Return the version for people; its form may change, do not take it apart."""
    try:
        return version("penstock")
    except PackageNotFoundError:
        return "0.0.0"


def versionMajor() -> int:
    """Return the major version."""
    return _part(0)


def versionMinor() -> int:
    """Return the minor version."""
    return _part(1)


def _part(place: int) -> int:
    parts = versionString().split(".")
    return int(parts[place]) if len(parts) > place and parts[place].isdigit() else 0
