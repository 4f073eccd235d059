"""The list of streams: what each row says, and what its buttons do."""

from dataclasses import dataclass

from engine.config import StreamSettings, needs_restart
from engine.protocol import (
    AddStream,
    Answer,
    DriverState,
    FindDevices,
    FrameKind,
    RemoveStream,
    SetStreamEnabled,
    Snapshot,
    StartStream,
    StopStream,
    StreamPhase,
    StreamState,
    Telemetry,
    UpdateStream,
)
from ui.bridge.protocols import EngineControl
from ui.viewmodels.base import ViewModel
from ui.viewmodels.formats import format_rate
from ui.viewmodels.states import Sign, stream_sign
from ui.viewmodels.stream_form import (
    DEVICE_PARAMETER,
    StreamDraft,
    draft_of,
    new_draft,
    problems_of,
)

__all__ = ("StreamRow", "StreamsViewModel")

_ACTIVE = (
    StreamPhase.STARTING,
    StreamPhase.RUNNING,
    StreamPhase.RESTARTING,
    StreamPhase.STOPPING,
)


@dataclass(frozen=True)
class StreamRow:
    """One stream as the list shows it."""

    name: str
    sign: Sign
    rate: str
    detail: str
    is_enabled: bool
    is_active: bool
    is_stopping: bool


