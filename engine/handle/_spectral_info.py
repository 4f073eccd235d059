"""What a model says about the spectra it was made for.

It stands in the metadata of its ONNX graph: ``wavelengths_nm`` (numbers with commas between them)
and ``value_type`` ("intensity", "reflectance" or "absorbance").
"""

import math

from engine.errors import ProgramMalformedError
from engine.handle.enums import ValueType

__all__ = ("VALUE_TYPE_KEY", "WAVELENGTHS_KEY", "read_spectral_info")

WAVELENGTHS_KEY = "wavelengths_nm"
VALUE_TYPE_KEY = "value_type"

_VALUE_TYPES = {kind.name.lower(): kind for kind in ValueType}


def read_spectral_info(graph: bytes, name: str) -> tuple[tuple[float, ...], ValueType | None]:
    """Return wavelengths in nm (empty when there are none) and value type of a graph.

    Raises
    ------
    ProgramMalformedError
        When the metadata cannot be understood.
    """
    import onnx  # noqa: PLC0415 - slow to load, and only wanted for spectra

    model = onnx.load_model_from_string(graph)
    metadata = {entry.key: entry.value for entry in model.metadata_props}
    return _wavelengths(metadata.get(WAVELENGTHS_KEY, ""), name), _value_type(
        metadata.get(VALUE_TYPE_KEY, ""), name
    )


def _wavelengths(text: str, name: str) -> tuple[float, ...]:
    try:
        values = tuple(float(part) for part in text.split(",") if part.strip())
    except ValueError:
        values = (math.nan,)
    if not all(math.isfinite(value) and value > 0 for value in values):
        raise ProgramMalformedError(
            f"model {name!r} has the metadata {WAVELENGTHS_KEY} = {text[:60]!r}, which are no "
            "wavelengths in nm with commas between them; export the model again",
            model=name,
        )
    return values


def _value_type(text: str, name: str) -> ValueType | None:
    if text and text.strip().lower() not in _VALUE_TYPES:
        raise ProgramMalformedError(
            f"model {name!r} has the metadata {VALUE_TYPE_KEY} = {text[:60]!r}; known are "
            f"{', '.join(_VALUE_TYPES)}; export the model again",
            model=name,
        )
    return _VALUE_TYPES[text.strip().lower()] if text else None
