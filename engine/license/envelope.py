"""The license file: a JSON object that holds the license as text, its signature and the signer.

The signature (Ed25519) covers a fixed prefix and then the payload text byte by byte. Around the
payload only the one spelling that `sign_license` writes is accepted (line ends may be changed by
mail or editors), so that no byte of a license can be changed unnoticed.
"""

import base64
from collections.abc import Mapping
from typing import Literal

import msgspec
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from engine.errors import (
    LicenseEmptyError,
    LicenseMalformedError,
    LicenseSignatureError,
    LicenseSignerError,
    LicenseTruncatedError,
)
from engine.license.keys import KeyPair, site_keys_folder
from engine.license.model import License

__all__ = ("open_envelope", "sign_license")

_SIZE_LIMIT_BYTES = 64 * 1024
_PREFIX = b"penstock license 1\n"
_VERSION = 1
_START = b'{"format":"penstock-license"'  # of every license file, blanks left out


class _Envelope(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    format: Literal["penstock-license"]
    version: int
    payload: str
    signature: str
    key_id: str


def sign_license(terms: License, key: KeyPair) -> bytes:
    """Return the license file's content, signed with `key`."""
    payload = msgspec.json.encode(terms, order="sorted")
    envelope = _Envelope(
        format="penstock-license",
        version=_VERSION,
        payload=payload.decode(),
        signature=base64.b64encode(key.private.sign(_PREFIX + payload)).decode(),
        key_id=key.key_id,
    )
    return _spelled(envelope) + b"\n"


def open_envelope(data: bytes, keys: Mapping[str, bytes], what: str) -> License:
    """Return the license in `data` when somebody in `keys` signed exactly this.

    Dates, product and machine are not looked at.

    Parameters
    ----------
    keys : raw public keys (32 bytes) by key id.
    what : names the license in errors.

    Raises
    ------
    LicenseMalformedError
        The data is empty, cut off, or no license.
    LicenseSignatureError
        It was changed, or its signer is unknown.
    """
    envelope = _parse(data, what)
    changed = f"{what} was changed after it was signed; use the file as you received it"
    if _spelled(envelope) != _text_of(data):
        raise LicenseSignatureError(changed)
    key = keys.get(envelope.key_id)
    if key is None:
        raise LicenseSignerError(
            f"{what} is signed with the key {envelope.key_id[:40]!r}, which is not trusted here; "
            f"put the signer's public key (*.pub) into {site_keys_folder()}",
            key_id=envelope.key_id[:40],
        )
    payload = envelope.payload.encode()
    try:
        signature = _signature_of(envelope)
        Ed25519PublicKey.from_public_bytes(key).verify(signature, _PREFIX + payload)
    except (InvalidSignature, ValueError) as error:
        raise LicenseSignatureError(changed, key_id=envelope.key_id) from error
    try:
        return msgspec.json.decode(payload, type=License)
    except msgspec.MsgspecError as error:
        raise LicenseMalformedError(
            f"{what} is genuine but was made for another version of Penstock ({error}); "
            "update Penstock or ask for a license for this version"
        ) from error


def _parse(data: bytes, what: str) -> _Envelope:
    text = _text_of(data)
    if not text:
        raise LicenseEmptyError(f"{what} is empty; use the file as you received it")
    if len(data) > _SIZE_LIMIT_BYTES:
        raise LicenseMalformedError(f"{what} is larger than 64 KiB, so it is no license file")
    try:
        envelope = msgspec.json.decode(text, type=_Envelope)
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise _not_an_envelope(text, what) from error
    if envelope.version != _VERSION:
        raise LicenseMalformedError(
            f"{what} has the file version {envelope.version}, this Penstock reads {_VERSION}; "
            "update Penstock or ask for a license for this version"
        )
    return envelope


def _not_an_envelope(text: bytes, what: str) -> LicenseMalformedError:
    """Say what it may be that could not be parsed."""
    head = b"".join(text[:200].split())[: len(_START)]
    if _START.startswith(head) and not text.endswith(b"\n}"):
        return LicenseTruncatedError(
            f"{what} is cut off, its end is missing; copy the file again as you received it"
        )
    if b"penstock-license" in text:
        return LicenseMalformedError(f"{what} is damaged; use the file as you received it")
    return LicenseMalformedError(
        f"{what} is not a Penstock license; choose a license file (usually *.lic)"
    )


def _signature_of(envelope: _Envelope) -> bytes:
    signature = base64.b64decode(envelope.signature, validate=True)
    if base64.b64encode(signature).decode() != envelope.signature:
        raise ValueError("unused bits at the end of the base64 text are set")
    return signature


def _spelled(envelope: _Envelope) -> bytes:
    return msgspec.json.format(msgspec.json.encode(envelope), indent=2)


def _text_of(data: bytes) -> bytes:
    """Undo what mail programs and editors do to line ends."""
    return bytes(data).replace(b"\r\n", b"\n").strip(b" \t\r\n")
