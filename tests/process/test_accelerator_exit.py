"""Programs that end without shutting their accelerators down, alone and with shared devices."""

import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from engine.manager import ManagerAddress, start_manager, stop_manager

PREAMBLE = """
import faulthandler, queue, sys, threading, numpy as np
from onnx import TensorProto, helper
from engine import AsyncAccl, MultiStreamAsyncAccl, SyncAccl
from engine.dfp import ModelEntry, pack_dfp
from engine.protocol import TensorInfo
x, y = (helper.make_tensor_value_info(n, TensorProto.FLOAT, [1, 4]) for n in "xy")
graph = helper.make_graph([helper.make_node("Identity", ["x"], ["y"])], "g", [x], [y])
model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
entry = ModelEntry(name="m", main="m.onnx", inputs=(TensorInfo("x", (1, 4), "float32"),),
                   outputs=(TensorInfo("y", (1, 4), "float32"),))
dfp = pack_dfp(name="m", models=[entry], graphs={"m.onnx": model.SerializeToString()})
frame = np.zeros((1, 4), np.float32)
camera = queue.Queue()
seen = threading.Event()
def output(*_):
    seen.set()
"""

CASES = {
    "sync": "accl = SyncAccl(dfp); accl.run(frame)",
    "sync, a frame under way": "accl = SyncAccl(dfp); accl.send(frame)",
    "after wait": (
        "accl = AsyncAccl(dfp); accl.connect_input(lambda: iter([frame]));"
        "accl.connect_output(output); accl.wait()"
    ),
    "endless source": (
        "accl = AsyncAccl(dfp); accl.connect_input(lambda: frame);"
        "accl.connect_output(output); seen.wait(10)"
    ),
    "endless source and sys.exit": (
        "accl = AsyncAccl(dfp); accl.connect_input(lambda: frame);"
        "accl.connect_output(output); seen.wait(10); print('end', flush=True); sys.exit(0)"
    ),
    "source that waits for ever": (
        "accl = AsyncAccl(dfp); accl.connect_input(lambda: camera.get());"
        "accl.connect_output(output)"
    ),
    "streams": (
        "accl = MultiStreamAsyncAccl(dfp);"
        "accl.connect_streams(lambda i: frame if i else camera.get(), lambda i, y: output(), 3);"
        "seen.wait(10)"
    ),
    "nothing connected": "accl = AsyncAccl(dfp)",
}


ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def shared_runtime() -> Iterator[str]:
    """Return a runtime folder in which a device manager runs."""
    with tempfile.TemporaryDirectory(prefix="penstock-test-") as folder:
        Path(folder, "penstock").mkdir(mode=0o700)
        address = ManagerAddress(str(Path(folder, "penstock", "manager")))
        start_manager(address, idle_timeout_s=0)
        yield folder
        stop_manager(address)


@pytest.fixture(params=["local", pytest.param("shared", marks=pytest.mark.slow)])
def mode(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    if request.param == "shared":
        monkeypatch.setenv("XDG_RUNTIME_DIR", request.getfixturevalue("shared_runtime"))
    return str(request.param)


def script_for(body: str, mode: str) -> list[str]:
    if mode == "local":
        body = body.replace("Accl(dfp)", "Accl(dfp, ignore_manager=True)")
    return [sys.executable, "-c", f"{PREAMBLE}\n{body}\nprint('end', flush=True)"]


@pytest.mark.parametrize("case", list(CASES))
def test_a_program_that_forgets_shutdown_ends_quickly_and_quietly(case: str, mode: str) -> None:
    with subprocess.Popen(
        script_for(CASES[case], mode),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        cwd=ROOT,
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "end\n"
        begun = time.monotonic()
        _, complaints = process.communicate(timeout=20)
        assert time.monotonic() - begun < 3
    assert (process.returncode, complaints) == (0, "")


INTERRUPT = """
def is_waiting(frame_of_main):
    calls = []
    while frame_of_main is not None:
        calls.append(frame_of_main.f_code)
        frame_of_main = frame_of_main.f_back
    blocks = calls[0].co_filename.endswith("threading.py")
    return blocks and any("accelerator" in call.co_filename for call in calls)

def interrupt_when_main_thread_waits():
    while not is_waiting(sys._current_frames()[threading.main_thread().ident]):
        threading.Event().wait(0.01)
    os.kill(os.getpid(), signal.SIGINT)

accl = AsyncAccl(dfp)
accl.connect_input(lambda: frame)
accl.connect_output(output)
seen.wait(10)
threading.Thread(target=interrupt_when_main_thread_waits).start()
accl.wait()
print("went on")
"""


def test_an_interrupt_from_the_keyboard_ends_wait_and_the_program_goes_on(mode: str) -> None:
    done = subprocess.run(
        script_for("import os, signal\n" + INTERRUPT, mode),
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
        cwd=ROOT,
    )
    assert (done.stdout, done.stderr, done.returncode) == ("went on\nend\n", "", 0)
