"""A license that is bound to devices lets work only while one of them is connected."""

from engine.errors import LicenseDeviceError
from engine.handle._core import HandleCore
from engine.handle._device import DeviceStatus
from engine.handle.instrument import InstrumentDevice

__all__ = ("require_connected_device",)

_IN_USE = (DeviceStatus.Connected, DeviceStatus.Acquiring)


def require_connected_device(core: HandleCore, what: str) -> None:
    """Make sure that a device of the license is connected, when it is bound to devices.

    Others cannot be connected under such a license, so any instrument will do. Saving asks for
    nothing: what was measured can always be kept.

    Parameters
    ----------
    what : that is to be done, in the sentence.

    Raises
    ------
    LicenseDeviceError
        When none is connected, or the connection has broken.
    """
    if not core.terms.devices:
        return
    if any(device.status in _IN_USE for device in core.all_dependents(InstrumentDevice)):
        return
    names = ", ".join(repr(device) for device in core.terms.devices[:5])
    raise LicenseDeviceError(
        f"the license of {core.terms.licensee} is bound to devices ({names}), and none of them is "
        f"connected, so {what} is not possible; connect one with DeviceGroup first"
    )
