"""Drivers that are programs: they speak the documented protocol, and may speak nonsense."""

import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from engine.drivers import (
    DiscoveryState,
    DriverCatalog,
    DriverEntry,
    DriverProcess,
    Ended,
    FrameReady,
    discover_devices,
)
from engine.errors import DriverError, DriverProtocolError, EngineError, WorkerDiedError
from tests.support.child_processes import child_processes

MANIFEST = """
name = "program"
label = "Program"
api_version = 2
executable = "camera"
[[parameters]]
name = "device"
label = "Device"
kind = "text"
"""

# It knows nothing of the engine: the messages are written from docs/drivers.md.
PROGRAM = """#!{python}
import json, mmap, os, select, socket, struct, sys, tempfile, time
import msgspec.msgpack as msgpack

pack, unpack = msgpack.encode, msgpack.decode

if sys.argv[1] == "--devices":
    print(json.dumps({{"devices": [{{"device_id": "P1", "name": "Program 1", "serial": "1"}}]}}))
    sys.exit(0)

frames = socket.socket(fileno=int(sys.argv[1]))
order = unpack(frames.recv(65536))
control = socket.socket(fileno=order["control_fd"])
shape, level = (4, 6, 3), 1
frames.send(pack({{"type": "opened", "frame_format": {{
    "kind": "image", "shape": shape, "dtype": "uint8"}}}}))
ring = unpack(frames.recv(65536))["ring"]
folder = "/dev/shm" if os.path.isdir("/dev/shm") else tempfile.gettempdir()
with open(os.path.join(folder, ring), "r+b") as file:
    memory = mmap.mmap(file.fileno(), 0)
_, slots, size = struct.unpack_from("=3Q", memory, 0)
header = -(-(slots + 1) * 64 // 4096) * 4096
stride = -(-size // 64) * 64


def parameters():
    return [{{"name": "level", "kind": "integer", "value": level, "minimum": 0, "maximum": 9}}]


def answer(request):
    global level
    if request["type"] == "set_value":
        level = request["value"]
    control.send(pack({{"type": "reply", "number": request["number"],
                        "parameters": parameters()}}))


number = 0
while True:
    ready = select.select([frames, control], [], [], 0.01)[0]
    if control in ready and (data := control.recv(65536)):
        answer(unpack(data))
    if frames in ready:
        data = frames.recv(65536)
        if not data or unpack(data)["type"] == "stop":
            sys.exit(0)
    {misbehave}
    for slot in range(slots):
        place = (slot + 1) * 64
        if struct.unpack_from("=Q", memory, place)[0] == 0:
            break
    else:
        continue
    begin = header + slot * stride
    memory[begin:begin + size] = bytes([level]) * size
    now = time.monotonic_ns()
    struct.pack_into("=Q", memory, place + 8, number)
    struct.pack_into("=Q", memory, place, 2)
    frames.send(pack({{"type": "frame", "slot": slot, "frame_id": number,
                       "captured_at_ns": now, "ready_at_ns": now}}))
    number += 1
"""


@pytest.fixture
def write(tmp_path: Path) -> Callable[..., DriverEntry]:
    def make(*, misbehave: str = "pass", program: str = PROGRAM) -> DriverEntry:
        folder = tmp_path / "program"
        folder.mkdir()
        (folder / "manifest.toml").write_text(MANIFEST)
        text = program
        if program is PROGRAM:
            text = PROGRAM.format(python=sys.executable, misbehave=misbehave)
        (folder / "camera").write_text(text)
        (folder / "camera").chmod(0o755)
        return DriverCatalog([folder]).get("program")

    return make


def take(process: DriverProcess) -> tuple[int, int]:
    """Return the number and the level of the next frame."""
    event = process.receive(30)
    assert isinstance(event, FrameReady), event
    level = int(process.frame(event.slot).min())
    process.free(event.slot)
    return event.frame_id, level


def test_a_program_lists_its_devices(write: Any) -> None:
    (found,) = discover_devices([write()], 30)
    assert found.state is DiscoveryState.OK
    assert [(one.device_id, one.name, one.serial) for one in found.devices] == [
        ("P1", "Program 1", "1")
    ]


def test_a_program_delivers_frames_and_has_parameters(write: Any, run_driver: Any) -> None:
    process = run_driver(write(), start_timeout_s=30)
    process.start()
    assert [take(process) for _ in range(20)] == [(number, 1) for number in range(20)]
    assert [one.name for one in process.control.parameters()] == ["level"]
    process.control.set_value("level", 5)
    deadline = time.monotonic() + 20
    while take(process)[1] != 5:
        assert time.monotonic() < deadline
    with pytest.raises(EngineError, match="at most 9"):
        process.control.set_value("level", 10)
    outcome = process.stop()
    assert outcome is not None
    assert outcome.exit_code == 0


