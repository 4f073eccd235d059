"""Checks of the engine: plugins, license, and whether each process answers well within its time."""

import time

import numpy as np

from app.doctor.findings import Finding
from engine.client import EngineClient
from engine.config import ParameterValue
from engine.dfp import Dfp
from engine.drivers import DriverCatalog, DriverProcess, FrameReady
from engine.errors import EngineError
from engine.license import license_state
from engine.plugins import PluginRegistry
from engine.protocol import PluginAvailability, PluginState
from resources import resource_path

__all__ = ("driver_start", "engine_start", "first_result", "license_in_use", "plugins")

_ALWAYS = "onnxruntime-cpu"
_DEADLINE_S = {"engine start": 15.0, "driver start": 10.0}
_SLOW = "close other programs, or use a faster machine; streams may be given up while starting"


def plugins() -> list[Finding]:
    """Probe all plugins; only the one that is always there has to work."""
    return [_plugin(state) for state in PluginRegistry().probe_all()]


def license_in_use() -> list[Finding]:
    """Check the bundled license, which is used unless a project names another."""
    state = license_state(None)
    if not state.is_valid:
        return [
            Finding.failed(
                "license",
                state.problem,
                "check the date of this machine, or name a license in the project",
            )
        ]
    found = f"{state.license_id} for {state.licensee}, until {state.valid_until}"
    return [Finding.passed("license", found)]


def engine_start() -> list[Finding]:
    """Start an engine service and end it."""
    began = time.monotonic()
    try:
        with EngineClient.launch(name="doctor", timeout_s=_DEADLINE_S["engine start"]):
            took_s = time.monotonic() - began
    except EngineError as error:
        return [Finding.failed("engine start", str(error), "see the other failures first")]
    return [_in_time("engine start", took_s)]


def driver_start() -> list[Finding]:
    """Open a bundled source in a driver host and wait for its first frame."""
    picture = str(resource_path("demo/media/faces/astronaut.png"))
    source: dict[str, ParameterValue] = {"path": picture, "rate_hz": 30.0}
    limit_s = _DEADLINE_S["driver start"]
    driver = DriverProcess(
        DriverCatalog().get("pan-zoom"), source, stream="doctor", start_timeout_s=limit_s
    )
    began = time.monotonic()
    try:
        driver.start()
        message = driver.receive(limit_s)
        took_s = time.monotonic() - began
    except EngineError as error:
        return [Finding.failed("driver start", str(error), "see the other failures first")]
    finally:
        driver.stop()
    if not isinstance(message, FrameReady):
        found = f"no frame within {limit_s:g} s"
        return [Finding.failed("driver start", found, "see the other failures first")]
    return [_in_time("driver start", took_s)]


def first_result() -> list[Finding]:
    """Execute a bundled program once."""
    began = time.monotonic()
    try:
        program = Dfp(resource_path("demo/programs/squeezenet.dfp"))
        session = PluginRegistry().choose().load(program.graph(0))
        inputs = [np.zeros(info.shape, info.dtype) for info in session.inputs]
        outputs = session.run(inputs)
        session.close()
    except EngineError as error:
        return [Finding.failed("first result", str(error), "see the other failures first")]
    if not all(np.isfinite(output).all() for output in outputs):
        return [
            Finding.failed(
                "first result", "the result is no number", "check the memory of this machine"
            )
        ]
    return [Finding.passed("first result", f"after {time.monotonic() - began:.2f} s")]


def _plugin(state: PluginState) -> Finding:
    check = f"plugin {state.key}"
    if state.availability is PluginAvailability.AVAILABLE:
        devices = ", ".join(state.devices) or "no device"
        return Finding.passed(check, f"version {state.version}: {devices} ({state.precision})")
    if state.key == _ALWAYS:
        return Finding.failed(check, state.reason, "install onnxruntime again")
    return Finding.skipped(check, f"does not work here: {state.reason}")


def _in_time(check: str, took_s: float) -> Finding:
    limit_s = _DEADLINE_S[check]
    found = f"{took_s:.2f} s of the {limit_s:g} s it may take"
    if took_s > limit_s / 2:
        return Finding.failed(check, found, _SLOW)
    return Finding.passed(check, found)