class StreamsViewModel(ViewModel):
    """Streams of the project, the one that is edited, and what was removed last."""

    def __init__(self, control: EngineControl) -> None:
        super().__init__(control)
        self.telemetry: Telemetry | None = None
        self.selected = ""
        self.draft: StreamDraft | None = None
        self.problems: dict[str, str] = {}
        self.removed: StreamSettings | None = None
        self._removed_ran = False

    @property
    def rows(self) -> tuple[StreamRow, ...]:
        """All streams in the project's order."""
        return tuple(self._row(settings) for settings in self.snapshot.project.streams)

    @property
    def is_new(self) -> bool:
        """Whether the form is for a stream that does not exist yet."""
        return self.draft is not None and not self.selected

    @property
    def is_changed(self) -> bool:
        """Whether the form differs from the stream's settings."""
        before = self.settings_of(self.selected)
        return self.draft is not None and (before is None or self._settings(before) != before)

    @property
    def will_restart(self) -> bool:
        """Whether applying the form restarts a running stream."""
        before = self.settings_of(self.selected)
        if self.draft is None or before is None or not self._is_active(before.name):
            return False
        after = self._settings(before)
        return after is not None and needs_restart(before, after)

    @property
    def program_names(self) -> tuple[str, ...]:
        """Programs a stream can use."""
        return tuple(program.name for program in self.snapshot.project.programs)

    @property
    def driver(self) -> DriverState | None:
        """The driver chosen in the form."""
        name = self.draft.driver if self.draft is not None else ""
        return next((driver for driver in self.snapshot.drivers if driver.name == name), None)

    @property
    def program_threshold(self) -> float:
        """The threshold the chosen program brings along."""
        name = self.draft.program if self.draft is not None else ""
        return next((p.post.threshold for p in self.snapshot.programs if p.name == name), 0.5)

    def settings_of(self, name: str) -> StreamSettings | None:
        """Return the settings of a stream, None when there is none of that name."""
        return next((s for s in self.snapshot.project.streams if s.name == name), None)

    def set_snapshot(self, snapshot: Snapshot) -> None:
        """Take over the newest state; an untouched form follows it."""
        follows = self.draft is not None and not self.is_new and not self.is_changed
        if self.selected and all(s.name != self.selected for s in snapshot.project.streams):
            self.selected, self.draft, self.problems = "", None, {}
        elif follows:
            settings = next(s for s in snapshot.project.streams if s.name == self.selected)
            self.draft = draft_of(settings)
        super().set_snapshot(snapshot)

    def set_telemetry(self, telemetry: Telemetry | None) -> None:
        """Take over the newest figures."""
        self.telemetry = telemetry

    def select(self, name: str) -> None:
        """Show the form of a stream; an empty name closes it."""
        settings = self.settings_of(name)
        self.selected = name if settings is not None else ""
        self.draft = draft_of(settings) if settings is not None else None
        self.problems, self.message = {}, ""
        self._find_devices("")
        self.tell()

    def begin_new(self) -> None:
        """Show an empty form for a stream to add."""
        self.selected = ""
        self.draft = new_draft(self.snapshot)
        self.problems, self.message = {}, ""
        self._find_devices("")
        self.tell()

    def edit(self, draft: StreamDraft) -> None:
        """Take over what was typed; only fields that were refused before are checked again."""
        before = self.draft.driver if self.draft is not None else ""
        self.draft = draft
        self._find_devices(before)
        if self.problems:
            found = self._find_problems(draft)
            self.problems = {k: v for k, v in found.items() if k in self.problems}
        self.tell()

    def revert(self) -> None:
        """Forget what was typed."""
        self.select(self.selected)

    def apply(self) -> bool:
        """Send the form; False when a field is wrong (see `problems`)."""
        draft = self.draft
        if draft is None:
            return False
        before = self.settings_of(self.selected)
        self.problems = self._find_problems(draft)
        if self.problems:
            self.tell()
            return False
        settings = draft.settings(self.driver, before)
        self.draft = draft_of(settings)
        if before is None:
            self.ask(AddStream(settings), lambda _: self._on_added(settings.name))
        else:
            self.ask(
                UpdateStream(before.name, settings),
                lambda _: self._on_updated(before.name, settings.name),
            )
        return True

    def remove(self, name: str) -> None:
        """Take a stream out of the project; `undo_remove` brings it back."""
        settings = self.settings_of(name)
        if settings is None:
            return
        ran = self._is_active(name)

        def on_removed(answer: Answer) -> None:
            del answer
            self.removed, self._removed_ran = settings, ran

        self.ask(RemoveStream(name), on_removed)

    def undo_remove(self) -> None:
        """Add the stream that was removed last, and start it when it ran."""
        settings, self.removed = self.removed, None
        if settings is None:
            return
        ran = self._removed_ran

        def on_added(answer: Answer) -> None:
            del answer
            if ran:
                self.ask(StartStream(settings.name))

        self.ask(AddStream(settings), on_added)

    def forget_removed(self) -> None:
        """Stop offering to bring the removed stream back."""
        self.removed = None
        self.tell()

    def set_enabled(self, name: str, is_enabled: bool) -> None:
        """Turn a stream on or off."""
        self.want(f"enabled {name}", is_enabled, SetStreamEnabled(name, is_enabled))

    def start_or_stop(self, name: str) -> None:
        """Start a stream that stands, stop one that runs."""
        is_active = self._is_active(name)
        command = StopStream(name) if is_active else StartStream(name)
        self.want(f"active {name}", not is_active, command)

    def _find_devices(self, driver_before: str) -> None:
        """Have the engine look for devices of the driver that was chosen, if it can tell any."""
        driver = self.driver
        if driver is None or driver.problem or driver.name == driver_before:
            return
        if any(one.name == DEVICE_PARAMETER for one in driver.parameters):
            self._control.ask(FindDevices(driver.name))

    def _on_added(self, name: str) -> None:
        if not self.selected:
            self.selected = name

    def _on_updated(self, old: str, new: str) -> None:
        if self.selected == old:
            self.selected = new

    def _settings(self, before: StreamSettings) -> StreamSettings | None:
        if self.draft is None or self._find_problems(self.draft):
            return None
        return self.draft.settings(self.driver, before)

    def _find_problems(self, draft: StreamDraft) -> dict[str, str]:
        return problems_of(draft, self.snapshot, before=self.settings_of(self.selected))

    def _state(self, name: str) -> StreamState:
        found = (state for state in self.snapshot.streams if state.name == name)
        return next(found, StreamState(name))

    def _is_active(self, name: str) -> bool:
        return self._state(name).phase in _ACTIVE

    def _row(self, settings: StreamSettings) -> StreamRow:
        state = self._state(settings.name)
        phase = state.phase
        active = self.wanted(f"active {settings.name}")
        if active is not None and active != (phase in _ACTIVE):
            phase = StreamPhase.STARTING if active else StreamPhase.STOPPING
        enabled = self.wanted(f"enabled {settings.name}")
        sign = stream_sign(phase)
        detail = state.message or f"{settings.driver} \u2192 {settings.program}"
        return StreamRow(
            name=settings.name,
            sign=sign,
            rate=self._rate(state) if phase is StreamPhase.RUNNING else "",
            detail=detail,
            is_enabled=settings.enabled if enabled is None else bool(enabled),
            is_active=phase in _ACTIVE,
            is_stopping=phase is StreamPhase.STOPPING,
        )

    def _rate(self, state: StreamState) -> str:
        if self.telemetry is None:
            return ""
        is_line = state.frame_format is not None and state.frame_format.kind is FrameKind.LINE
        rates = (s.rate_out_hz for s in self.telemetry.streams if s.name == state.name)
        rate = next(rates, None)
        return "" if rate is None else format_rate(rate, is_line=is_line)
