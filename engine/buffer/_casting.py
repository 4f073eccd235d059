"""Put a producer's data into a buffer, or say exactly why they do not fit."""

import warnings
from collections.abc import Sequence
from typing import Any

import numpy as np

from engine.buffer.info import Casting
from engine.errors import InvalidArgumentError

__all__ = ("store",)

Array = np.ndarray[Any, Any]
_SEQUENCES = (tuple, list)


def store(data: Any, places: Sequence[Array], casting: Casting) -> None:  # noqa: ANN401
    """Copy what `create_data` returned into a buffer's arrays.

    Raises
    ------
    InvalidArgumentError : an array is missing, has another shape, or its values would change.
    """
    if len(places) == 1:
        place = places[0]
        is_wrapped = type(data) in _SEQUENCES and len(data) == 1
        given = data[0] if is_wrapped else data
        if isinstance(given, np.ndarray):
            if not is_wrapped and given.shape == (1, *place.shape) != place.shape:
                given = given[0]  # one array per shape, as an array
            _store_one(np.asarray(given), place, 0, casting)
            return
    for index, (array, place) in enumerate(zip(_parts(data, places), places, strict=False)):
        _store_one(np.asarray(array), place, index, casting)


def _store_one(given: Array, place: Array, index: int, casting: Casting) -> None:
    if given.dtype == place.dtype and given.shape == place.shape:
        place[...] = given
    else:
        _store_other(given, place, index, casting)


def _parts(data: Any, places: Sequence[Array]) -> Sequence[Any]:  # noqa: ANN401
    """Return at least one array per shape; more are not looked at."""
    is_sequence = hasattr(data, "__len__") and hasattr(data, "__getitem__")
    if not is_sequence or (isinstance(data, np.ndarray) and not data.ndim):
        raise InvalidArgumentError(
            f"create_data returned {_name(data)}; it must return an array for each of the "
            f"{len(places)} buffer shapes"
        )
    parts: Sequence[Any] = data
    is_bare = len(places) == 1 and len(parts) and not isinstance(parts[0], np.ndarray)
    if is_bare and np.shape(data) == places[0].shape != np.shape(parts[0]):
        return (data,)  # the data of one shape, as lists of numbers
    if len(parts) < len(places):
        raise InvalidArgumentError(
            f"create_data returned {len(parts)} arrays for {len(places)} buffer shapes; "
            "it must return one for each"
        )
    return parts


def _store_other(given: Array, place: Array, index: int, casting: Casting) -> None:
    if given.shape != place.shape:
        raise InvalidArgumentError(
            f"array {index} has shape {given.shape} and dtype {given.dtype}, but buffer {index} "
            f"has shape {place.shape} and dtype {place.dtype}; return exactly that shape",
            array=index,
        )
    is_rounding = np.can_cast(given.dtype, place.dtype, "same_kind") and place.dtype.kind in "fc"
    if casting == "unsafe" or np.can_cast(given.dtype, place.dtype, "safe"):
        with np.errstate(all="ignore"):
            np.copyto(place, given, casting="unsafe")
    elif is_rounding:
        _round(given, place, index)
    else:
        _convert(given, place, index)


def _round(given: Array, place: Array, index: int) -> None:
    """Convert to fewer digits; a number that becomes infinite is an error."""
    try:
        with np.errstate(over="raise", invalid="ignore", under="ignore"):
            np.copyto(place, given, casting="same_kind")
    except FloatingPointError as error:
        raise _lossy(given, place, index, "a value is too large for it") from error


def _convert(given: Array, place: Array, index: int) -> None:
    """Convert to another kind of number and see whether every value is still the same."""
    try:
        with np.errstate(all="ignore"), warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of imaginary parts that are lost: it is seen below
            np.copyto(place, given, casting="unsafe")
            changed = place != given
    except (TypeError, ValueError) as error:
        raise _lossy(given, place, index, str(error)) from error
    if np.any(changed):
        at = np.unravel_index(int(np.argmax(changed)), given.shape) if given.ndim else ()
        raise _lossy(given, place, index, f"{given[at]} would become {place[at]}")


def _lossy(given: Array, place: Array, index: int, why: str) -> InvalidArgumentError:
    return InvalidArgumentError(
        f"array {index} of shape {given.shape} has dtype {given.dtype}, which does not fit the "
        f"buffer's dtype {place.dtype}: {why}; convert it in create_data, give the buffer another "
        "dtype, or allow it with casting='unsafe'",
        array=index,
    )


def _name(data: object) -> str:
    return "None" if data is None else f"an object of type {type(data).__name__}"
