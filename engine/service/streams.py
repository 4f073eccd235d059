"""The streams of the project: start, stop, add, change, remove."""

import logging
from typing import TYPE_CHECKING

import msgspec

from engine.config import ParameterValue, StreamSettings, needs_restart
from engine.errors import (
    ConfigError,
    EngineError,
    EngineTimeoutError,
    LicenseError,
    StreamNotFoundError,
    WrongStateError,
)
from engine.license import require_device, require_within
from engine.pipeline import Stream, StreamParts, StreamStatistics, stream_report
from engine.protocol import EnginePhase, StreamPhase, StreamReport, StreamState

if TYPE_CHECKING:
    from engine.service.workspace import Workspace

__all__ = ("StreamDesk",)

log = logging.getLogger(__name__)

_STOP_S = 5.0
_DEVICES = ("device", "device_id")  # parameters of drivers that have several devices
_ACTIVE = {
    StreamPhase.STARTING,
    StreamPhase.RUNNING,
    StreamPhase.RESTARTING,
    StreamPhase.STOPPING,
}


class StreamDesk:
    """Streams by name. The dictionary is replaced, never changed: other threads read it."""

    def __init__(self, workspace: "Workspace") -> None:
        self._workspace = workspace
        self._streams: dict[str, Stream] = {}
        self._watched: dict[str, tuple[bool, int, int]] = {}

    def current(self) -> dict[str, Stream]:
        """Return the streams that run or have run, by name; from any thread."""
        return self._streams

    def active(self) -> list[Stream]:
        """Return the streams that are not over."""
        return [stream for stream in self._streams.values() if stream.state.phase in _ACTIVE]

    def reports(self) -> list[StreamReport]:
        """Describe every stream that runs, has run, or could not be started."""
        states = {state.name: state for state in self._workspace.store.snapshot.streams}
        reports = []
        for settings in self._workspace.project.streams:
            stream = self._streams.get(settings.name)
            state = states.get(settings.name, StreamState(settings.name))
            if stream is not None:
                reports.append(stream_report(settings, stream.state, stream.statistics))
            elif state.phase is StreamPhase.FAILED:
                reports.append(stream_report(settings, state, StreamStatistics(settings.name)))
        return reports

    def list_all(self) -> None:
        """Forget past runs and list the project's streams."""
        self._streams = {}
        self._publish_list()

    def start_all(self) -> None:
        """Start every enabled stream that does not run; those that cannot say why."""
        self._check_license()
        self._workspace.run_started()
        self._workspace.start_project_recording()
        for settings in self._workspace.project.streams:
            if settings.enabled and not self._is_active(settings.name):
                try:
                    self._start(settings)
                except EngineError as error:
                    self._refuse(settings, error)
        self._publish_phase()

    def start(self, name: str) -> None:
        """Start one stream."""
        settings = self.settings(name)
        if self._is_active(name):
            raise WrongStateError(f"stream {name!r} is running already")
        self._check_license()
        try:
            self._start(settings)
        except EngineError as error:
            self._refuse(settings, error)
            raise
        self._publish_phase()

    def stop_all(self) -> None:
        """Stop every stream and wait for all of them."""
        active = self.active()
        if active:
            self._workspace.store.change_engine(phase=EnginePhase.STOPPING)
        for stream in active:
            stream.ask_to_stop()
        self._join(active)
        self._publish_phase()

    def stop(self, name: str) -> None:
        """Stop one stream and wait for it."""
        self.settings(name)
        stream = self._streams.get(name)
        if stream is not None:
            stream.ask_to_stop()
            self._join([stream])
        self._publish_phase()

    def add(self, settings: StreamSettings) -> None:
        """Add a stream to the project."""
        self._edit((*self._workspace.project.streams, settings))

    def update(self, name: str, settings: StreamSettings) -> None:
        """Change a stream; it restarts only when the change needs it."""
        before = self.settings(name)
        streams = self._workspace.project.streams
        self._edit(tuple(settings if s.name == name else s for s in streams))
        stream = self._streams.get(name)
        if stream is None or not self._is_active(name) or before == settings:
            return
        if not needs_restart(before, settings):
            stream.change_threshold(settings.threshold)
            return
        stream.ask_to_stop()
        self._join([stream])
        if settings.name != name:
            self._streams = {k: v for k, v in self._streams.items() if k != name}
            self._publish_list()
        self.start(settings.name)

    def remove(self, name: str) -> None:
        """Stop a stream and take it out of the project."""
        self.stop(name)
        self._streams = {k: v for k, v in self._streams.items() if k != name}
        self._edit(tuple(s for s in self._workspace.project.streams if s.name != name))

    def set_enabled(self, name: str, *, is_enabled: bool) -> None:
        """Disable (stops the stream) or enable (starts it when others run)."""
        settings = msgspec.structs.replace(self.settings(name), enabled=is_enabled)
        streams = self._workspace.project.streams
        self._edit(tuple(settings if s.name == name else s for s in streams))
        if not is_enabled:
            self.stop(name)
        elif self.active() and not self._is_active(name):
            self.start(name)

    def watch(self, name: str, *, is_watched: bool, width: int, height: int) -> None:
        """Note who looks at a stream, also for its later runs."""
        self.settings(name)
        self._watched[name] = (is_watched, width, height)
        stream = self._streams.get(name)
        if stream is not None and stream.state.phase in _ACTIVE:
            stream.watch(is_watched, width, height)

    def settings(self, name: str) -> StreamSettings:
        """Return the settings of a stream of the project."""
        for settings in self._workspace.project.streams:
            if settings.name == name:
                return settings
        raise StreamNotFoundError(f"the project has no stream {name!r}", stream=name)

    def resolved_source(self, settings: StreamSettings) -> dict[str, ParameterValue]:
        """Return the source's parameters with paths made absolute."""
        source = dict(settings.source)
        try:
            parameters = self._workspace.catalog.get(settings.driver).parameters
        except EngineError:
            return source
        for parameter in parameters:
            value = source.get(parameter.name)
            if parameter.kind in ("path", "folder") and isinstance(value, str) and value:
                source[parameter.name] = str(self._workspace.resolve(value))
        return source

    def _start(self, settings: StreamSettings) -> None:
        workspace = self._workspace
        self._check_limits(settings)
        parts = StreamParts(
            settings=settings,
            program=workspace.programs.get(settings.program),
            driver=workspace.catalog.get(settings.driver),
            parameters=self.resolved_source(settings),
            lanes=workspace.lanes,
            on_change=self._stream_changed,
            on_result=workspace.record,
        )
        stream = Stream(parts)
        self._streams = {**self._streams, settings.name: stream}
        watched = self._watched.get(settings.name)
        if watched is not None:
            stream.watch(*watched)
        stream.start()

    def _refuse(self, settings: StreamSettings, error: EngineError) -> None:
        log.error("%s", error, extra={"stream": settings.name})
        state = StreamState(
            name=settings.name,
            phase=StreamPhase.FAILED,
            message=str(error),
            error_code=error.code,
        )
        self._workspace.store.set_stream(state)

    def _stream_changed(self, state: StreamState) -> None:
        """Take a stream's news; called from its threads."""
        self._workspace.store.set_stream(state)
        self._publish_phase()

    def _join(self, streams: list[Stream]) -> None:
        for stream in streams:
            try:
                stream.join(_STOP_S)
            except EngineTimeoutError as error:
                log.error("%s", error, extra={"stream": stream.settings.name})

    def _is_active(self, name: str) -> bool:
        stream = self._streams.get(name)
        return stream is not None and stream.state.phase in _ACTIVE

    def _edit(self, streams: tuple[StreamSettings, ...]) -> None:
        workspace = self._workspace
        try:
            project = msgspec.structs.replace(workspace.project, streams=streams)
        except ValueError as error:
            raise ConfigError(str(error), path="streams") from error
        workspace.edit(project)
        self._publish_list()

    def _publish_list(self) -> None:
        states = {s.name: s for s in self._workspace.store.snapshot.streams}
        self._workspace.store.set_streams(
            tuple(
                self._streams[s.name].state
                if s.name in self._streams
                else states.get(s.name, StreamState(name=s.name))
                for s in self._workspace.project.streams
            )
        )

    def _publish_phase(self) -> None:
        phases = {stream.state.phase for stream in self._streams.values()}
        phase = EnginePhase.RUNNING if phases & _ACTIVE else EnginePhase.IDLE
        self._workspace.store.change_engine(phase=phase)

    def _check_license(self) -> None:
        license_now = self._workspace.store.snapshot.license
        if not license_now.is_valid:
            raise LicenseError(
                f"nothing runs without a valid license: {license_now.problem}",
                path=license_now.path,
            )

    def _check_limits(self, settings: StreamSettings) -> None:
        """Refuse one stream more than the license allows, or with another driver or device."""
        terms = self._workspace.store.snapshot.license
        running = [stream.settings.driver for stream in self.active()]
        require_within(terms, "streams", len(running) + 1)
        require_within(terms, "drivers", len({*running, settings.driver}))
        device = next((settings.source[name] for name in _DEVICES if name in settings.source), "")
        require_device(terms, settings.driver, str(device))
