"""What a batch run executes: one program, and the settings that decide what the results are."""

import hashlib
from pathlib import Path

import msgspec

from engine.config import EngineSettings, ProgramSettings, Project, load_project
from engine.dfp import Dfp
from engine.errors import ConfigError, LicenseError, ProgramIncompatibleError
from engine.license import license_state, load_license_file
from engine.plugins import PluginRegistry

__all__ = ("BatchProgram", "JobSettings", "open_batch_program")

_RESULT_FORMAT = 1
"""Raised when the same program gives other result files, so that old ones are made anew."""


class JobSettings(msgspec.Struct, frozen=True):
    """Everything beside program and input that decides what a result file says.

    Attributes
    ----------
    threshold : replaces the program's own, 0..1; None keeps it.
    frames : most frames of an input; 0 takes all.
    has_pixels : whether lines hold the class of every pixel.
    has_parquet : whether each result is written as Parquet too.
    """

    threshold: float | None = None
    frames: int = 0
    has_pixels: bool = False
    has_parquet: bool = False

    def __post_init__(self) -> None:
        if self.threshold is not None and not 0.0 <= self.threshold <= 1.0:
            raise ConfigError(f"the threshold is 0 to 1, not {self.threshold}")
        if self.frames < 0:
            raise ConfigError(f"frames is 0 (all) or more, not {self.frames}")


class BatchProgram(msgspec.Struct, frozen=True):
    """A program that was opened and checked, with the plugin that executes it.

    Attributes
    ----------
    data : the whole DFP; it travels to each worker once.
    plugin : key of the processing plugin.
    disabled_plugins : keys of plugins that must not be used.
    takes_lines : whether inputs are cubes; else pictures and videos.
    """

    name: str
    data: bytes
    plugin: str
    disabled_plugins: tuple[str, ...]
    takes_lines: bool

    def fingerprint(self, settings: JobSettings) -> str:
        """Return what changes whenever results may change, 64 hexadecimal digits."""
        parts = (_RESULT_FORMAT, hashlib.sha256(self.data).hexdigest(), self.plugin, settings)
        return hashlib.sha256(msgspec.json.encode(parts)).hexdigest()


def open_batch_program(source: Path, name: str = "") -> BatchProgram:
    """Open a program of a project, or a DFP, and choose the plugin for it.

    Plugins that may not work here are probed in child processes, as for a live run.

    Parameters
    ----------
    source : a project file (.toml) or a program (.dfp).
    name : which program of the project; empty takes the only one.

    Raises
    ------
    ConfigError
        When the source is neither, or the project does not say which program.
    LicenseError
        When the project's license cannot be used.
    ProgramError
        When the program cannot be read, or takes more than one input.
    PluginError
        When no plugin can be used.
    """
    settings, file = _find_program(source, name)
    dfp = Dfp(file)
    model = dfp.models[0]
    if len(model.inputs) != 1:
        raise ProgramIncompatibleError(
            f"program {file} takes {len(model.inputs)} inputs at once "
            f"({', '.join(tensor.name for tensor in model.inputs)}); files fill one, "
            "execute it with engine.SyncAccl",
            file=str(file),
        )
    registry = PluginRegistry(disabled=settings.disabled_plugins)
    return BatchProgram(
        name=dfp.manifest.name,
        data=file.read_bytes(),
        plugin=registry.choose(settings.plugin).key,
        disabled_plugins=settings.disabled_plugins,
        takes_lines=model.pre.layout == "lines",
    )


def _find_program(source: Path, name: str) -> tuple[EngineSettings, Path]:
    match source.suffix.lower():
        case ".toml":
            project = load_project(source)
            _check_license(project, source.parent)
            program = _choose(project, name, source)
            return project.engine, source.parent / Path(program.path).expanduser()
        case ".dfp":
            if name:
                raise ConfigError(f"{source} is one program; leave the name {name!r} out")
            return EngineSettings(), source
        case ".onnx":
            raise ConfigError(
                f"{source} is a model without the way from frames to results; "
                f"compile it first: penstock compile {source} --task TASK"
            )
        case _:
            raise ConfigError(f"{source} is neither a project file (.toml) nor a program (.dfp)")


def _choose(project: Project, name: str, source: Path) -> ProgramSettings:
    names = [program.name for program in project.programs]
    if name and name not in names:
        raise ConfigError(
            f"project {source} has no program {name!r}; it has {', '.join(names) or 'none'}"
        )
    if not name and len(names) != 1:
        raise ConfigError(
            f"project {source} has {len(names)} programs ({', '.join(names) or 'none'}); "
            "say which one"
        )
    return project.programs[names.index(name) if name else 0]


def _check_license(project: Project, folder: Path) -> None:
    if project.engine.license:
        file = folder / Path(project.engine.license).expanduser()
        state = license_state(load_license_file(file), str(file))
    else:
        state = license_state(None)
    if not state.is_valid:
        raise LicenseError(state.problem)
