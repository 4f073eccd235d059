"""Puts together what contexts for spectra need, from what their creators were given."""

# ruff: noqa: N815 - the published names are camelCase

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from engine.config import Normalization
from engine.handle._lines import DataForm, LineModel, LinesFeed
from engine.handle._orders import reference_line
from engine.handle._plan import Plan
from engine.handle._spectra import Interpolation, as_wavelengths
from engine.handle._standard import References, Standardizer
from engine.handle.enums import ValueType
from engine.handle.errors import ArgumentError, HandleArgumentTypeError, ReferenceMismatchError
from engine.handle.model import Model

__all__ = (
    "Numbers",
    "ReferenceInfo",
    "SpectralData",
    "as_dtype",
    "check_value_type",
    "describe",
    "model_feed",
    "plain_feed",
)

Array = np.ndarray[Any, Any]
Numbers = Sequence[float] | Array


@dataclass(frozen=True)
class ReferenceInfo:
    """What the numbers of data are, and the references measured with them.

    References are used when the data is raw and reflectances or absorbances are wanted.

    Attributes
    ----------
    valueType : what the data's numbers are.
    whiteReference, darkReference : ndarray or `BufferContainer` in the same order as the data, of
        one or more lines, or one spectrum for all samples.
    whiteReflectivity : of the white surface: one value per band, or (wavelengths in nm, values);
        left out, it reflects everything.
    """

    valueType: ValueType = ValueType.Intensity
    whiteReference: ArrayLike | None = None
    darkReference: ArrayLike | None = None
    whiteReflectivity: Numbers | tuple[Numbers, Numbers] | None = None


@dataclass(frozen=True)
class SpectralData:
    """What the data of a context is.

    Attributes
    ----------
    form : axes, size and number type.
    value_type : what the numbers are.
    wavelengths : of the bands, nm; None when they are not known.
    references : white and dark, checked against `form`.
    """

    form: DataForm
    value_type: ValueType
    wavelengths: Array | None
    references: References

    @property
    def bands(self) -> int:
        """Number of bands."""
        return self.form.order.sizes(self.form.shape)[2]

    @property
    def samples(self) -> int:
        """Samples of a line, 0 when they vary."""
        return 0 if self.form.is_variable else self.form.order.sizes(self.form.shape)[1]

    def __post_init__(self) -> None:
        check_value_type(self.value_type)
        if self.wavelengths is not None and self.wavelengths.size != self.bands:
            raise ArgumentError(
                f"{self.wavelengths.size} wavelengths were given for data of {self.bands} bands; "
                "give one per band"
            )


def check_value_type(value_type: object) -> None:
    """Raise when an argument is no `ValueType`."""
    if not isinstance(value_type, ValueType):
        raise HandleArgumentTypeError(f"valueType is a ValueType, not {value_type!r}")


def as_dtype(dtype: object) -> np.dtype[Any]:
    """Return a number type of data."""
    try:
        found: np.dtype[Any] = np.dtype(dtype)  # type: ignore[call-overload]  # being checked
    except (TypeError, ValueError, SyntaxError) as error:
        raise HandleArgumentTypeError(f"dataType is a NumPy dtype, not {dtype!r}") from error
    if found.kind not in "iuf" or not found.isnative:
        raise ArgumentError(
            f"dataType is a whole or floating-point number type of this machine's byte order, "
            f"not {found}"
        )
    return found


def describe(
    form: DataForm, wavelengths: Numbers | None, references: ReferenceInfo | None
) -> SpectralData:
    """Put together what is known about data, and check that it fits together."""
    info = ReferenceInfo() if references is None else references
    if not isinstance(info, ReferenceInfo):
        raise HandleArgumentTypeError(f"references is a ReferenceInfo, not {type(info).__name__}")
    grid = None if wavelengths is None else as_wavelengths(wavelengths, "the data's wavelengths")
    return SpectralData(form, info.valueType, grid, _references(form, info, grid))


