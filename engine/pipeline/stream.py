"""A stream: starts its driver, carries frames, restarts after a death, stops within a second."""

import logging
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass

import msgspec

from engine.config import ParameterValue, Policy, StreamSettings
from engine.drivers import DriverEntry, DriverProcess
from engine.errors import (
    ConfigError,
    DriverNotFoundError,
    EngineError,
    EngineTimeoutError,
    InvalidArgumentError,
    MediaError,
    PluginError,
    ProgramError,
)
from engine.lanes import DeviceLanes, LaneChannel
from engine.pipeline.figures import StreamStatistics
from engine.pipeline.flight import Flight
from engine.pipeline.phases import next_phase
from engine.pipeline.post import Postprocessor, make_postprocessor
from engine.pipeline.pre import Preprocessor
from engine.pipeline.preview import PreviewWriter
from engine.pipeline.programs import LoadedProgram
from engine.pipeline.restarts import RestartPolicy
from engine.pipeline.session import SPARE_SLOTS, Machinery, SessionEnd, StreamSession
from engine.plugins import Session
from engine.process import WakePipe
from engine.protocol import FrameFormat, Result, StreamPhase, StreamState

__all__ = ("Stream", "StreamParts")

log = logging.getLogger(__name__)

_DRIVER_GRACE_S = 0.4
"""Time for a driver to close its source; a hung one is gone half a second later."""


@dataclass(frozen=True, slots=True)
class StreamParts:
    """What a stream is built from; owned by the workspace.

    Attributes
    ----------
    parameters : the driver's parameters with paths already resolved.
    on_change : called from the stream's threads with its new state.
    on_result : called from the stream's result thread with every result.
    """

    settings: StreamSettings
    program: LoadedProgram
    driver: DriverEntry
    parameters: dict[str, ParameterValue]
    lanes: DeviceLanes
    on_change: Callable[[StreamState], None]
    on_result: Callable[[Result], None]


