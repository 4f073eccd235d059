"""What to do with files dropped on the window."""

from pathlib import Path

from engine.protocol import AnyCommand, LoadLicense, LoadProgram, LoadProject

__all__ = ("command_for",)


def command_for(path: str) -> AnyCommand | str:
    """Return the command that opens a file, or the sentence that says why there is none."""
    name, kind = Path(path).name, Path(path).suffix.lower()
    match kind:
        case ".toml":
            return LoadProject(path)
        case ".dfp":
            return LoadProgram(path)
        case ".lic":
            return LoadLicense(path)
        case ".onnx":
            return f"{name} is a model; compile it first: penstock compile {name}"
    return (
        f"{name} cannot be opened here; drop a project (.toml), program (.dfp) or license (.lic)."
    )
