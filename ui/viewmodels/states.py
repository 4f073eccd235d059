"""Icon, word and tone of every state: color never speaks alone."""

from dataclasses import dataclass

from engine.protocol import EnginePhase, LicenseState, PluginAvailability, PluginState, StreamPhase

__all__ = ("Sign", "engine_sign", "license_sign", "plugin_sign", "stream_sign")


@dataclass(frozen=True)
class Sign:
    """How a state is shown: icon name, word, and the token of its color."""

    icon: str
    word: str
    tone: str


_STREAMS = {
    StreamPhase.STOPPED: Sign("circle", "stopped", "muted"),
    StreamPhase.STARTING: Sign("refresh-cw", "starting", "info"),
    StreamPhase.RUNNING: Sign("circle-play", "running", "ok"),
    StreamPhase.RESTARTING: Sign("refresh-cw", "restarting", "warn"),
    StreamPhase.STOPPING: Sign("square", "stopping", "info"),
    StreamPhase.FINISHED: Sign("circle-check", "finished", "info"),
    StreamPhase.FAILED: Sign("circle-x", "failed", "error"),
}
_ENGINE = {
    EnginePhase.IDLE: Sign("circle", "Idle", "muted"),
    EnginePhase.RUNNING: Sign("circle-play", "Running", "ok"),
    EnginePhase.STOPPING: Sign("square", "Stopping", "info"),
}
_PLUGINS = {
    PluginAvailability.UNKNOWN: Sign("circle", "not probed", "muted"),
    PluginAvailability.PROBING: Sign("refresh-cw", "probing", "info"),
    PluginAvailability.AVAILABLE: Sign("circle-check", "available", "ok"),
    PluginAvailability.UNAVAILABLE: Sign("circle-x", "not available", "error"),
}
_ENGINE_ENDED = Sign("circle-x", "Engine ended", "error")


def stream_sign(phase: StreamPhase) -> Sign:
    """Return how a stream's phase is shown."""
    return _STREAMS[phase]


def engine_sign(phase: EnginePhase, *, is_alive: bool = True) -> Sign:
    """Return how the engine's phase is shown; an engine that ended has none."""
    return _ENGINE[phase] if is_alive else _ENGINE_ENDED


def plugin_sign(plugin: PluginState) -> Sign:
    """Return how a plugin's availability is shown."""
    return _PLUGINS[plugin.availability]


def license_sign(state: LicenseState) -> Sign:
    """Return how the license is shown."""
    if state.is_valid:
        return Sign("key-round", "Licensed", "muted")
    return Sign("triangle-alert", "No valid license", "error")
