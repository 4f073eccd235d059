"""Names the machine a license can be bound to."""

import hashlib
import platform
import sys
import uuid
from pathlib import Path

__all__ = ("machine_id_of", "this_machine_id")

_ID_FILES = (Path("/etc/machine-id"), Path("/var/lib/dbus/machine-id"))


def this_machine_id() -> str:
    """Return this machine's id: 32 hex digits that stay the same and tell nothing else about it."""
    return machine_id_of(_system_id())


def machine_id_of(system_id: str) -> str:
    """Return the id for what the system calls the machine."""
    return hashlib.sha256(f"penstock machine\n{system_id.strip()}".encode()).hexdigest()[:32]


def _system_id() -> str:
    for path in _ID_FILES:
        try:
            text = path.read_text(encoding="ascii").strip()
        except (OSError, UnicodeDecodeError):
            continue
        if text:
            return text
    return _windows_id() or _fallback_id()


def _windows_id() -> str:
    if sys.platform == "win32":
        import winreg  # noqa: PLC0415 - exists on Windows only

        try:
            with winreg.OpenKey(
                winreg.HKEY_LOCAL_MACHINE,
                r"SOFTWARE\Microsoft\Cryptography",
                access=winreg.KEY_READ | winreg.KEY_WOW64_64KEY,
            ) as key:
                return str(winreg.QueryValueEx(key, "MachineGuid")[0])
        except OSError:
            return ""
    return ""


def _fallback_id() -> str:
    """Return the first network card's address, or the host's name when there is none."""
    node = uuid.getnode()
    is_invented = bool(node >> 40 & 1)  # uuid makes one up when there is no card
    return platform.node() if is_invented else f"{node:012x}"
