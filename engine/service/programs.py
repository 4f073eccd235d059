"""The programs of the project: loaded, described, and refused with a sentence."""

import logging
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from engine.config import ProgramSettings
from engine.dfp import Dfp, describe
from engine.errors import BusyError, EngineError, InvalidArgumentError, ProgramError
from engine.pipeline import LoadedProgram
from engine.protocol import ProgramState

if TYPE_CHECKING:
    from engine.service.workspace import Workspace

__all__ = ("ProgramShelf",)

log = logging.getLogger(__name__)


class ProgramShelf:
    """Programs by name; those that cannot be loaded stay listed with their problem."""

    def __init__(self, workspace: "Workspace") -> None:
        self._workspace = workspace
        self._loaded: dict[str, LoadedProgram] = {}
        self._states: dict[str, ProgramState] = {}

    def get(self, name: str) -> LoadedProgram:
        """Return a program that is ready to run.

        Raises
        ------
        ProgramError
            With the reason why it could not be loaded.
        """
        if name in self._loaded:
            return self._loaded[name]
        state = self._states.get(name)
        problem = state.problem if state else f"the project has no program {name!r}"
        raise ProgramError(problem, program=name)

    def load_all(self) -> None:
        """Load every program of the project."""
        self.close()
        for settings in self._workspace.project.programs:
            self._put(settings)
        self.publish()

    def load(self, path: str, name: str) -> ProgramState:
        """Load a DFP into the project, replacing the program of that name."""
        workspace = self._workspace
        file = workspace.resolve(path)
        name = name or file.stem
        self._refuse_while_used(name, "replaced")
        dfp = Dfp(file)
        settings = _settings(name, _shorten(file, workspace.folder))
        others = [p for p in workspace.project.programs if p.name != name]
        workspace.edit(msgspec.structs.replace(workspace.project, programs=(*others, settings)))
        state = self._keep(name, dfp, settings)
        self.publish()
        log.info("loaded program %s", name)
        return state

    def unload(self, name: str) -> None:
        """Take a program out of the project; refused while a stream uses it."""
        workspace = self._workspace
        users = [s.name for s in workspace.project.streams if s.program == name]
        if users:
            raise BusyError(
                f"program {name!r} is used by {', '.join(users)}; give them another program first"
            )
        if name not in self._states:
            raise InvalidArgumentError(f"the project has no program {name!r}")
        rest = tuple(p for p in workspace.project.programs if p.name != name)
        workspace.edit(msgspec.structs.replace(workspace.project, programs=rest))
        self._states.pop(name)
        loaded = self._loaded.pop(name, None)
        if loaded is not None:
            loaded.close()
        self.publish()

    def inspect(self, path: str) -> ProgramState:
        """Describe a DFP file without taking it into the project."""
        return describe(Dfp(self._workspace.resolve(path)))

    def forget_sessions(self) -> None:
        """Let every program be loaded again at its next use."""
        for program in self._loaded.values():
            program.forget_session()

    def publish(self) -> None:
        """Tell clients about the programs."""
        self._workspace.store.set(programs=tuple(self._states.values()))

    def close(self) -> None:
        """Release all sessions."""
        for program in self._loaded.values():
            program.close()
        self._loaded.clear()
        self._states.clear()

    def _put(self, settings: ProgramSettings) -> None:
        file = self._workspace.resolve(settings.path)
        try:
            self._keep(settings.name, Dfp(file), settings)
        except EngineError as error:
            log.error("program %s: %s", settings.name, error)
            self._states[settings.name] = ProgramState(
                name=settings.name, path=settings.path, problem=str(error)
            )

    def _keep(self, name: str, dfp: Dfp, settings: ProgramSettings) -> ProgramState:
        old = self._loaded.get(name)
        if old is not None:
            old.close()
        wished_key = "" if dfp.tuned is None else dfp.tuned.plugin
        choose = partial(self._workspace.choose_plugin, wished_key)
        self._loaded[name] = LoadedProgram(name, dfp, choose)
        state = msgspec.structs.replace(describe(dfp), name=name, path=settings.path)
        self._states[name] = state
        return state

    def _refuse_while_used(self, name: str, what: str) -> None:
        active = [stream.settings for stream in self._workspace.streams.active()]
        running = [settings.name for settings in active if settings.program == name]
        if running:
            raise BusyError(
                f"program {name!r} cannot be {what} while {', '.join(running)} runs; stop it first"
            )


def _settings(name: str, path: str) -> ProgramSettings:
    try:
        return ProgramSettings(name, path)
    except ValueError as error:
        raise InvalidArgumentError(f"{error}; give another name") from error


def _shorten(file: Path, folder: Path) -> str:
    try:
        return str(file.relative_to(folder))
    except ValueError:
        return str(file)
