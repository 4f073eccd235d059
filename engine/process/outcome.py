"""How a process ended, as a value and in words."""

import contextlib
import signal

import msgspec

__all__ = ("Outcome",)


class Outcome(msgspec.Struct, frozen=True):
    """How a process ended.

    Attributes
    ----------
    exit_code : what the process returned, None when a signal ended it.
    signal_name : name of that signal, for example "SIGKILL"; empty when there was none.
    """

    exit_code: int | None = None
    signal_name: str = ""

    @classmethod
    def from_return_code(cls, return_code: int) -> "Outcome":
        """Read what ``subprocess`` reports, where signals are negative numbers."""
        if return_code >= 0:
            return cls(exit_code=return_code)
        try:
            return cls(signal_name=signal.Signals(-return_code).name)
        except ValueError:
            return cls(signal_name=f"signal {-return_code}")  # real-time signals have no name

    @property
    def is_clean(self) -> bool:
        """Whether the process ended by itself and reported no error."""
        return self.exit_code == 0

    @property
    def signal_words(self) -> str:
        """What the signal means, for example "illegal instruction"; empty without a signal."""
        with contextlib.suppress(KeyError):
            words = signal.strsignal(signal.Signals[self.signal_name]) or ""
            return words.lower()
        return ""

    def sentence(self) -> str:
        """Return the rest of a sentence that begins with the process's role."""
        if self.signal_name:
            return f"was killed by {self.signal_name}"
        if self.exit_code == 0:
            return "ended normally"
        return f"ended with exit code {self.exit_code}"
