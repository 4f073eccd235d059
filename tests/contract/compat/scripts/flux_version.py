"""The spectral engine's module, and an error of it."""

import fluxEngine

try:
    fluxEngine.Handle(b"no license")
except Exception as error:  # noqa: BLE001 - as scripts do
    print(type(error).__name__, bool(fluxEngine.versionString()))
