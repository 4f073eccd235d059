"""Keys: whose signature counts, and how to make a new pair."""

import hashlib
import logging
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import platformdirs
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from engine.errors import InvalidArgumentError

__all__ = (
    "KeyPair",
    "key_id_of",
    "load_key_pair",
    "new_key_pair",
    "site_keys_folder",
    "trusted_keys",
)

log = logging.getLogger(__name__)

# Raw public keys in hex. Nobody holds the private key that signed the community license.
_BUNDLED = ("19951ce9aa880591c5d3396d7f37132f4eeb35f832f4258d11f6e188e5a7ef76",)


@dataclass(frozen=True, slots=True)
class KeyPair:
    """A signer's private key and what follows from it."""

    private: Ed25519PrivateKey

    @property
    def key_id(self) -> str:
        """Short name of the key, which licenses carry."""
        return key_id_of(self.public)

    @property
    def public(self) -> bytes:
        """Raw public key, 32 bytes."""
        return self.private.public_key().public_bytes_raw()

    def private_pem(self) -> bytes:
        """Private key as PEM text (PKCS #8, not encrypted)."""
        return self.private.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )

    def public_pem(self) -> bytes:
        """Public key as PEM text, which sites put into their folder of trusted keys."""
        return self.private.public_key().public_bytes(
            serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
        )


def new_key_pair() -> KeyPair:
    """Make a new key to sign licenses with."""
    return KeyPair(Ed25519PrivateKey.generate())


def load_key_pair(pem: bytes) -> KeyPair:
    """Read a private key that `KeyPair.private_pem` wrote.

    Raises
    ------
    InvalidArgumentError
        When it is not an Ed25519 private key.
    """
    try:
        private = serialization.load_pem_private_key(pem, password=None)
    except (ValueError, TypeError) as error:
        raise InvalidArgumentError(f"not a private key in PEM format: {error}") from error
    if not isinstance(private, Ed25519PrivateKey):
        raise InvalidArgumentError("the private key is not an Ed25519 key; make one with keygen")
    return KeyPair(private)


def key_id_of(public: bytes) -> str:
    """Return the short name of a raw public key: 16 hex digits."""
    return hashlib.sha256(public).hexdigest()[:16]


def site_keys_folder() -> Path:
    """Return the folder whose ``*.pub`` files this user trusts (it need not exist)."""
    return platformdirs.user_config_path("penstock", appauthor=False) / "trusted_keys"


def trusted_keys(folder: Path | None = None) -> Mapping[str, bytes]:
    """Return raw public keys by key id: the bundled ones and those in the site's folder.

    A file that cannot be used is logged and left out; it hides no other key.
    """
    keys = {key_id_of(raw): raw for raw in map(bytes.fromhex, _BUNDLED)}
    for path in sorted((folder or site_keys_folder()).glob("*.pub")):
        try:
            public = serialization.load_pem_public_key(path.read_bytes())
        except (OSError, ValueError) as error:
            log.warning("trusted key %s cannot be used: %s", path.name, error)
            continue
        if not isinstance(public, Ed25519PublicKey):
            log.warning("trusted key %s cannot be used: it is not an Ed25519 key", path.name)
            continue
        raw = public.public_bytes_raw()
        keys[key_id_of(raw)] = raw
    return keys
