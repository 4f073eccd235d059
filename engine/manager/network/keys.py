"""Keys for device managers over a network: who this machine is, and whom it trusts.

All are CURVE keys in TOML files of one folder: a pair for the manager, a pair for programs that
use managers elsewhere, the public keys of clients that are allowed here, and those of managers
that are trusted.
"""

import contextlib
import hashlib
import os
import re
import struct
import tomllib
from pathlib import Path

import msgspec
import platformdirs
import zmq
from zmq.utils import z85

from engine.errors import InvalidArgumentError
from engine.manager.address import NetworkAddress
from engine.manager.errors import ManagerKeyError

__all__ = ("CLIENT", "MANAGER", "KeyPair", "ManagerKeys", "fingerprint", "read_public")

CLIENT = "client"
MANAGER = "manager"

_FOLDER = "PENSTOCK_MANAGER_KEYS"
_CLIENT_KEY = "PENSTOCK_MANAGER_KEY"
_MANAGER_KEY = "PENSTOCK_MANAGER_SERVER_KEY"
_LONGEST_FILE = 4096
_KEY_BYTES = 32
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
_OTHERS = 0o077


class KeyPair(msgspec.Struct, frozen=True):
    """Both halves of a key, as Z85 text of 40 characters."""

    public: str
    secret: str


