"""What a worker writes down when it gives up, and the error the consumer gets for it."""

import traceback

import msgspec

from engine.errors import EngineError, RemoteError, WireError, from_wire, to_wire

__all__ = ("Report", "WorkerTraceback", "report_of")

_MAX_TRACEBACK = 32_000
_MAX_TEXT = 8_000


class WorkerTraceback(Exception):  # noqa: N818 - it is no error but the story of one
    """The traceback of an exception in a worker process, as text; the ``__cause__`` of errors."""

    def __str__(self) -> str:
        return f"\n{self.args[0]}" if self.args else ""


class Report(msgspec.Struct, frozen=True):
    """The end of a worker, in words.

    Attributes
    ----------
    role : for example "producer 2".
    doing : what it was doing, for example "create_data".
    kind : name of the exception's type.
    error : the exception as plain values.
    traceback : as Python prints it.
    frame : number of the message it worked on (from 0), -1 when there was none.
    """

    role: str
    doing: str
    kind: str
    error: WireError
    traceback: str
    frame: int = -1

    def as_error(self) -> EngineError:
        """Return the error to raise: an `EngineError` keeps its class, else a `RemoteError`."""
        at = f" at message {self.frame}" if self.frame >= 0 else ""
        text = f"{self.role} failed in {self.doing}{at}: {self.error.message}"
        details = {**self.error.details, "role": self.role, "kind": self.kind, "frame": self.frame}
        error = from_wire(WireError(self.error.code, text, details))
        error.__cause__ = WorkerTraceback(self.traceback)
        return error


def report_of(error: BaseException, role: str, doing: str, frame: int) -> Report:
    """Describe an exception; works for any, also when its own text cannot be made."""
    lines = traceback.format_exception_only(type(error), error)
    if isinstance(error, EngineError):
        wire = to_wire(error)
    elif isinstance(error, SystemExit):
        wire = WireError(RemoteError.code, f"it called sys.exit({error.code!r})")
    else:
        wire = WireError(RemoteError.code, "".join(lines).strip()[-_MAX_TEXT:])
    story = "".join(traceback.format_exception(error))[-_MAX_TRACEBACK:]
    return Report(role, doing, type(error).__name__, wire, story, frame)
