"""What a model says about the spectra it was made for, and about its state.

It stands in the metadata of its ONNX graph: ``wavelengths_nm`` (numbers with commas between them),
``value_type`` ("intensity", "reflectance" or "absorbance"), ``states`` (pairs ``input=output`` with
commas between them) and ``output_delay_lines`` (a whole number).
"""

import math
from dataclasses import dataclass, field

from engine.errors import ProgramMalformedError
from engine.handle.enums import ValueType

__all__ = (
    "OUTPUT_DELAY_KEY",
    "STATES_KEY",
    "VALUE_TYPE_KEY",
    "WAVELENGTHS_KEY",
    "GraphInfo",
    "read_graph_info",
)

WAVELENGTHS_KEY = "wavelengths_nm"
VALUE_TYPE_KEY = "value_type"
STATES_KEY = "states"
OUTPUT_DELAY_KEY = "output_delay_lines"

_VALUE_TYPES = {kind.name.lower(): kind for kind in ValueType}
_MOST_DELAY = 1_000_000


@dataclass(frozen=True)
class GraphInfo:
    """What the metadata say; empty where they say nothing.

    Attributes
    ----------
    wavelengths : of the bands it takes, nm.
    value_type : what the numbers it takes are.
    states : output that each input of the state gets, by the input's name.
    output_delay : how many lines results lag behind the data.
    """

    wavelengths: tuple[float, ...] = ()
    value_type: ValueType | None = None
    states: dict[str, str] = field(default_factory=dict)
    output_delay: int = 0


def read_graph_info(graph: bytes, name: str) -> GraphInfo:
    """Read the metadata of a graph.

    Raises
    ------
    ProgramMalformedError
        When they cannot be understood.
    """
    import onnx  # noqa: PLC0415 - slow to load, and not wanted by every model

    model = onnx.load_model_from_string(graph)
    told = {entry.key: entry.value for entry in model.metadata_props}
    return GraphInfo(
        wavelengths=_wavelengths(told.get(WAVELENGTHS_KEY, ""), name),
        value_type=_value_type(told.get(VALUE_TYPE_KEY, ""), name),
        states=_states(told.get(STATES_KEY, ""), name),
        output_delay=_delay(told.get(OUTPUT_DELAY_KEY, ""), name),
    )


def _wavelengths(text: str, name: str) -> tuple[float, ...]:
    try:
        values = tuple(float(part) for part in text.split(",") if part.strip())
    except ValueError:
        values = (math.nan,)
    if not all(math.isfinite(value) and value > 0 for value in values):
        raise _wrong(name, WAVELENGTHS_KEY, text, "are no wavelengths in nm with commas between")
    return values


def _value_type(text: str, name: str) -> ValueType | None:
    if text and text.strip().lower() not in _VALUE_TYPES:
        raise ProgramMalformedError(
            f"model {name!r} has the metadata {VALUE_TYPE_KEY} = {text[:60]!r}; known are "
            f"{', '.join(_VALUE_TYPES)}; export the model again",
            model=name,
        )
    return _VALUE_TYPES[text.strip().lower()] if text else None


def _states(text: str, name: str) -> dict[str, str]:
    pairs = [part.split("=") for part in text.split(",") if part.strip()]
    if not all(len(pair) == 2 and all(one.strip() for one in pair) for pair in pairs):
        raise _wrong(name, STATES_KEY, text, "are no pairs input=output with commas between")
    found = {taken.strip(): given.strip() for taken, given in pairs}
    if len(found) < len(pairs):
        raise _wrong(name, STATES_KEY, text, "name an input twice")
    return found


def _delay(text: str, name: str) -> int:
    if not text:
        return 0
    if len(text) > 10 or not text.strip().isdecimal() or int(text) > _MOST_DELAY:
        raise _wrong(name, OUTPUT_DELAY_KEY, text, "is no number of lines")
    return int(text)


def _wrong(name: str, key: str, text: str, problem: str) -> ProgramMalformedError:
    return ProgramMalformedError(
        f"model {name!r} has the metadata {key} = {text[:60]!r}, which {problem}; export the model "
        "again",
        model=name,
    )
