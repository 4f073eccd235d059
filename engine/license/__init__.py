"""Signed licenses: read and check them, ask what they allow, and issue them."""

from engine.license.bundled import bundled_license
from engine.license.envelope import sign_license
from engine.license.grants import Terms, limit, require, require_device, require_within
from engine.license.keys import (
    KeyPair,
    load_key_pair,
    new_key_pair,
    site_keys_folder,
    trusted_keys,
)
from engine.license.machine import this_machine_id
from engine.license.model import PRODUCT, License
from engine.license.reading import load_license_file, read_license
from engine.license.state import license_state

__all__ = (
    "PRODUCT",
    "KeyPair",
    "License",
    "Terms",
    "bundled_license",
    "license_state",
    "limit",
    "load_key_pair",
    "load_license_file",
    "new_key_pair",
    "read_license",
    "require",
    "require_device",
    "require_within",
    "sign_license",
    "site_keys_folder",
    "this_machine_id",
    "trusted_keys",
)
