"""The form of one stream: what is in it, what is wrong with it, and what applying it costs."""

from dataclasses import dataclass, field, replace

import msgspec

from engine.config import ParameterValue, Policy, StreamSettings
from engine.protocol import DriverParameter, DriverState, Snapshot
from ui.viewmodels.parameters import changed_values, check_value

__all__ = (
    "DEVICE_PARAMETER",
    "POLICIES",
    "StreamDraft",
    "draft_of",
    "form_parameters",
    "new_draft",
    "problems_of",
)

DEVICE_PARAMETER = "device"
"""The parameter that takes the id of one of a driver's devices."""

POLICIES = (
    (Policy.LATEST, "Newest only", "Keep only the newest waiting frame, drop older ones"),
    (Policy.EVERY, "Every frame", "Queue every frame, drop new ones when the queue is full"),
    (Policy.BLOCK, "Hold the source", "Make the source wait, drop nothing"),
)

QUEUE_DEPTH_LIMIT = 64


@dataclass(frozen=True)
class StreamDraft:
    """What stands in the form; numbers may be out of range until `problems_of` is empty."""

    name: str
    program: str
    driver: str
    values: dict[str, ParameterValue] = field(default_factory=dict)
    policy: Policy = Policy.LATEST
    queue_depth: int = 3
    threshold: float | None = None

    def with_driver(self, driver: str) -> "StreamDraft":
        """Return the draft for another driver; values of the old one do not fit it."""
        return self if driver == self.driver else replace(self, driver=driver, values={})

    def settings(self, driver: DriverState | None, before: StreamSettings | None) -> StreamSettings:
        """Return the draft as settings; values equal to the driver's defaults are left out."""
        known = before.source if before is not None and before.driver == self.driver else {}
        source = dict(known)
        if driver is not None:
            source |= changed_values(driver.parameters, self.values, known)
        return StreamSettings(
            name=self.name.strip(),
            program=self.program,
            driver=self.driver,
            source=source,
            enabled=before.enabled if before is not None else True,
            policy=self.policy,
            queue_depth=self.queue_depth,
            threshold=self.threshold,
        )


def draft_of(settings: StreamSettings) -> StreamDraft:
    """Return the form of an existing stream."""
    return StreamDraft(
        name=settings.name,
        program=settings.program,
        driver=settings.driver,
        values=dict(settings.source),
        policy=settings.policy,
        queue_depth=settings.queue_depth,
        threshold=settings.threshold,
    )


def new_draft(snapshot: Snapshot) -> StreamDraft:
    """Return the form of a stream that is to be added, with an unused name."""
    names = {stream.name for stream in snapshot.project.streams}
    number = next(n for n in range(1, len(names) + 2) if f"stream {n}" not in names)
    usable = [driver.name for driver in snapshot.drivers if not driver.problem]
    programs = [program.name for program in snapshot.project.programs]
    return StreamDraft(
        name=f"stream {number}",
        program=programs[0] if programs else "",
        driver=usable[0] if usable else "",
    )


def problems_of(
    draft: StreamDraft, snapshot: Snapshot, *, before: StreamSettings | None
) -> dict[str, str]:
    """Return a sentence per wrong field; driver parameters are named "source.<name>"."""
    found = {
        "name": _name_problem(draft, snapshot, before),
        "program": "" if draft.program else "Choose a program; open one under Programs first.",
        "driver": "" if draft.driver else "Choose a driver.",
        "queue_depth": ""
        if 1 <= draft.queue_depth <= QUEUE_DEPTH_LIMIT
        else f"Choose 1 to {QUEUE_DEPTH_LIMIT} frames.",
        "threshold": ""
        if draft.threshold is None or 0 <= draft.threshold <= 1
        else "Choose 0 to 1.",
    }
    for parameter in parameters_of(snapshot, draft.driver):
        value = draft.values.get(parameter.name, parameter.default)
        found[f"source.{parameter.name}"] = check_value(parameter, value)
    return {name: sentence for name, sentence in found.items() if sentence}


def parameters_of(snapshot: Snapshot, driver: str) -> tuple[DriverParameter, ...]:
    """Return the parameters of the driver with that name, none when it is not known."""
    return next((d.parameters for d in snapshot.drivers if d.name == driver), ())


def form_parameters(driver: DriverState | None) -> tuple[DriverParameter, ...]:
    """Return a driver's parameters for the form: devices that were found are suggested."""
    if driver is None:
        return ()
    found = tuple(one.device_id for one in driver.devices)
    return tuple(
        msgspec.structs.replace(one, choices=found)
        if one.name == DEVICE_PARAMETER and one.kind == "text"
        else one
        for one in driver.parameters
    )


def _name_problem(draft: StreamDraft, snapshot: Snapshot, before: StreamSettings | None) -> str:
    name = draft.name.strip()
    if not name or len(name) > 64 or not all(c.isalnum() or c in " ._-" for c in name):
        return "Use 1 to 64 letters, digits, blanks, dots, dashes or underscores."
    taken = {stream.name for stream in snapshot.project.streams}
    if before is not None:
        taken.discard(before.name)
    return f"There is a stream {name!r} already; choose another name." if name in taken else ""
