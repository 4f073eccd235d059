"""The number of device lanes: threads that execute programs."""

from engine.protocol import SetLanes, Telemetry
from ui.bridge.protocols import EngineControl
from ui.viewmodels.base import ViewModel

__all__ = ("ThreadsViewModel",)


class ThreadsViewModel(ViewModel):
    """Lanes asked for, lanes in use, and how busy they are."""

    def __init__(self, control: EngineControl) -> None:
        super().__init__(control)
        self.problem = ""
        self.busy: float | None = None

    @property
    def lanes(self) -> int:
        """Lanes the project asks for; 0 is one per core."""
        wanted = self.wanted("lanes")
        return wanted if isinstance(wanted, int) else self.snapshot.project.engine.lanes

    @property
    def lanes_in_use(self) -> int:
        """Lanes the engine has."""
        return self.snapshot.engine.lanes

    @property
    def cpu_count(self) -> int:
        """Processor cores of the engine's machine."""
        return self.snapshot.engine.cpu_count

    @property
    def limit(self) -> int:
        """Most lanes that make sense here."""
        return max(2, 2 * self.cpu_count)

    @property
    def busy_text(self) -> str:
        """How busy the lanes are, in percent."""
        return "\u2013" if self.busy is None else f"{self.busy * 100:.0f} %"

    @property
    def verdict(self) -> str:
        """What the busy figure means, in one sentence."""
        if self.busy is None:
            return "Run the project to see how busy the lanes are."
        if self.busy > 0.9 and self.lanes_in_use < self.cpu_count:
            return "The lanes are the limit; more of them may help."
        if self.busy > 0.9:
            return "The processor is the limit; lower rates or lighter programs help."
        return "The lanes keep up."

    def set_telemetry(self, telemetry: Telemetry) -> None:
        """Take over the newest figures."""
        self.busy = telemetry.lanes_busy if telemetry.streams else None
        self.tell()

    def set_lanes(self, lanes: int) -> None:
        """Use that many lanes; takes effect at once. A wrong number becomes `problem`."""
        if not 0 <= lanes <= self.limit:
            self.problem = f"Choose 1 to {self.limit} lanes, or 0 for one per core."
            self.tell()
            return
        self.problem = ""
        if lanes == self.lanes:
            self.tell()
            return
        self.want("lanes", lanes, SetLanes(lanes))
