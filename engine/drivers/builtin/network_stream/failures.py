"""What went wrong with a connection, in one sentence that contains no secret."""

import errno
import os
import socket

import av

from engine.drivers.builtin.network_stream.address import Address

__all__ = ("NoVideoError", "reason_of")

_UNREACHABLE = (errno.EHOSTUNREACH, errno.ENETUNREACH, errno.ENETDOWN, errno.EHOSTDOWN)
_NOT_OURS = (errno.EADDRNOTAVAIL, errno.EADDRINUSE)
_CUT = (
    errno.ECONNRESET,
    errno.EPIPE,
    errno.ECONNABORTED,
    errno.EIO,
)  # the last is what FFmpeg says
_NUMBER_LIMIT = 1000  # above it are FFmpeg's own


class NoVideoError(Exception):
    """What was opened has no video in it."""


_ANSWERS: tuple[tuple[type[BaseException], str], ...] = (
    (NoVideoError, "{place} sends no video; check the address"),
    (av.error.HTTPUnauthorizedError, "{place} wants another user or password (401); check both"),
    (
        av.error.HTTPForbiddenError,
        "{place} does not let this user see it (403); check the user's rights",
    ),
    (av.error.HTTPNotFoundError, "{place} has nothing under this path (404); check the address"),
    (av.error.HTTPTooManyRequestsError, "{place} has too many viewers (429); end another one"),
    (av.error.HTTPServerError, "{place} has a problem of its own (5xx); look at its log"),
    (av.error.HTTPError, "{place} refuses the request; check the address"),
    (av.error.InvalidDataError, "what {place} sends is no video that can be read"),
    (av.error.DemuxerNotFoundError, "what {place} sends is no video that can be read"),
    (av.error.ProtocolNotFoundError, "{scheme} addresses cannot be read here"),
    (av.error.EOFError, "{place} ended the connection"),
)


def reason_of(error: BaseException, address: Address, timeout_s: float) -> str:
    """Return why a connection failed or ended, and what to do.

    The text of the error itself is not used: FFmpeg writes the whole address into it.
    """
    if isinstance(error, socket.gaierror):
        return f"the host {address.host!r} is not known; check the address"
    if isinstance(error, av.error.ExitError | TimeoutError):
        return f"nothing came from {address.place} within {timeout_s:g} s; check that it sends"
    return _answered(error, address) or _system(error, address)


def _answered(error: BaseException, address: Address) -> str:
    """Say what the server said."""
    for kind, words in _ANSWERS:
        if isinstance(error, kind):
            return words.format(place=address.place, scheme=address.scheme)
    return ""


def _system(error: BaseException, address: Address) -> str:
    number = error.errno if isinstance(error, OSError | av.FFmpegError) else None
    if number == errno.ECONNREFUSED:
        return f"nobody answers at {address.place}; check the address, and that it is switched on"
    if number in _UNREACHABLE:
        return f"{address.host} cannot be reached; check the network"
    if number in _NOT_OURS:
        return f"this machine cannot listen at {address.place}; choose another port or address"
    if number in _CUT:
        return f"{address.place} ended the connection"
    if number and 0 < number < _NUMBER_LIMIT:
        return f"{address.place} failed: {os.strerror(number).lower()}"
    return f"{address.place} sends what cannot be read ({type(error).__name__})"
