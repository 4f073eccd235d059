"""Where a stream comes from, in two forms: complete for FFmpeg, and without secrets for people."""

import re
from dataclasses import dataclass, field
from urllib.parse import SplitResult, quote, urlsplit

from engine.errors import MediaError

__all__ = ("SCHEMES", "Address", "parse_address")

SCHEMES = ("rtsp", "rtsps", "http", "https", "udp")
_DEFAULT_PORTS = {"rtsp": 554, "rtsps": 322, "http": 80, "https": 443}
_SECRET = re.compile(r"(?i)((?:pass|pwd|token|key|secret|auth|user|login)\w*=)[^&;/]*")
_EXAMPLE = "an address looks like rtsp://192.168.0.20/stream1"


@dataclass(frozen=True, slots=True)
class Address:
    """A source in the network.

    Attributes
    ----------
    url : complete, with user and password; only for FFmpeg, never for a message.
    shown : without user, password and query; for logs and errors.
    scheme : one of `SCHEMES`.
    host : name or number, empty for a UDP port on all of this machine's addresses.
    port : 0 when a UDP address does not say it.
    """

    url: str = field(repr=False)
    shown: str
    scheme: str
    host: str
    port: int

    @property
    def place(self) -> str:
        """Host and port, as messages name them."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{host}:{self.port}"


def parse_address(text: str, user: str = "", password: str = "") -> Address:
    """Read an address; `user` and `password` replace those in it.

    Raises
    ------
    MediaError
        When it cannot be used; the sentence never repeats what could be a secret.
    """
    try:
        parts = urlsplit(text.strip())
        port = parts.port or _DEFAULT_PORTS.get(parts.scheme.lower(), 0)
        host = parts.hostname or ""
    except ValueError:  # its message repeats what was wrong, which may be a password
        raise MediaError(f"the address of the network stream is not complete; {_EXAMPLE}") from None
    scheme = parts.scheme.lower()
    if scheme not in SCHEMES:
        known = ", ".join(f"{one}://" for one in SCHEMES)
        raise MediaError(f"the address of a network stream begins with one of {known}; {_EXAMPLE}")
    if not host and scheme != "udp":
        raise MediaError(f"the address of the network stream names no host; {_EXAMPLE}")
    if not port:
        raise MediaError(
            "the UDP address of the network stream needs a port; it looks like udp://:5000"
        )
    return Address(
        url=_complete(parts, user, password),
        shown=_shown(parts, host, scheme),
        scheme=scheme,
        host=host,
        port=port,
    )


def _complete(parts: SplitResult, user: str, password: str) -> str:
    if not (user or password):
        return parts.geturl()
    known_user, known_password = parts.username or "", parts.password or ""
    login = quote(user, safe="") if user else known_user
    secret = quote(password, safe="") if password else known_password
    place = parts.netloc.rpartition("@")[2]
    return parts._replace(netloc=f"{login}:{secret}@{place}").geturl()


def _shown(parts: SplitResult, host: str, scheme: str) -> str:
    """Leave out the user, and what cameras take for passwords in path and query."""
    place = f"[{host}]" if ":" in host else host
    port = "" if parts.port is None else f":{parts.port}"
    query = "?..." if parts.query else ""
    path = _SECRET.sub(r"\1...", parts.path)
    return f"{scheme}://{place}{port}{path}{query}"
