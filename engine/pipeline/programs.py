"""Loaded programs: a DFP and the session that executes it, shared by all streams that use it."""

import threading
from collections.abc import Callable

from engine.dfp import Dfp, ModelEntry
from engine.plugins import ProcessingPlugin, Session

__all__ = ("LoadedProgram",)


class LoadedProgram:
    """One program of a project; its session is made at the first use and shared.

    Parameters
    ----------
    name : name in the project.
    dfp : the container.
    choose : returns the plugin to execute with; called at the first use, may wait for probes.
    """

    def __init__(self, name: str, dfp: Dfp, choose: Callable[[], ProcessingPlugin]) -> None:
        self.name = name
        self.dfp = dfp
        self._choose = choose
        self._lock = threading.Lock()
        self._session: Session | None = None
        self.plugin_key = ""

    @property
    def model(self) -> ModelEntry:
        """The first model of the program; streams run that one."""
        return self.dfp.models[0]

    def session(self) -> Session:
        """Return the session, loading the graph when nobody did before; safe from any thread."""
        with self._lock:
            if self._session is None:
                plugin = self._choose()
                self._session = plugin.load(self.dfp.graph(0, "main"))
                self.plugin_key = plugin.key
            return self._session

    def forget_session(self) -> None:
        """Let streams that start from now on load again, for example with another plugin."""
        with self._lock:
            self._session = None

    def close(self) -> None:
        """Release the session. Streams that still use it keep theirs alive."""
        self.forget_session()
