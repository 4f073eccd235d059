"""What the engine works on: project, license, plugins, drivers, programs and streams.

Everything here runs in the control thread, one command after the other; streams report from their
own threads through the store.
"""

import datetime
import logging
import os
import threading
from pathlib import Path

import cv2
import msgspec

from engine.config import EngineSettings, Project, load_project, save_project
from engine.drivers import DriverCatalog
from engine.errors import ConfigError, EngineError, LicenseError, OutputError
from engine.lanes import DeviceLanes
from engine.license import license_state, load_license_file, read_license
from engine.pipeline import Recorder, make_report
from engine.plugins import PluginRegistry, ProcessingPlugin, find_devices
from engine.plugins.device_list import choice_of_user, find_named
from engine.protocol import EnginePhase, LicenseState, RecorderState, Report, Result
from engine.service.device_search import DeviceSearch
from engine.service.programs import ProgramShelf
from engine.service.store import StateStore
from engine.service.streams import StreamDesk

__all__ = ("Workspace",)

log = logging.getLogger(__name__)

_PROBE_WAIT_S = 15.0


class Workspace:
    """Owns everything a project needs while it is open."""

    def __init__(self, store: StateStore) -> None:
        # The lanes and streams are the threads; OpenCV's own would only get in their way.
        cv2.setNumThreads(1)
        self.store = store
        self.project = Project()
        self.project_path: Path | None = None
        self.folder = Path.cwd()
        self.lanes = DeviceLanes(0)
        self.registry = PluginRegistry()
        self.recorder: Recorder | None = None
        self._recorder_problem = ""
        self._started = datetime.datetime.now(datetime.UTC)
        self._probed = threading.Event()
        self._probe_thread: threading.Thread | None = None
        self.catalog = DriverCatalog([])
        self.devices = DeviceSearch(store)
        self.programs = ProgramShelf(self)
        self.streams = StreamDesk(self)
        store.change_engine(
            pid=os.getpid(),
            cpu_count=os.cpu_count() or 1,
            lanes=self.lanes.count,
        )
        self.probe_plugins()
        self.use_project(Project(), None)

    def close(self) -> None:
        """Stop everything. Safe to call twice."""
        self.streams.stop_all()
        self.set_recording(is_recording=False)
        self.devices.close()
        self.lanes.close()
        self.programs.close()
        if self._probe_thread is not None:
            self._probe_thread.join(_PROBE_WAIT_S)

    # -- project ---------------------------------------------------------------------------

    def load_project(self, path: str) -> None:
        """Stop what runs and open a project file."""
        file = Path(path).expanduser().resolve()
        project = load_project(file)
        self.use_project(project, file)
        log.info("opened project %s", file.name)

    def use_project(self, project: Project, file: Path | None, folder: str = "") -> None:
        """Stop what runs and work on `project`; relative paths count from the file's folder."""
        self.streams.stop_all()
        self.set_recording(is_recording=False)
        self.project = project
        self.project_path = file
        self.folder = file.parent if file is not None else Path(folder or Path.cwd())
        self._started = datetime.datetime.now(datetime.UTC)
        self._recorder_problem = ""
        self.store.set(project=project)
        self.store.change_engine(message="")
        self._apply_engine_settings(project.engine)
        self.programs.load_all()
        self.streams.list_all()
        self.store.change_engine(
            project_path=str(file or ""), is_modified=False, phase=EnginePhase.IDLE
        )
        self.publish_recorder()

    def save_project(self, path: str) -> None:
        """Write the project file."""
        file = Path(path).expanduser().resolve() if path else self.project_path
        if file is None:
            raise ConfigError("the project has no file yet; choose where to save it")
        project = self.project if file.parent == self.folder else self._with_absolute_paths()
        save_project(project, file)
        self.project, self.project_path, self.folder = project, file, file.parent
        self.store.set(project=project)
        self.store.change_engine(project_path=str(file), is_modified=False)

    def edit(self, project: Project) -> None:
        """Work on a changed project from now on."""
        self.project = project
        self.store.set(project=project)
        self.store.change_engine(is_modified=True)

    def edit_engine(self, **changes: object) -> None:
        """Change fields of the project's engine settings."""
        try:
            settings = msgspec.structs.replace(self.project.engine, **changes)
        except ValueError as error:
            raise ConfigError(str(error), path="engine") from error
        self.edit(msgspec.structs.replace(self.project, engine=settings))

    def resolve(self, path: str) -> Path:
        """Return a path of the project as an absolute one."""
        return (self.folder / Path(path).expanduser()).resolve()

    def _with_absolute_paths(self) -> Project:
        programs = tuple(
            msgspec.structs.replace(program, path=str(self.resolve(program.path)))
            for program in self.project.programs
        )
        streams = tuple(
            msgspec.structs.replace(stream, source=dict(self.streams.resolved_source(stream)))
            for stream in self.project.streams
        )
        return msgspec.structs.replace(self.project, programs=programs, streams=streams)

    def _apply_engine_settings(self, settings: EngineSettings) -> None:
        self.lanes.set_count(settings.lanes or (os.cpu_count() or 1))
        self.store.change_engine(lanes=self.lanes.count)
        for plugin in self.registry.states():
            self.registry.set_enabled(plugin.key, plugin.key not in settings.disabled_plugins)
        self.publish_plugins()
        self._use_drivers(settings.driver_directories)
        self._use_license(settings.license)

    # -- license ---------------------------------------------------------------------------

    def load_license(self, path: str) -> None:
        """Use a license file; an invalid one is refused and the one in use stays."""
        if path:
            file = Path(path).expanduser().resolve()
            read_license(load_license_file(file), what=f"license file {file}")
        self.edit_engine(license=path)
        self._use_license(path)

    def _use_license(self, path: str) -> None:
        if not path:
            self.store.set(license=license_state(None))
            return
        file = self.resolve(path)
        try:
            self.store.set(license=license_state(load_license_file(file), str(file)))
        except LicenseError as error:
            self.store.set(license=LicenseState(problem=str(error), path=str(file)))

    # -- plugins ---------------------------------------------------------------------------

    def probe_plugins(self) -> None:
        """Probe all plugins, each in a child process, without waiting."""
        if self._probe_thread is not None and self._probe_thread.is_alive():
            return
        self._probed.clear()
        self._probe_thread = threading.Thread(target=self._probe, name="plugin-probe")
        self._probe_thread.start()
        self.publish_plugins()

    def set_plugin_enabled(self, key: str, *, is_enabled: bool) -> None:
        """Enable or disable a plugin for streams that start afterwards."""
        self.registry.set_enabled(key, is_enabled)
        disabled = {p.key for p in self.registry.states() if not p.is_enabled}
        self.edit_engine(disabled_plugins=tuple(sorted(disabled)))
        self.programs.forget_sessions()
        self.publish_plugins()

    def choose_plugin(self, wished_key: str = "") -> ProcessingPlugin:
        """Return the device to execute programs on; called by streams, waits for the probes.

        Parameters
        ----------
        wished_key : what a program was tuned for; counts where the project names no plugin.
        """
        self._probed.wait(_PROBE_WAIT_S)
        if self.project.engine.plugin:
            return find_named(self.registry, self.project.engine.plugin)
        if wished_key and not choice_of_user():
            return self.registry.choose_or_best(wished_key)
        return find_devices(self.registry, [0])[0]

    def publish_plugins(self) -> None:
        """Tell clients about the plugins."""
        self.store.set(plugins=self.registry.states())

    def _probe(self) -> None:
        try:
            self.registry.probe_all()
        finally:
            self._probed.set()
            self.publish_plugins()

    # -- drivers and lanes -----------------------------------------------------------------

    def set_driver_folders(self, folders: tuple[str, ...]) -> None:
        """Look for drivers in these folders besides the built-in ones."""
        catalog = DriverCatalog([self.resolve(folder) for folder in folders])
        self.catalog = catalog
        self.edit_engine(driver_directories=folders)
        self.store.set(drivers=catalog.states())

    def set_lanes(self, lanes: int) -> None:
        """Set the number of lanes; 0 is one per core."""
        self.edit_engine(lanes=lanes)
        self.lanes.set_count(lanes or (os.cpu_count() or 1))
        self.store.change_engine(lanes=self.lanes.count)

    def _use_drivers(self, folders: tuple[str, ...]) -> None:
        problem = ""
        try:
            self.catalog = DriverCatalog([self.resolve(folder) for folder in folders])
        except EngineError as error:
            self.catalog = DriverCatalog([])
            problem = str(error)
            log.warning("%s", problem)
        self.store.set(drivers=self.catalog.states())
        if problem:
            self.store.change_engine(message=problem)

    # -- recording and report --------------------------------------------------------------

    def set_recording(self, *, is_recording: bool, directory: str = "") -> None:
        """Begin or end recording."""
        recorder, self.recorder = self.recorder, None
        if recorder is not None:
            recorder.close()
            self._recorder_problem = recorder.state().problem
        if directory and directory != self.project.recorder.directory:
            settings = msgspec.structs.replace(self.project.recorder, directory=directory)
            self.edit(msgspec.structs.replace(self.project, recorder=settings))
        if is_recording:
            folder = self.resolve(self.project.recorder.directory)
            try:
                self.recorder = Recorder(folder, self._recording_failed)
            except OutputError as error:
                self._recorder_problem = str(error)
                self.publish_recorder()
                raise
            self._recorder_problem = ""
        self.publish_recorder()

    def start_project_recording(self) -> None:
        """Begin recording when the project wants it; a problem is told but stops nothing."""
        if self.project.recorder.enabled and self.recorder is None:
            try:
                self.set_recording(is_recording=True)
            except OutputError as error:
                log.warning("%s", error)

    def record(self, result: Result) -> None:
        """Record a result when recording is on; called by result threads."""
        recorder = self.recorder
        if recorder is not None:
            recorder.put(result)

    def publish_recorder(self) -> None:
        """Tell clients about the recording."""
        recorder = self.recorder
        if recorder is not None:
            self.store.set(recorder=recorder.state())
            return
        folder = str(self.resolve(self.project.recorder.directory))
        self.store.set(recorder=RecorderState(directory=folder, problem=self._recorder_problem))

    def report(self) -> Report:
        """Describe the run so far."""
        recorder = self.recorder
        return make_report(
            self.project.name,
            self._started,
            self.streams.reports(),
            plugins={p.key: p.availability.value for p in self.registry.states()},
            lanes=self.lanes.count,
            recorder_problem=recorder.state().problem if recorder else self._recorder_problem,
        )

    def run_started(self) -> None:
        """Note when the run began."""
        self._started = datetime.datetime.now(datetime.UTC)

    def _recording_failed(self, problem: str) -> None:
        self._recorder_problem = problem
        self.publish_recorder()
