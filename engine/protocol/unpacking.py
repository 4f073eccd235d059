"""Decodes what came from another process, which may be anything at all."""

from typing import Any, Protocol

import msgspec

__all__ = ("unpack",)


class _Decoder(Protocol):
    def decode(self, buf: Any, /) -> Any: ...  # noqa: ANN401 - msgspec's own types


def unpack(decoder: _Decoder, data: bytes) -> Any:  # noqa: ANN401 - see above
    """Return what `decoder` makes of `data`.

    Raises
    ------
    msgspec.DecodeError
        Whatever is wrong with it. Texts that are not UTF-8 and endless nesting come out of msgspec
        0.22 as `UnicodeDecodeError` and `RecursionError`, for which nobody is prepared.
    """
    try:
        return decoder.decode(data)
    except UnicodeDecodeError as error:
        raise msgspec.DecodeError("a text in it is not UTF-8") from error
    except RecursionError as error:
        raise msgspec.DecodeError("it is nested too deeply") from error
