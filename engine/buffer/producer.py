"""The user's class that makes the data."""

from abc import ABC, abstractmethod
from typing import Any

import numpy as np

__all__ = ("Producer",)

Arrays = tuple[np.ndarray[Any, Any], ...]


class Producer(ABC):
    """Makes data from messages. Each producer process has its own copy of the object.

    A subclass defines `create_data`, or `create_data_into`, which saves a copy.
    """

    def __init_subclass__(cls, **keywords: Any) -> None:  # noqa: ANN401 - as in object
        super().__init_subclass__(**keywords)
        is_abstract = getattr(cls.create_data, "__isabstractmethod__", False)
        if is_abstract and cls.create_data_into is not Producer.create_data_into:
            cls.create_data = _create_data_by_writing  # type: ignore[method-assign]

    def build(self) -> None:  # noqa: B027 - most producers have nothing to build
        """Prepare, once in each producer process: for what cannot be pickled."""

    @abstractmethod
    def create_data(self, message: Any) -> Any:  # noqa: ANN401 - see the text
        """Return the data of a message: an array per buffer shape.

        With one shape, the bare array may be returned. Shapes must be exactly the buffers'; another
        dtype will do when every value survives the conversion.
        """

    def create_data_into(self, message: Any, out: Arrays) -> None:  # noqa: ANN401
        """Write the data of a message straight into the buffer, instead of `create_data`.

        Parameters
        ----------
        out : one array per buffer shape, of the buffers' dtypes. They still hold earlier data,
            and belong to somebody else once the method has returned.
        """
        raise NotImplementedError("create_data_into is for subclasses to define")


def _create_data_by_writing(self: Producer, message: Any) -> Any:  # noqa: ANN401
    raise NotImplementedError(f"{type(self).__name__} writes its data with create_data_into")