class _KeyFile(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    kind: str
    public: str
    secret: str = ""

    def __post_init__(self) -> None:
        if self.kind not in (CLIENT, MANAGER):
            raise ValueError(f"kind is {CLIENT!r} or {MANAGER!r}, not {self.kind!r}")
        _decoded("public", self.public)
        if self.secret:
            _decoded("secret", self.secret)
            if zmq.curve_public(self.secret.encode()).decode() != self.public:
                raise ValueError("the secret and the public half do not belong together")


class ManagerKeys:
    """The keys of this machine's user.

    Parameters
    ----------
    folder : where they lie; that of ``PENSTOCK_MANAGER_KEYS``, else one beside the settings.
    """

    def __init__(self, folder: Path | None = None) -> None:
        config = platformdirs.user_config_path("penstock", appauthor=False)
        self.folder = folder or Path(os.environ.get(_FOLDER) or config / "manager")

    # -- pairs

    def make(self, kind: str, folder: Path | None = None, *, replace: bool = False) -> Path:
        """Make a pair, ``KIND.key`` (for this user only) and ``KIND.pub``; return the latter.

        Raises
        ------
        InvalidArgumentError
            When there is one already and it is not to be replaced, or it cannot be written.
        """
        folder = folder or self.folder
        public, secret = (half.decode() for half in zmq.curve_keypair())
        secret_path = folder / f"{kind}.key"
        if secret_path.exists() and not replace:
            raise InvalidArgumentError(
                f"there is a key in {secret_path} already; who trusts it would have to be told of "
                "a new one: say --replace, or give another --out",
                path=str(secret_path),
            )
        owner = "manager" if kind == MANAGER else "client of device managers"
        head = f"# Secret key of a {owner}; keep it to yourself.\n"
        _write(secret_path, head + _text(kind, public) + f'secret = "{secret}"\n', 0o600)
        head = f"# Public key of a {owner}; may be given to anybody.\n"
        return _write(folder / f"{kind}.pub", head + _text(kind, public), 0o644)

    def manager_pair(self) -> KeyPair:
        """Return this manager's pair.

        Raises
        ------
        ManagerKeyError
            When there is none, or it cannot be used.
        """
        path = self.folder / f"{MANAGER}.key"
        if not path.exists():
            raise ManagerKeyError(
                f"this device manager has no key ({path} is missing); make one with "
                "'penstock manager keygen --manager'",
                path=str(path),
            )
        return _read_pair(path, MANAGER)

    def client_pair(self, address: NetworkAddress) -> KeyPair:
        """Return the pair of programs of this user.

        Raises
        ------
        ManagerKeyError
            When there is none, or it cannot be used.
        """
        path = Path(os.environ.get(_CLIENT_KEY) or self.folder / f"{CLIENT}.key")
        if not path.exists():
            raise ManagerKeyError(
                f"there is no key to reach the device manager at {address} with ({path} is "
                "missing); make one with 'penstock manager keygen', and have its client.pub "
                "allowed there with 'penstock manager allow NAME client.pub'",
                path=str(path),
            )
        return _read_pair(path, CLIENT)

    # -- clients that are allowed

    def allow(self, name: str, public_file: Path) -> str:
        """Allow a client; return its public key.

        Raises
        ------
        InvalidArgumentError, ManagerKeyError
            When the name or the file cannot be used, or the name has another key already.
        """
        if not _NAME.fullmatch(name):
            raise InvalidArgumentError(
                f"{name!r} is no name for a key; use letters, digits, '.', '-' and '_'"
            )
        public = read_public(public_file, CLIENT)
        known = self.allowed()
        if known.get(public, name) != name:
            raise InvalidArgumentError(f"this key is allowed already, as {known[public]!r}")
        if name in known.values() and public not in known:
            raise InvalidArgumentError(
                f"{name!r} is the name of another key; use another name, or revoke that one first "
                f"with 'penstock manager revoke {name}'"
            )
        _write(self.folder / "allowed" / f"{name}.pub", _text(CLIENT, public), 0o600)
        return public

    def revoke(self, name: str) -> None:
        """Allow a client no longer; what it has open is ended within two seconds.

        Raises
        ------
        InvalidArgumentError
            When no client of that name is allowed.
        """
        path = self.folder / "allowed" / f"{name}.pub"
        if not _NAME.fullmatch(name) or not path.exists():
            names = ", ".join(sorted(self.allowed().values())) or "none"
            raise InvalidArgumentError(f"no key is called {name!r}; allowed are: {names}")
        path.unlink()

    def allowed(self) -> dict[str, str]:
        """Return the names of the clients that are allowed, by public key; broken files are not."""
        found: dict[str, str] = {}
        with contextlib.suppress(OSError):
            for path in sorted((self.folder / "allowed").glob("*.pub")):
                with contextlib.suppress(ManagerKeyError):
                    found[read_public(path, CLIENT)] = path.stem
        return found

    # -- managers that are trusted

    def trust(self, address: NetworkAddress, public_file: Path) -> str:
        """Note the key of the manager at an address; return it."""
        public = read_public(public_file, MANAGER)
        _write(self._trusted_path(address), _text(MANAGER, public), 0o600)
        return public

    def manager_key(self, address: NetworkAddress) -> str:
        """Return the public key of the manager at an address.

        Raises
        ------
        ManagerKeyError
            When it is not known, or its file cannot be used.
        """
        path = Path(os.environ.get(_MANAGER_KEY) or self._trusted_path(address))
        if not path.exists():
            raise ManagerKeyError(
                f"the key of the device manager at {address} is not known here ({path} is "
                "missing); copy its manager.pub to this machine and run 'penstock manager trust "
                f"{address.host} manager.pub --port {address.port}'",
                path=str(path),
            )
        return read_public(path, MANAGER)

    def trusted(self) -> dict[str, str]:
        """Return the public keys of trusted managers, by the name of their file."""
        found: dict[str, str] = {}
        with contextlib.suppress(OSError):
            for path in sorted((self.folder / "trusted").glob("*.pub")):
                with contextlib.suppress(ManagerKeyError):
                    found[path.stem] = read_public(path, MANAGER)
        return found

    def _trusted_path(self, address: NetworkAddress) -> Path:
        host = re.sub(r"[^A-Za-z0-9._-]", "_", address.host)
        return self.folder / "trusted" / f"{host}-{address.port}.pub"


def read_public(path: Path, kind: str) -> str:
    """Return the public key in a file.

    Raises
    ------
    ManagerKeyError
        When it has none, is of the other kind, or has a secret key that should not be passed on.
    """
    key = _read(path)
    if key.secret:
        raise ManagerKeyError(
            f"{path} has a secret key, which never leaves its machine; use the file that ends in "
            ".pub beside it",
            path=str(path),
        )
    _check_kind(path, key, kind)
    return key.public


def fingerprint(public: str) -> str:
    """Return a short text to compare keys by, over the phone for example."""
    digest = hashlib.sha256(z85.decode(public.encode())).hexdigest()
    return ":".join(digest[at : at + 4] for at in range(0, 16, 4))


def _read_pair(path: Path, kind: str) -> KeyPair:
    key = _read(path)
    _check_kind(path, key, kind)
    if not key.secret:
        raise ManagerKeyError(
            f"{path} has no secret key; use the file that ends in .key", path=str(path)
        )
    if os.name == "posix" and path.stat().st_mode & _OTHERS:
        raise ManagerKeyError(
            f"the secret key {path} may be read by others; run 'chmod 600 {path}', or make a new "
            "one if somebody else may have it",
            path=str(path),
        )
    return KeyPair(key.public, key.secret)


def _read(path: Path) -> _KeyFile:
    try:
        with path.open("rb") as file:
            data = file.read(_LONGEST_FILE + 1)
        if len(data) > _LONGEST_FILE:
            raise ValueError("it is too large")
        return msgspec.convert(tomllib.loads(data.decode("utf-8")), _KeyFile)
    except OSError as error:
        raise ManagerKeyError(
            f"the key {path} cannot be read: {error.strerror}", path=str(path)
        ) from error
    except ValueError as error:  # of TOML, UTF-8 and msgspec as well
        raise ManagerKeyError(
            f"{path} is not a key of a device manager or its client: {error}", path=str(path)
        ) from error


def _check_kind(path: Path, key: _KeyFile, kind: str) -> None:
    if key.kind != kind:
        raise ManagerKeyError(
            f"{path} is the key of a {key.kind}, and that of a {kind} is needed", path=str(path)
        )


def _decoded(half: str, text: str) -> None:
    try:
        size = len(z85.decode(text.encode("ascii")))
    except (ValueError, KeyError, struct.error) as error:
        raise ValueError(f"its {half} half is not Z85 text") from error
    if size != _KEY_BYTES:
        raise ValueError(f"its {half} half is not a key of {_KEY_BYTES} bytes")


def _text(kind: str, public: str) -> str:
    return f'kind = "{kind}"\npublic = "{public}"\n'


def _write(path: Path, text: str, mode: int) -> Path:
    """Write a file as a whole; nobody ever sees half of it, or with other rights."""
    fresh = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        fd = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode)
        with os.fdopen(fd, "w", encoding="ascii") as file:
            file.write(text)
        fresh.replace(path)
    except OSError as error:
        fresh.unlink(missing_ok=True)
        raise InvalidArgumentError(
            f"the key {path} cannot be written: {error.strerror}", path=str(path)
        ) from error
    return path