def _references(form: DataForm, info: ReferenceInfo, wavelengths: Array | None) -> References:
    """Check references against the data they belong to, and take their means."""
    _, samples, bands = form.order.sizes(form.shape)
    lines = {
        what: None
        if given is None
        else reference_line(given, form.order, samples=samples, bands=bands, what=what)
        for what, given in (
            ("white reference", info.whiteReference),
            ("dark reference", info.darkReference),
        )
    }
    if form.is_variable and any(line is not None and line.ndim == 2 for line in lines.values()):
        raise ReferenceMismatchError(
            "references per sample need data of exactly their size; give one spectrum for all "
            "samples, or do without VariableSpatialSize"
        )
    return References(
        white=lines["white reference"],
        dark=lines["dark reference"],
        reflectivity=_reflectivity(info.whiteReflectivity, bands, wavelengths),
    )


def model_feed(plan: Plan, data: SpectralData, thread_count: int) -> LinesFeed:
    """Return the feed that brings the data to what a model takes.

    Raises
    ------
    ArgumentError
        When the data cannot be brought there; the sentence says what is missing.
    """
    entry = plan.entry
    lines = LineModel(
        plan.inputs,
        plan.outputs,
        samples=data.samples,
        name=entry.name,
        has_state=bool(plan.states),
    )
    if not _can_hold(data.form.dtype, lines.dtype):
        raise ArgumentError(
            f"model {entry.name!r} takes {lines.dtype} values, which cannot hold the "
            f"{data.form.dtype} values of the data; convert the data"
        )
    standardizer = Standardizer(
        data.value_type,
        plan.model.valueType,
        lines.dtype,
        references=data.references,
        interpolation=_interpolation(plan.model, data, lines.bands),
        normalization=entry.pre.normalization,
        bands=lines.bands,
    )
    return LinesFeed(data.form, standardizer, model=lines, thread_count=thread_count)


def plain_feed(
    data: SpectralData, target: ValueType, thread_count: int, *, dtype: np.dtype[Any]
) -> LinesFeed:
    """Return the feed whose standardized lines are themselves the result."""
    check_value_type(target)
    standardizer = Standardizer(
        data.value_type,
        target,
        dtype,
        references=data.references,
        interpolation=None,
        normalization=Normalization(),
        bands=data.bands,
    )
    return LinesFeed(data.form, standardizer, model=None, thread_count=thread_count)


def _interpolation(model: Model, data: SpectralData, bands: int) -> Interpolation | None:
    grid = model.wavelengths
    if not grid:
        if data.bands != bands:
            raise ArgumentError(
                f"model {model.name!r} takes {bands} bands and does not say at which wavelengths, "
                f"the data has {data.bands}; give the model's wavelengths when it is loaded"
            )
        return None
    if len(grid) != bands:
        raise ArgumentError(
            f"model {model.name!r} takes {bands} bands but names {len(grid)} wavelengths; "
            "give the right ones when it is loaded"
        )
    if data.wavelengths is None:
        raise ArgumentError(
            f"model {model.name!r} was made for {grid[0]:g} to {grid[-1]:g} nm, and the data's "
            "wavelengths are not known; give wavelengths"
        )
    found = Interpolation(data.wavelengths, np.asarray(grid))
    return None if found.is_identity else found


def _reflectivity(
    given: Numbers | tuple[Numbers, Numbers] | None, bands: int, wavelengths: Array | None
) -> Array | None:
    if given is None:
        return None
    if isinstance(given, tuple) and len(given) == 2 and np.ndim(given[0]) == 1:
        if wavelengths is None:
            raise ArgumentError(
                "whiteReflectivity names wavelengths, those of the data are not known; "
                "give wavelengths, or one reflectivity per band"
            )
        source = as_wavelengths(given[0], "the wavelengths of whiteReflectivity")  # type: ignore[arg-type]  # a pair
        values = _numbers(given[1], source.size)
        out = np.empty(bands)
        Interpolation(source, wavelengths)(values, out)
        return out
    return _numbers(given, bands)


def _numbers(given: object, count: int) -> Array:
    try:
        values = np.asarray(given, np.float64)
    except (TypeError, ValueError) as error:
        raise HandleArgumentTypeError("whiteReflectivity is a list of numbers") from error
    if values.shape != (count,) or not np.all(np.isfinite(values)) or np.any(values <= 0):
        raise ArgumentError(
            f"whiteReflectivity has {count} positive numbers here, one per wavelength; "
            f"what was given has the shape {values.shape}"
        )
    return values


def _can_hold(source: np.dtype[Any], target: np.dtype[Any]) -> bool:
    return target.kind == "f" or np.can_cast(source, target, "safe")
