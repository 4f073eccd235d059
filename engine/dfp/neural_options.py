"""The arguments of `NeuralCompiler`: defaults, checks, and how names and shapes are written."""

import math
from collections.abc import Mapping, Sequence
from typing import Any

from engine.dfp.model_source import GivenShapes
from engine.dfp.parity import DEFAULT_MIN_COSINE
from engine.errors import InvalidArgumentError

__all__ = ("DEFAULTS", "WITHOUT_MEANING", "check_options", "names_per_model", "shapes_per_model")

WITHOUT_MEANING: dict[str, Any] = {
    "num_chips": 4,
    "chip_gen": "mx3",
    "effort": "normal",
    "show_optimization": False,
    "no_sim_dfp": False,
    "input_format": None,
    "output_format": None,
    "hw_dfp_path": None,
    "extensions": None,
    "num_processes": None,
}
"""Arguments about chips, with their defaults."""

DEFAULTS: dict[str, Any] = {
    "dfp_fname": None,
    "verbose": 0,
    "autocrop": False,
    "inputs": None,
    "outputs": None,
    "model_in_out": None,
    "input_shapes": None,
    "quantize": None,
    "calibration": None,
    "min_cosine": DEFAULT_MIN_COSINE,
    "progress": None,
    **WITHOUT_MEANING,
}
"""All arguments but `models`, with their defaults."""

_CHOICES: dict[str, tuple[object, ...]] = {
    "effort": ("lazy", "normal", "hard"),
    "chip_gen": ("mx3", "3", "3.1"),
    "input_format": (None, "fp32", "bf16", "gbf80"),
    "output_format": (None, "fp32", "bf16", "gbf80"),
    "quantize": (None, False, "int8"),
}


def check_options(config: Mapping[str, Any]) -> None:
    """Refuse arguments that are unknown or have impossible values.

    Raises
    ------
    InvalidArgumentError
        Naming the argument and what it can be.
    """
    for key, value in config.items():
        if key != "models" and key not in DEFAULTS:
            raise InvalidArgumentError(
                f"NeuralCompiler has no argument {key!r}; it has {', '.join(DEFAULTS)}"
            )
        if key in _CHOICES:
            given = value.lower() if isinstance(value, str) else value
            given = str(given) if isinstance(given, float) else given
            if given not in _CHOICES[key]:
                choices = ", ".join(str(choice) for choice in _CHOICES[key])
                raise InvalidArgumentError(f"{key} is one of {choices}, not {value!r}")
    _check_number(config, "num_chips", 1, 64)
    _check_number(config, "verbose", 0, 4)
    if config.get("num_processes") != "max":
        _check_number(config, "num_processes", 1, 4096)
    cosine = config.get("min_cosine")
    if cosine is not None and not (isinstance(cosine, int | float) and -1.0 <= cosine <= 1.0):
        raise InvalidArgumentError(f"min_cosine is -1 to 1 or None, not {cosine!r}")


def names_per_model(what: str, given: object, count: int) -> list[tuple[str, ...]]:
    """Return the names for each model: ``"a,b|c"``, a list for one model, a list of those.

    Raises
    ------
    InvalidArgumentError
        When it reads otherwise, or is for another number of models.
    """
    if given is None or given == "":
        return [()] * count
    if isinstance(given, str):
        parts: Sequence[object] = given.split("|")
    elif isinstance(given, list | tuple):
        parts = given if count > 1 else [given]
    else:
        parts = []
    if len(parts) != count:
        raise InvalidArgumentError(
            f"{what} names tensors for {len(parts)} models, but there are {count}; "
            "separate names by ',' and models by '|'"
        )
    return [_names(what, part) for part in parts]


def shapes_per_model(given: object, count: int) -> list[GivenShapes]:
    """Return the shapes for each model; see `NeuralCompiler` for how they are written.

    Raises
    ------
    InvalidArgumentError
        When it reads otherwise, or is for another number of models.
    """
    if given is None or given == "auto":
        return [()] * count
    if isinstance(given, str):
        given = given.split("|")
    elif isinstance(given, Mapping) or count == 1:
        given = [given]
    if not isinstance(given, list | tuple) or len(given) != count:
        raise InvalidArgumentError(
            f"input_shapes has to give shapes for {count} models, not {given!r}; "
            'write for example "1,3,224,224"'
        )
    return [_shapes(part) for part in given]


def _names(what: str, part: object) -> tuple[str, ...]:
    items = part.split(",") if isinstance(part, str) else part
    if items is None:
        return ()
    if not isinstance(items, list | tuple) or not all(isinstance(item, str) for item in items):
        raise InvalidArgumentError(f"{what} is a text or a list of names, not {part!r}")
    return tuple(item.strip() for item in items if item.strip())


def _shapes(part: object) -> GivenShapes:
    if part is None or part == "auto":
        return ()
    if isinstance(part, Mapping):
        return {str(name): _shape(shape) for name, shape in part.items()}
    if isinstance(part, list | tuple) and part and not isinstance(part[0], int | str):
        return tuple(_shape(shape) for shape in part)
    return (_shape(part),)


def _shape(part: object) -> tuple[int, ...]:
    items = part.split(",") if isinstance(part, str) else part
    try:
        sizes = tuple(int(item) for item in items)  # type: ignore[attr-defined]  # checked by doing
    except (TypeError, ValueError):
        sizes = ()
    if not sizes or any(size < 1 for size in sizes):
        raise InvalidArgumentError(
            f'input_shapes: {part!r} is not a shape; write for example "1,3,224,224"'
        )
    return sizes


def _check_number(config: Mapping[str, Any], key: str, least: int, most: int) -> None:
    value = config.get(key)
    if value is None:
        return
    try:
        number = float(value)
    except (TypeError, ValueError):
        number = math.nan
    if not (number.is_integer() and least <= number <= most):
        raise InvalidArgumentError(f"{key} is a whole number from {least} to {most}, not {value!r}")
