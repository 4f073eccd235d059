"""Fields for what must not be read over somebody's shoulder."""

from urllib.parse import urlsplit

from PySide6.QtWidgets import QLineEdit

__all__ = ("AddressEdit", "SecretEdit")

_HIDDEN = "\u2022" * 5


class SecretEdit(QLineEdit):
    """A password, shown as dots."""

    def __init__(self) -> None:
        super().__init__()
        self.setEchoMode(QLineEdit.EchoMode.Password)


class AddressEdit(QLineEdit):
    """An address; a password that was in it already stands there as dots, and stays in it."""

    def __init__(self) -> None:
        super().__init__()
        self._password = ""

    def address(self) -> str:
        """Return the address with its password."""
        return self.text().strip().replace(f":{_HIDDEN}@", f":{self._password}@", 1)

    def set_address(self, address: str) -> None:
        """Show an address."""
        self._password = _password_of(address)
        hidden = f":{self._password}@"
        self.setText(address.replace(hidden, f":{_HIDDEN}@", 1) if self._password else address)
        self.setCursorPosition(0)


def _password_of(address: str) -> str:
    """Return the password as it is spelled in the address, empty when there is none."""
    try:
        return urlsplit(address).password or ""
    except ValueError:
        return ""
