"""The project: which programs run on which streams. One struct for file, window and engine."""

from enum import StrEnum

import msgspec

__all__ = (
    "SCHEMA_VERSION",
    "EngineSettings",
    "ParameterValue",
    "Policy",
    "ProgramSettings",
    "Project",
    "RecorderSettings",
    "StreamSettings",
    "needs_restart",
)

SCHEMA_VERSION = 1

ParameterValue = str | int | float | bool | list[str | int | float]


class Policy(StrEnum):
    """What happens to frames when a stream is slower than its source."""

    LATEST = "latest"
    """Keep only the newest waiting frame; older ones are dropped as "superseded"."""
    EVERY = "every"
    """Queue every frame; when the queue is full the new frame is dropped as "queue_full"."""
    BLOCK = "block"
    """Hold the source back; nothing is dropped, the stream runs slower than its source."""


class EngineSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Settings of the whole engine.

    Attributes
    ----------
    lanes : threads that execute programs; 0 means one per processor core.
    plugin : key of the processing plugin to prefer, "simulator:1" for its second device; empty
        takes the first usable device.
    disabled_plugins : keys of plugins that must not be used.
    license : path of a license file; empty uses the bundled community license.
    driver_directories : further folders to look for drivers in.
    """

    lanes: int = 0
    plugin: str = ""
    disabled_plugins: tuple[str, ...] = ()
    license: str = ""
    driver_directories: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if not 0 <= self.lanes <= 256:
            raise ValueError(f"lanes is 0 (one per core) to 256, not {self.lanes}")


class ProgramSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A compiled program by name; `path` is absolute or relative to the project file."""

    name: str
    path: str

    def __post_init__(self) -> None:
        _check_name("program", self.name)


class StreamSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One stream: a source, the program that looks at it, and what to do under load.

    Attributes
    ----------
    name : unique in the project.
    program : name of a program of the project.
    driver : name of the driver that delivers the frames.
    source : the driver's parameters, for example ``{"path": "video.mp4"}``.
    enabled : whether "start all" starts it.
    policy : what happens when the stream is slower than its source.
    queue_depth : frames that may be under way between pre- and post-processing at once.
    threshold : overrides the program's own threshold, 0..1; None keeps it.
    """

    name: str
    program: str
    driver: str
    source: dict[str, ParameterValue] = {}
    enabled: bool = True
    policy: Policy = Policy.LATEST
    queue_depth: int = 3
    threshold: float | None = None

    def __post_init__(self) -> None:
        _check_name("stream", self.name)
        if not 1 <= self.queue_depth <= 64:
            raise ValueError(f"queue_depth is 1 to 64, not {self.queue_depth}")
        if self.threshold is not None and not 0.0 <= self.threshold <= 1.0:
            raise ValueError(f"threshold is 0 to 1, not {self.threshold}")


def needs_restart(before: StreamSettings, after: StreamSettings) -> bool:
    """Tell whether a running stream must start again to take over a change of its settings.

    Everything but the threshold and the switch needs it.
    """
    same = msgspec.structs.replace(after, threshold=before.threshold, enabled=before.enabled)
    return same != before


class RecorderSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Where results are recorded as JSON Lines, one file per stream and run."""

    enabled: bool = False
    directory: str = "recordings"


class Project(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Everything a run needs; the same file runs with a window and without."""

    schema_version: int = SCHEMA_VERSION
    name: str = "untitled"
    engine: EngineSettings = EngineSettings()
    recorder: RecorderSettings = RecorderSettings()
    programs: tuple[ProgramSettings, ...] = ()
    streams: tuple[StreamSettings, ...] = ()

    def __post_init__(self) -> None:
        if self.schema_version != SCHEMA_VERSION:
            raise ValueError(
                f"schema_version is {self.schema_version}; "
                f"this Penstock reads version {SCHEMA_VERSION}"
            )
        _check_unique("programs", [program.name for program in self.programs])
        _check_unique("streams", [stream.name for stream in self.streams])
        known = {program.name for program in self.programs}
        for stream in self.streams:
            if stream.program not in known:
                raise ValueError(
                    f"stream {stream.name!r} uses program {stream.program!r}, "
                    f"which is not among the programs ({', '.join(sorted(known)) or 'none'})"
                )


def _check_name(kind: str, name: str) -> None:
    if not name or len(name) > 64 or not all(c.isalnum() or c in " ._-" for c in name):
        raise ValueError(
            f"{kind} name {name!r} needs 1 to 64 letters, digits, blanks, dots, dashes, underscores"
        )


def _check_unique(kind: str, names: list[str]) -> None:
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise ValueError(f"{kind} have the same name twice: {', '.join(twice)}")
