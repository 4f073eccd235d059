"""Clear words for media files that are missing or cannot be read."""

from pathlib import Path

from engine.errors import MediaError

__all__ = ("check_file",)


def check_file(path: Path, what: str) -> None:
    """Raise a `MediaError` when `path` is not a file that can be read."""
    try:
        if path.is_dir():
            raise MediaError(f"{what} {path} is a folder, not a file", file=str(path))
        with path.open("rb"):
            pass
    except FileNotFoundError as error:
        raise MediaError(
            f"{what} {path} does not exist; check the path of the stream's source", file=str(path)
        ) from error
    except OSError as error:
        reason = error.strerror or type(error).__name__
        raise MediaError(f"{what} {path} cannot be read: {reason}", file=str(path)) from error
