"""What tuning works on: the program's graphs, as they are and as INT8, and frames."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from app.benchmark.load import random_inputs
from engine.dfp import Dfp, Int8Settings
from engine.dfp.calibration import CalibrationSource, Frames, pack_frames, read_frames
from engine.dfp.quantization import quantize_model
from engine.errors import InvalidArgumentError, ProgramCompileError

__all__ = ("Material", "make_material", "split")

_MOST_COMPARED = 32
_FEWEST_TO_SPLIT = 4


@dataclass(frozen=True, slots=True)
class Material:
    """All graphs of a program, per model, and the frames its results are compared with.

    Attributes
    ----------
    graphs, quantized : serialized ONNX graphs; the second is empty without calibration data.
    compared : frames by input name.
    notes : what was left out, sentences.
    """

    graphs: tuple[bytes, ...]
    quantized: tuple[bytes, ...]
    compared: tuple[Frames, ...]
    is_calibrated: bool
    notes: tuple[str, ...]

    @property
    def kinds(self) -> tuple[str, ...]:
        """Kinds of graphs there are: "float" for those as they are, and "int8"."""
        return ("float", "int8") if self.quantized else ("float",)

    @property
    def frames(self) -> int:
        """Frames that are compared, per model."""
        return min(len(next(iter(frames.values()))) for frames in self.compared)

    def write(self, folder: Path) -> None:
        """Write everything for `app.tuning.child`."""
        for number, graph in enumerate(self.graphs):
            (folder / f"float-{number}.onnx").write_bytes(graph)
            (folder / f"frames-{number}.npz").write_bytes(pack_frames(self.compared[number]))
        for number, graph in enumerate(self.quantized):
            (folder / f"int8-{number}.onnx").write_bytes(graph)


def make_material(dfp: Dfp, calibration: Sequence[CalibrationSource]) -> Material:
    """Read the frames and quantize the program with them.

    Parameters
    ----------
    calibration : frames for each model, as its device's part takes them; without any, one
        random frame is compared and nothing is quantized.

    Raises
    ------
    InvalidArgumentError
        When the frames do not fit the program.
    ProgramIncompatibleError
        When it is a genuine file.
    """
    models = dfp.models
    if calibration and len(calibration) != len(models):
        raise InvalidArgumentError(
            f"--calibration is given {len(calibration)} times for a program of {len(models)} "
            "models; give it once for each, in their order"
        )
    graphs = tuple(dfp.graph(number) for number in range(len(models)))
    if not calibration:
        random = [random_inputs(entry.inputs) for entry in models]
        compared = tuple(
            {t.name: array[None] for t, array in zip(entry.inputs, arrays, strict=True)}
            for entry, arrays in zip(models, random, strict=True)
        )
        note = "int8 was not tried: it takes frames like those it will see (--calibration FILE)"
        return Material(graphs, (), compared, False, (note,))
    read = [
        read_frames(given, entry.inputs, entry.name)
        for given, entry in zip(calibration, models, strict=True)
    ]
    parts = [split(frames) for frames in read]
    quantized, notes = _quantized(dfp, graphs, [learnt for learnt, _ in parts])
    return Material(graphs, quantized, tuple(seen for _, seen in parts), True, notes)


def split(frames: Frames) -> tuple[Frames, Frames]:
    """Divide frames into those to quantize with and those to compare with.

    Of four or more, every fourth is kept for the comparison, so that it is no frame that the
    quantizer saw; fewer serve for both.
    """
    count = len(next(iter(frames.values())))
    if count < _FEWEST_TO_SPLIT:
        return frames, frames
    held = set(range(0, count, 4))
    rest = [index for index in range(count) if index not in held]
    kept = sorted(held)[:_MOST_COMPARED]
    return (
        {name: array[rest] for name, array in frames.items()},
        {name: array[kept] for name, array in frames.items()},
    )


def _quantized(
    dfp: Dfp, graphs: Sequence[bytes], frames: Sequence[Frames]
) -> tuple[tuple[bytes, ...], tuple[str, ...]]:
    """Return the INT8 graphs, or none and why."""
    made = []
    for entry, graph, learnt in zip(dfp.models, graphs, frames, strict=True):
        if b"DequantizeLinear" in graph:
            return (), (f"int8 was not tried: model {entry.name} is quantized already",)
        try:
            made.append(quantize_model(graph, entry.name, frames=learnt, settings=Int8Settings()))
        except ProgramCompileError as error:
            return (), (f"int8 was not tried: {error.message}",)
    return tuple(made), ()
