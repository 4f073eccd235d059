"""Eight cheap streams at 30 Hz whose results have boxes to draw."""

from engine.config import ProgramSettings, Project, StreamSettings
from resources import resource_path

__all__ = ("eight_streams",)


def eight_streams() -> Project:
    """Return a project of eight pan-and-zoom streams through the face program."""
    source = {
        "path": str(resource_path("demo/media/faces/astronaut.png")),
        "rate_hz": 30.0,
        "width": 640,
        "height": 360,
    }
    streams = tuple(
        StreamSettings(f"tile {n}", "faces", "pan-zoom", {**source, "seed": n}) for n in range(8)
    )
    program = ProgramSettings("faces", str(resource_path("demo/programs/yunet.dfp")))
    return Project(name="eight tiles", programs=(program,), streams=streams)
