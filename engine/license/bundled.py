"""The license that ships with Penstock."""

from engine.errors import LicenseUnreadableError
from engine.license.reading import load_license_file
from resources import resource_path

__all__ = ("bundled_license",)


def bundled_license() -> bytes:
    """Return the bundled community license, with which everything runs at the first start.

    Raises
    ------
    LicenseUnreadableError
        When this installation is damaged.
    """
    try:
        return load_license_file(resource_path("license/community.lic"))
    except FileNotFoundError as error:
        raise LicenseUnreadableError(str(error)) from error
