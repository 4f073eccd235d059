"""Finds the cameras of Video4Linux in the kernel's own list, without opening any."""

from pathlib import Path

from engine.drivers import DeviceInfo

__all__ = ("CLASS_FOLDER", "cameras_in")

CLASS_FOLDER = Path("/sys/class/video4linux")


def cameras_in(folder: Path = CLASS_FOLDER) -> list[DeviceInfo]:
    """Return the cameras, in the order of their numbers; none when there is no such folder.

    A USB camera has several nodes; only the first of each delivers pictures.
    """
    try:
        nodes = [one for one in folder.iterdir() if one.name.startswith("video")]
    except OSError:
        return []
    ordered = sorted(nodes, key=_number)
    return [_camera(one) for one in ordered if _text(one / "index") in ("", "0")]


def _camera(node: Path) -> DeviceInfo:
    usb = node / "device" / ".."  # the node hangs on an interface, that on the device
    name = _text(node / "name") or node.name
    return DeviceInfo(
        device_id=f"/dev/{node.name}",
        name=f"{name} at /dev/{node.name}",
        vendor=_text(usb / "manufacturer"),
        model=_text(usb / "product") or name,
        serial=_text(usb / "serial"),
    )


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8", errors="replace").strip()
    except OSError:
        return ""


def _number(node: Path) -> int:
    digits = node.name.removeprefix("video")
    return int(digits) if digits.isdecimal() else -1
