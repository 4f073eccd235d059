"""One plugin with one kind of numbers, in a process of its own, where it may crash.

Usage: ``python -m app.tuning.child FOLDER PLUGIN KIND THREADS PARENT``. FOLDER holds the program:
``KIND-N.onnx`` and ``frames-N.npz`` for each model N, and ``wanted-N.npz`` with what the outputs
should be; where that is missing, the outputs found are written to it. One JSON line on stdout says
how the plugin did; then each line "LANES SECONDS" on stdin is answered by a line with the rate.
"""

import os
import statistics
import sys
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import msgspec
import numpy as np

from app.benchmark.load import LaneLoad, Load
from app.tuning.results import Figures
from engine.dfp import Parity
from engine.dfp.calibration import pack_frames, unpack_frames
from engine.dfp.comparison import compare_frames
from engine.errors import EngineError
from engine.plugins import ProcessingPlugin, Session
from engine.plugins.discovery import find_plugins, import_plugin
from engine.process import leave_with_parent

__all__ = ("Loaded", "main")

Arrays = dict[str, np.ndarray[Any, Any]]


class Loaded(msgspec.Struct, frozen=True):
    """The first line: `problem` is a sentence when the plugin cannot be used.

    `parities` are the comparisons, one per model. `lanes` is how many frames the plugin wants
    under way, 0 when it does not say.
    """

    figures: Figures = Figures()
    parities: tuple[Parity, ...] = ()
    lanes: int = 0
    problem: str = ""


def main() -> int:
    """Load a program, compare its numbers, and measure whenever a line comes."""
    answers = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)  # backends print
    folder, key, kind, threads, parent = sys.argv[1:6]
    leave_with_parent(int(parent))
    try:
        plugin = import_plugin(find_plugins()[key])
        sessions = _load(plugin, Path(folder), kind, int(threads))
        frames = [_frames(Path(folder), number) for number in range(len(sessions))]
        parities = _compare(Path(folder), sessions, frames)
    except EngineError as error:
        _answer(answers, Loaded(problem=str(error)))
        return 1
    for parity in parities:
        if parity.max_difference is None:
            _answer(answers, Loaded(problem=f"its numbers cannot be compared: {parity.reason}"))
            return 1
    lanes = getattr(plugin, "lanes", 0)
    lanes = lanes if isinstance(lanes, int) else 0
    _answer(answers, Loaded(_worst(parities), tuple(parities), lanes))
    with ExitStack() as stack:
        _measure_on_demand(answers, sessions, frames, stack)
    answers.flush()
    os._exit(0)  # what a backend does while Python ends may hang


def _answer(answers: Any, value: object) -> None:  # noqa: ANN401 - a text stream
    answers.write(msgspec.json.encode(value).decode() + "\n")
    answers.flush()


def _load(plugin: ProcessingPlugin, folder: Path, kind: str, threads: int) -> list[Session]:
    sessions: list[Session] = []
    while (path := folder / f"{kind}-{len(sessions)}.onnx").exists():
        sessions.append(plugin.load(path.read_bytes(), threads_per_lane=threads))
    return sessions


def _frames(folder: Path, number: int) -> Arrays:
    return unpack_frames((folder / f"frames-{number}.npz").read_bytes())


def _inputs(session: Session, frames: Arrays, index: int) -> list[np.ndarray[Any, Any]]:
    return [frames[tensor.name][index] for tensor in session.inputs]


def _compare(folder: Path, sessions: Sequence[Session], frames: Sequence[Arrays]) -> list[Parity]:
    found = []
    for number, (session, given) in enumerate(zip(sessions, frames, strict=True)):
        count = len(next(iter(given.values())))
        outputs = [session.run(_inputs(session, given, index)) for index in range(count)]
        found.append(_parity(folder / f"wanted-{number}.npz", session, outputs))
    return found


def _worst(parities: Sequence[Parity]) -> Figures:
    """Return the worst numbers of all models."""
    every = [output for parity in parities for output in parity.outputs]
    return Figures(
        cosine=min((o.cosine for o in every if o.cosine is not None), default=None),
        max_difference=max(output.max_difference for output in every),
        top1=min((o.top1 for o in every if o.top1 is not None), default=None),
    )


def _parity(path: Path, session: Session, outputs: list[list[np.ndarray[Any, Any]]]) -> Parity:
    names = [tensor.name for tensor in session.outputs]
    if not path.exists():
        columns = {
            f"{index}-{place}": array
            for index, frame in enumerate(outputs)
            for place, array in enumerate(frame)
        }
        path.write_bytes(pack_frames(columns))
        path.with_suffix(".json").write_bytes(msgspec.json.encode(names))
        return compare_frames(names, outputs, outputs, "itself")
    stored = unpack_frames(path.read_bytes())
    order = msgspec.json.decode(path.with_suffix(".json").read_bytes(), type=list[str])
    wanted = [
        [stored[f"{index}-{order.index(name)}"] for name in names] for index in range(len(outputs))
    ]
    return compare_frames(names, outputs, wanted, "onnxruntime")


def _measure_on_demand(
    answers: Any,  # noqa: ANN401 - a text stream
    sessions: Sequence[Session],
    frames: Sequence[Arrays],
    stack: ExitStack,
) -> None:
    """Answer every line on stdin until it ends."""
    loads: dict[int, list[Load]] = {}
    for line in sys.stdin:
        lanes, seconds = int(line.split()[0]), float(line.split()[1])
        if lanes not in loads:
            loads[lanes] = [
                stack.enter_context(
                    LaneLoad(
                        session,
                        lanes=lanes,
                        streams=1,
                        depth=max(2, 2 * lanes),
                        inputs=_inputs(session, given, 0),
                    )
                )
                for session, given in zip(sessions, frames, strict=True)
            ]
        windows = [load.window(seconds / len(sessions)) for load in loads[lanes]]
        if not all(window.rate_hz for window in windows):
            _answer(answers, Figures())
            continue
        rate_hz = 1.0 / sum(1.0 / window.rate_hz for window in windows)
        latency_ms = sum(statistics.median(window.device_ms) for window in windows)
        _answer(answers, Figures(rate_hz=rate_hz, latency_ms=latency_ms))


if __name__ == "__main__":
    sys.exit(main())