class Stream:
    """One run of a stream, from `start` until it has stopped; a new run is a new object."""

    def __init__(self, parts: StreamParts) -> None:
        self._parts = parts
        self.settings = parts.settings
        self.statistics = StreamStatistics(parts.settings.name)
        self.preview = PreviewWriter(parts.settings.name)
        self._restarts = RestartPolicy()
        self._lock = threading.Lock()
        self._state = StreamState(
            name=parts.settings.name, task=parts.program.model.task, since_ns=time.monotonic_ns()
        )
        self._wake = WakePipe()
        self._stop_asked = threading.Event()
        self._session: StreamSession | None = None
        self._driver: DriverProcess | None = None
        self._thread = threading.Thread(target=self._run, name=f"stream-{parts.settings.name}")

    @property
    def state(self) -> StreamState:
        """The newest state."""
        with self._lock:
            return self._state

    def start(self) -> None:
        """Begin; returns at once."""
        self._move("start")
        self._thread.start()

    def ask_to_stop(self) -> None:
        """Ask the stream to stop; returns at once."""
        if self._thread.ident is None:
            return
        self._stop_asked.set()
        with self._lock:
            session, driver = self._session, self._driver
        if session is not None:
            session.stop()
        elif driver is not None:
            driver.stop(grace_s=0.0)

    def join(self, deadline_s: float) -> None:
        """Wait until the stream has stopped.

        Raises
        ------
        EngineTimeoutError
            When it has not stopped after `deadline_s` seconds.
        """
        if self._thread.ident is None:
            return
        self._thread.join(deadline_s)
        if self._thread.is_alive():
            raise EngineTimeoutError(
                f"stream {self.settings.name!r} did not stop within {deadline_s:g} s",
                stream=self.settings.name,
            )

    def change_threshold(self, threshold: float | None) -> None:
        """Use another threshold from the next result on, without a restart; None is the program's.

        Called by the control thread.
        """
        self.settings = msgspec.structs.replace(self.settings, threshold=threshold)
        with self._lock:
            session = self._session
        if session is not None:
            session.use_post(self._postprocessor())

    def watch(self, is_watched: bool, width: int, height: int) -> None:
        """Begin or end writing preview pictures of at most that size in pixels."""
        self.preview.watch(is_watched, width, height)
        self._publish(preview=self.preview.place)

    def _run(self) -> None:
        try:
            self._run_until_over()
        except Exception as error:
            # Outermost function of the thread: the stream fails, the engine goes on.
            log.exception("stream failed", extra={"stream": self.settings.name})
            message = f"stream {self.settings.name!r} failed: {error}"
            self._move("give_up", message=message, error_code="bug")
        finally:
            self.preview.close()
            self._publish(driver_pid=0, preview=None)
            self._wake.close()

    def _run_until_over(self) -> None:
        while True:
            end = self._run_once()
            if self._stop_asked.is_set():
                self._move("stop")
                self._move("stopped")
                return
            if end.is_finished:
                self._move("source_ended", message="the source has ended")
                log.info("the source has ended", extra={"stream": self.settings.name})
                return
            if not self._may_restart(end.error):
                return

    def _may_restart(self, error: EngineError | None) -> bool:
        """Wait for the next start; False when the stream is over."""
        reason = str(error) if error is not None else "the driver ended"
        delay_s = None if _is_final(error) else self._restarts.died(time.monotonic())
        if delay_s is None:
            log.error("%s", reason, extra={"stream": self.settings.name})
            self._move("give_up", message=reason, error_code=error.code if error else "")
            return False
        log.warning(
            "%s; starting it again in %.2g s", reason, delay_s, extra={"stream": self.settings.name}
        )
        self._move("driver_died", message=reason)
        if self._stop_asked.wait(delay_s):
            self._move("stop")
            self._move("stopped")
            return False
        self._move("start_again", message=reason)
        return True

    def _run_once(self) -> SessionEnd:
        """Live through one driver process."""
        program = self._parts.program
        try:
            model_session = program.session()
            driver = DriverProcess(
                self._parts.driver,
                self._parts.parameters,
                stream=self.settings.name,
                slots=self.settings.queue_depth + SPARE_SLOTS,
                hold_back=self.settings.policy is Policy.BLOCK,
            )
        except EngineError as error:
            return SessionEnd(error)
        with self._lock:
            self._driver = driver
        try:
            return self._carry(driver, model_session)
        except EngineError as error:
            return SessionEnd(error)
        finally:
            with self._lock:
                self._driver = None
            driver.stop(grace_s=_DRIVER_GRACE_S)

    def _carry(self, driver: DriverProcess, model_session: Session) -> SessionEnd:
        if self._stop_asked.is_set():
            return SessionEnd()
        frame_format = driver.start()
        channel = self._parts.lanes.open_channel(
            model_session, name=self.settings.name, depth=self.settings.queue_depth
        )
        try:
            session = StreamSession(self._machinery(driver, frame_format, channel), self._wake)
            with self._lock:
                self._session = session
            if self._stop_asked.is_set():
                session.stop()
            self._restarts.started(time.monotonic())
            self._move("opened", frame_format=frame_format, driver_pid=driver.pid)
            log.info("running", extra={"stream": self.settings.name})
            return session.run()
        finally:
            with self._lock:
                self._session = None
            channel.close()

    def _machinery(
        self, driver: DriverProcess, frame_format: FrameFormat, channel: LaneChannel
    ) -> Machinery:
        model = self._parts.program.model

        def deliver(flight: Flight, result: Result, durations_ns: tuple[int, ...]) -> None:
            self.statistics.frame_out(result, durations_ns)
            self._parts.on_result(result)
            self.preview.write(flight.frame, frame_format, result)

        return Machinery(
            settings=self.settings,
            driver=driver,
            frame_format=frame_format,
            channel=channel,
            pre=Preprocessor(model.pre, model.inputs[0], frame_format),
            post=self._postprocessor(),
            deliver=deliver,
            count_in=self.statistics.frames_in,
            count_dropped=self.statistics.counters.dropped,
        )

    def _postprocessor(self) -> Postprocessor:
        model = self._parts.program.model
        settings = model.post
        if self.settings.threshold is not None:
            settings = msgspec.structs.replace(settings, threshold=self.settings.threshold)
        return make_postprocessor(model.task, settings, model.outputs, model.labels)

    def _move(self, event: str, **changes: object) -> None:
        with self._lock:
            phase = next_phase(self._state.phase, event)
        changes = {"message": "", "error_code": "", **changes}
        if phase is StreamPhase.RUNNING:
            changes["restarts"] = self._restarts.restarts
        self._publish(phase=phase, since_ns=time.monotonic_ns(), **changes)

    def _publish(self, **changes: object) -> None:
        with self._lock:
            self._state = msgspec.structs.replace(self._state, **changes)
            state = self._state
        self._parts.on_change(state)


def _is_final(error: EngineError | None) -> bool:
    """Tell whether starting again cannot help: the settings are wrong, not the driver's luck."""
    final = (
        ConfigError,
        DriverNotFoundError,
        InvalidArgumentError,
        MediaError,
        PluginError,
        ProgramError,
    )
    return isinstance(error, final)
