"""`NeuralCompiler`: the published way to compile models, under its own names."""

import json
import logging
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from engine.dfp.compiler import Progress, compile_models
from engine.dfp.container import Dfp
from engine.dfp.int8 import Int8Settings
from engine.dfp.model_source import ModelSource
from engine.dfp.neural_options import (
    DEFAULTS,
    WITHOUT_MEANING,
    check_options,
    names_per_model,
    shapes_per_model,
)
from engine.dfp.saving import save_dfp
from engine.errors import InvalidArgumentError

__all__ = ("NeuralCompiler",)

log = logging.getLogger(__name__)


class NeuralCompiler:
    """Compiles one or several models into one program.

    All arguments are keywords and may be given later with `set_config`.

    Parameters
    ----------
    models : a path, bytes, an ONNX model, a ``torch.nn.Module``, a Keras model, a scikit-learn
        estimator, or a list of those; their numbers are the order given.
    dfp_fname : where to write the program; None keeps it in memory. Parts that were cut off are
        written beside it as ``NAME_pre.onnx`` and ``NAME_post.onnx``, and what is left as
        ``NAME_crop.onnx``, with several models as
        ``model_0_NAME_pre.onnx`` and so on.
    inputs, outputs : names of the tensors (or nodes) where the device's part begins and ends,
        separated by commas, ``|`` between models; or a list.
    model_in_out : a JSON file that says the same: ``{"input": ..., "output": ...}``, or a list of
        those, one per model.
    autocrop : whether to leave pre- and post-processing inside the models to the host.
    input_shapes : shapes like ``"1,3,224,224"`` (``|`` between models, ``"auto"`` for none), a
        list of numbers, a list of shapes, or shapes by input name.
    verbose : 0 to 4; from 1 on stages are logged.
    num_chips, chip_gen, effort, show_optimization, no_sim_dfp, input_format, output_format,
    hw_dfp_path, extensions, num_processes : accepted and checked; they choose how a program is laid
        out on chips, which has no meaning here.
    quantize : "int8" turns weights and activations into INT8; needs `calibration`.
    calibration : frames, see `engine.dfp.calibration`; with several models a list, one per model.
    min_cosine : least cosine of every output to the original's; None accepts any.
    progress : called with a stage's name and how much of it is done, 0..1.

    Raises
    ------
    InvalidArgumentError
        When an argument is unknown or has an impossible value.
    """

    def __init__(self, models: Any = None, **config: Any) -> None:  # noqa: ANN401 - any framework's
        self._config: dict[str, Any] = {}
        self.reset_config()
        self.set_config(models=models, **config)

    def reset_config(self) -> None:
        """Forget everything that was given."""
        self._config = {"models": None} | DEFAULTS

    def set_config(self, **config: Any) -> None:  # noqa: ANN401 - each key has its own type
        """Change some arguments; the others stay.

        Raises
        ------
        InvalidArgumentError
            As the constructor.
        """
        check_options(config)
        self._config |= config

    def run(self) -> Dfp:
        """Compile the models.

        Raises
        ------
        ProgramCompileError
            When a model cannot be compiled; the message names it and what to do.
        InvalidArgumentError
            When there is no model, or arguments do not fit the models.
        OutputError
            When the program cannot be written.
        """
        config = self._config
        sources = self._sources()
        ignored = [key for key in WITHOUT_MEANING if config[key] != DEFAULTS[key]]
        if ignored:
            log.info("%s: accepted, without a meaning for this compiler", ", ".join(ignored))
        fname = config["dfp_fname"]
        dfp = compile_models(
            sources,
            autocrop=bool(config["autocrop"]),
            int8=Int8Settings() if config["quantize"] else None,
            min_cosine=config["min_cosine"],
            progress=config["progress"] or self._progress(),
        )
        if fname is None:
            return dfp
        path = Path(fname)
        path = path if path.suffix == ".dfp" else path.with_name(f"{path.name}.dfp")
        save_dfp(dfp.data, path)
        _save_parts(dfp, path)
        return Dfp(path)

    def _sources(self) -> list[ModelSource]:
        config = self._config
        given = config["models"]
        models = list(given) if isinstance(given, list | tuple) else [given]
        if given is None or not models:
            raise InvalidArgumentError("there is no model to compile; give models=...")
        count = len(models)
        inputs = names_per_model("inputs", config["inputs"], count)
        outputs = names_per_model("outputs", config["outputs"], count)
        if config["model_in_out"] is not None:
            inputs, outputs = _read_in_out(config["model_in_out"], count)
        shapes = shapes_per_model(config["input_shapes"], count)
        calibration = config["calibration"]
        frames = calibration if count > 1 and calibration is not None else [calibration] * count
        if not isinstance(frames, list | tuple) or len(frames) != count:
            raise InvalidArgumentError(
                f"calibration is a list of {count}, one for each model, not "
                f"{type(calibration).__name__}"
            )
        return [
            ModelSource(
                model,
                input_shapes=shapes[number],
                inputs=inputs[number],
                outputs=outputs[number],
                calibration=frames[number],
            )
            for number, model in enumerate(models)
        ]

    def _progress(self) -> Progress | None:
        if not self._config["verbose"]:
            return None
        return lambda stage, done: log.info("%s: %d %%", stage, round(100 * done))


def _read_in_out(
    file: str | os.PathLike[str], count: int
) -> tuple[list[tuple[str, ...]], list[tuple[str, ...]]]:
    """Read what `model_in_out` names."""
    try:
        found = json.loads(Path(file).read_text(encoding="utf-8"))
    except OSError as error:
        raise InvalidArgumentError(
            f"model_in_out {file} cannot be read: {error.strerror or error}", file=str(file)
        ) from error
    except (ValueError, RecursionError) as error:
        raise InvalidArgumentError(
            f"model_in_out {file} is not JSON: {error}", file=str(file)
        ) from error
    entries = found if isinstance(found, list) else _entries_of(found)
    if len(entries) != count or not all(isinstance(entry, Mapping) for entry in entries):
        raise InvalidArgumentError(
            f'model_in_out {file} holds {{"input": ..., "output": ...}} for each of {count} models',
            file=str(file),
        )
    sides: list[list[tuple[str, ...]]] = []
    for key in ("input", "output"):
        named = [entry.get(key, entry.get(f"{key}s")) for entry in entries]
        sides.append([names_per_model(key, names, 1)[0] for names in named])
    return sides[0], sides[1]


def _entries_of(found: object) -> Sequence[Any]:
    """Return the entries of one model, or of several that lie in an object by number or name."""
    if isinstance(found, Mapping) and found and all(isinstance(v, Mapping) for v in found.values()):
        return list(found.values())
    return [found]


def _save_parts(dfp: Dfp, path: Path) -> None:
    """Write the parts of cropped models beside the program; "crop" is what the device runs."""
    for number, model in enumerate(dfp.models):
        before = "" if len(dfp.models) == 1 else f"model_{number}_"
        for part in model.graphs if len(model.graphs) > 1 else ():
            name = "crop" if part == "main" else part
            target = path.with_name(f"{before}{path.stem}_{name}.onnx")
            save_dfp(dfp.graph(number, part), target)
