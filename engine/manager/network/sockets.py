"""Settings that both ends of a network connection share."""

import socket

import zmq

from engine.manager.address import NetworkAddress
from engine.manager.errors import ManagerUnavailableError
from engine.manager.network.messages import PART_BYTES

__all__ = ("SILENCE_S", "endpoint_of", "prepare")

_HANDSHAKE_S = 5.0
SILENCE_S = 8.0
_HEARTBEAT_S = 2.0
_HEADER_BYTES = 64 * 1024

Socket = zmq.Socket[bytes]


def prepare(end: Socket, *, is_ipv6: bool) -> None:
    """Set limits and heartbeats; call it before binding or connecting.

    Messages are checked against the limit before memory is taken for them. Who says nothing for
    `SILENCE_S`, not even a heartbeat, is gone.
    """
    end.setsockopt(zmq.LINGER, 0)
    end.setsockopt(zmq.IPV6, int(is_ipv6))
    end.setsockopt(zmq.MAXMSGSIZE, PART_BYTES + _HEADER_BYTES)
    end.setsockopt(zmq.HANDSHAKE_IVL, int(_HANDSHAKE_S * 1000))
    end.setsockopt(zmq.HEARTBEAT_IVL, int(_HEARTBEAT_S * 1000))
    end.setsockopt(zmq.HEARTBEAT_TIMEOUT, int((SILENCE_S - _HEARTBEAT_S) * 1000))


def endpoint_of(address: NetworkAddress) -> tuple[str, bool]:
    """Return an address in ZeroMQ's words with the host as a number, and whether it is IPv6.

    Raises
    ------
    ManagerUnavailableError
        When the host has no address.
    """
    try:
        found = socket.getaddrinfo(address.host, address.port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError) as error:
        raise ManagerUnavailableError(
            f"the host {address.host!r} of the device manager cannot be found: {error}"
        ) from error
    numbers = {family: str(place[0]) for family, *_, place in reversed(found)}
    if socket.AF_INET in numbers:
        return f"tcp://{numbers[socket.AF_INET]}:{address.port}", False
    return f"tcp://[{numbers[socket.AF_INET6]}]:{address.port}", True
