"""The license in use and where it comes from."""

from engine.protocol import LicenseState, LoadLicense
from ui.viewmodels.base import ViewModel
from ui.viewmodels.states import Sign

__all__ = ("LicenseViewModel",)


class LicenseViewModel(ViewModel):
    """What the license says, and loading another one."""

    @property
    def license(self) -> LicenseState:
        """The license in use."""
        return self.snapshot.license

    @property
    def is_bundled(self) -> bool:
        """Whether the community license that ships with the program is in use."""
        return not self.snapshot.project.engine.license

    @property
    def sign(self) -> Sign:
        """How the license stands."""
        if self.license.is_valid:
            return Sign("circle-check", "valid", "ok")
        return Sign("circle-x", "not valid", "error")

    @property
    def details(self) -> tuple[tuple[str, str], ...]:
        """Title and text of what the license says; empty ones are left out."""
        state = self.license
        limits = ", ".join(
            f"{name.replace('_', ' ')} {count}" for name, count in sorted(state.limits.items())
        )
        rows = (
            ("Licensed to", state.licensee),
            ("Product", state.product),
            ("Valid from", state.valid_from),
            ("Valid until", state.valid_until),
            ("Features", ", ".join(state.features)),
            ("Limits", limits),
            ("Machine", state.machine_id or ("any" if state.is_valid else "")),
            ("Devices", ", ".join(state.devices)),
            ("License number", state.license_id),
            ("File", "bundled with Penstock" if self.is_bundled else state.path),
        )
        return tuple((title, text) for title, text in rows if text)

    def load(self, path: str) -> None:
        """Use a license file."""
        if path:
            self.ask(LoadLicense(path))

    def use_bundled(self) -> None:
        """Return to the bundled community license."""
        self.ask(LoadLicense())