@pytest.mark.parametrize(
    ("answer", "state"),
    [
        ("print('no json')", DiscoveryState.CRASHED),
        ("print('[1, 2]')", DiscoveryState.CRASHED),
        ('print(\'{{"devices": [{{"device_id": 5}}]}}\')', DiscoveryState.CRASHED),
        ("raise SystemExit(3)", DiscoveryState.CRASHED),
        ('print(\'{{"enumeration_problem": "no power"}}\')', DiscoveryState.ENUMERATION_ERROR),
    ],
)
def test_a_program_that_answers_nonsense_is_told_as_such(
    write: Any, answer: str, state: DiscoveryState
) -> None:
    program = f"#!{sys.executable}\n{answer.replace('{{', '{').replace('}}', '}')}\n"
    (found,) = discover_devices([write(program=program)], 30)
    assert found.state is state
    assert found.problem
    assert found.devices == ()
    assert child_processes() == []


@pytest.mark.parametrize("code", ["print('x' * 200000)", "import time; time.sleep(60)"])
def test_a_program_that_does_not_come_to_an_end_takes_the_time_out(write: Any, code: str) -> None:
    (found,) = discover_devices([write(program=f"#!{sys.executable}\n{code}\n")], 0.5)
    assert found.state is DiscoveryState.LOAD_TIMEOUT
    assert "within 0.5 s" in found.problem
    assert child_processes() == []


def test_a_program_that_cannot_be_started_is_a_load_error(write: Any, run_driver: Any) -> None:
    entry = write(program="#!/no/such/interpreter\n")
    (found,) = discover_devices([entry], 5)
    assert found.state is DiscoveryState.LOAD_ERROR
    with pytest.raises(WorkerDiedError, match="could not be started"):
        run_driver(entry).start()


@pytest.mark.slow
@pytest.mark.parametrize(
    "send",
    [
        "control.send(b'\\xc1')",
        "control.send(os.urandom(500))",
        "control.send(pack([1, 2, 3]))",
        "control.send(pack({'type': 'opened'}))",
        "control.send(pack({'type': 'reply', 'number': 'one'}))",
        "control.send(b'x' * 65537)",
        (
            "control.send(pack({'type': 'reply', 'number': request['number'],"
            " 'parameters': [{'name': 'x', 'kind': 'pointer'}]}))"
        ),
        (
            "control.send(pack({'type': 'reply', 'number': request['number'],"
            " 'parameters': [{'name': 'x', 'kind': 'text', 'access': 'all'}]}))"
        ),
        (
            "[control.send(pack({'type': 'reply', 'number': request['number'], 'has_more': True,"
            " 'parameters': [{'name': 'p%d' % i, 'kind': 'text'} for i in range(1000)]}))"
            " for _ in range(9)]"
        ),
    ],
)
def test_an_answer_that_is_nonsense_is_an_error_and_frames_go_on(
    write: Any, run_driver: Any, send: str
) -> None:
    program = PROGRAM.format(python=sys.executable, misbehave="pass")
    lines = program.split("\n")
    place = next(i for i, line in enumerate(lines) if line.startswith("    global level"))
    lines.insert(place + 1, f"    {send}\n    return")
    process = run_driver(write(program="\n".join(lines)), start_timeout_s=30)
    process.start()
    with pytest.raises(DriverProtocolError, match="makes no sense"):
        process.control.parameters()
    first = take(process)[0]
    assert take(process)[0] == first + 1


@pytest.mark.slow
@pytest.mark.parametrize(
    "send",
    [
        'frames.send(pack({"type": "lost", "count": -1}))',
        (
            'frames.send(pack({"type": "lost", "count": 5})), '
            'frames.send(pack({"type": "lost", "count": 4}))'
        ),
        'frames.send(pack({"type": "lost", "count": "many"}))',
        'frames.send(pack({"type": "opened", "frame_format": None}))',
        'frames.send(pack({"type": "reply", "number": 1}))',
        "frames.send(os.urandom(300))",
    ],
)
def test_a_message_that_is_nonsense_ends_the_stream_with_a_sentence(
    write: Any, run_driver: Any, send: str
) -> None:
    process = run_driver(write(misbehave=send), start_timeout_s=30)
    process.start()
    event = process.receive(30)
    while isinstance(event, FrameReady):
        event = process.receive(30)
    assert event is not None
    assert not isinstance(event, Ended)
    assert isinstance(event.to_error(), DriverError)
    assert "makes no sense" in event.message


def test_noise_on_the_control_line_does_not_end_a_good_driver(write: Any, run_driver: Any) -> None:
    """Answers to requests that were given up are passed over."""
    send = 'control.send(pack({"type": "reply", "number": 99999}))'
    process = run_driver(write(misbehave=send), start_timeout_s=30)
    process.start()
    for _ in range(5):
        take(process)
        process.control.set_value("level", 3)
