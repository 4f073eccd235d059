"""Plugins whose probe really crashes, in a distribution made for the test."""

import os
import subprocess
import sys
import time
from typing import Any

import psutil
import pytest

from engine.errors import PluginUnavailableError
from engine.plugins import PluginRegistry
from engine.protocol import PluginAvailability

MODULE = """
import ctypes, os, signal, subprocess, sys, threading
from engine.plugins import Device, ProbeReport

class Good:
    key = "good"
    plugin_id = "c0ffee00-0000-4000-8000-000000000001"
    name = "A good one"
    precision = "bfloat16"
    def probe(self):
        print("noise on the standard output")
        return ProbeReport(True, version="1.2", devices=(Device(0, "gpu", "Device A"),))
    def load(self, graph, *, threads_per_lane=1):
        raise NotImplementedError

def plugin(name, probe):
    return type(name, (Good,), {"probe": lambda self: probe()})

def signalled(number):
    signal.signal(number, signal.SIG_DFL) if number != signal.SIGKILL else None
    os.kill(os.getpid(), number)

def flood(descriptor):
    while True:
        os.write(descriptor, b"x" * 65536)

def flood_everything():
    for descriptor in range(3, 20):
        threading.Thread(target=flood, args=(descriptor,), daemon=True).start()
    threading.Event().wait()

def hang_with_child():
    with open(os.environ["PID_FILE"], "w") as file:
        file.write(str(subprocess.Popen(["sleep", "600"]).pid))
    threading.Event().wait()

def lock_interpreter():
    ctypes.PyDLL(None).pause()

Segfault = plugin("Segfault", lambda: ctypes.string_at(0))
IllegalInstruction = plugin("IllegalInstruction", lambda: signalled(signal.SIGILL))
Aborts = plugin("Aborts", os.abort)
Killed = plugin("Killed", lambda: signalled(signal.SIGKILL))
Exits = plugin("Exits", lambda: (print("no license", file=sys.stderr), os._exit(3)))
SysExits = plugin("SysExits", lambda: sys.exit(4))
Raises = plugin("Raises", lambda: 1 / 0)
Hangs = plugin("Hangs", hang_with_child)
HangsHard = plugin("HangsHard", lock_interpreter)
FloodsStdout = plugin("FloodsStdout", lambda: flood(1))
FloodsAll = plugin("FloodsAll", flood_everything)
ReturnsRubbish = plugin("ReturnsRubbish", lambda: "yes")
SaysNo = plugin("SaysNo", lambda: ProbeReport(False, "there is no such device"))
NotAPlugin = dict
"""

REASONS = {
    "Segfault": "crashed: segmentation fault",
    "IllegalInstruction": "crashed: illegal instruction",
    "Aborts": "aborted itself",
    "Killed": "killed from outside",
    "Exits": "ended with exit code 3: no license",
    "SysExits": "ended with exit code 4",
    "Raises": "ZeroDivisionError: division by zero",
    "Hangs": "did not answer within 3 s",
    "HangsHard": "did not answer within 3 s",
    "FloodsStdout": "did not answer within 3 s",
    "FloodsAll": "printed far more than an answer",
    "ReturnsRubbish": "probe returned str",
    "SaysNo": "there is no such device",
    "NotAPlugin": "lacks key",
    "Missing": "cannot be imported",
    "NoModule": "cannot be imported",
}


@pytest.fixture
def crashing_plugins(tmp_path: Any, monkeypatch: Any) -> Any:
    (tmp_path / "crashing_plugins.py").write_text(MODULE)
    info = tmp_path / "crashing-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: crashing\nVersion: 1.0\n")
    lines = [
        f"{name} = {'no_such_module' if name == 'NoModule' else 'crashing_plugins'}:{name}"
        for name in [*REASONS, "Good"]
    ]
    (info / "entry_points.txt").write_text("[penstock.plugins]\n" + "\n".join(lines) + "\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.setenv("PID_FILE", str(tmp_path / "pid"))
    return tmp_path


def _runs(pid: int) -> Any:
    try:
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def test_each_kind_of_crash_is_said_in_words_and_harms_no_other_plugin(
    crashing_plugins: Any,
    poll_for: Any,
) -> None:
    registry = PluginRegistry()
    begun = time.monotonic()
    states = {state.key: state for state in registry.probe_all(timeout_s=3)}
    assert time.monotonic() - begun < 12

    for key, reason in REASONS.items():
        assert states[key].availability is PluginAvailability.UNAVAILABLE, key
        assert reason in states[key].reason, (key, states[key].reason)
        assert "\n" not in states[key].reason
    good = states["Good"]
    assert good.availability is PluginAvailability.AVAILABLE
    assert (good.name, good.version, good.precision) == ("A good one", "1.2", "bfloat16")
    assert good.devices == ("Device A",)
    assert states["onnxruntime-cpu"].availability is PluginAvailability.AVAILABLE
    with pytest.raises(PluginUnavailableError, match="illegal instruction"):
        registry.choose("IllegalInstruction")
    assert [device.plugin for device in registry.devices()][:2] == ["Good", "onnxruntime-cpu"]
    registry.set_enabled("Good", False)
    assert registry.choose().key == "onnxruntime-cpu"
    # What a hanging probe had started is gone with it.
    pid = int((crashing_plugins / "pid").read_text())
    poll_for(lambda: not _runs(pid))


def test_a_strange_plugin_is_probed_before_it_is_imported_here(crashing_plugins: Any) -> None:
    registry = PluginRegistry()
    with pytest.raises(PluginUnavailableError, match="segmentation fault"):
        registry.choose("Segfault")
    assert "crashing_plugins" not in sys.modules
    assert registry.choose("Good").name == "A good one"
    del sys.modules["crashing_plugins"]


def test_the_probe_prints_one_line_of_json_whatever_the_plugin_prints(
    crashing_plugins: Any,
) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "engine.plugins.probe", "Good"],
        capture_output=True,
        text=True,
        timeout=30,
        check=True,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))},
    )
    assert done.stdout.count("\n") == 1
    assert done.stdout.startswith('{"report":{"is_available":true')
    assert "noise on the standard output" in done.stderr
