"""Finds GenTL producers, and opens them with harvesters where it is installed."""

import os
from pathlib import Path
from typing import Any

from engine.drivers import DeviceInfo
from engine.errors import DriverError, MediaError

__all__ = ("device_info", "device_list", "gentl_error", "open_producers", "producer_files")

_VARIABLE = "GENICAM_GENTL64_PATH"


def producer_files(given: str) -> list[Path]:
    """Return the producer that was given, or all in the folders of GENICAM_GENTL64_PATH.

    Raises
    ------
    MediaError
        When there is none.
    """
    if given:
        if not Path(given).is_file():
            raise MediaError(
                f"the GenTL producer {given} does not exist; give the .cti file that comes with "
                f"the maker's software",
                file=given,
            )
        return [Path(given)]
    folders = [Path(one) for one in os.environ.get(_VARIABLE, "").split(os.pathsep) if one]
    found = [path for folder in folders for path in sorted(folder.glob("*.cti"))]
    if not found:
        raise MediaError(
            f"there is no GenTL producer: give the maker's .cti file as the parameter producer, "
            f"or let {_VARIABLE} name its folder"
        )
    return found


def open_producers(given: str) -> Any:  # noqa: ANN401 - harvesters has no types
    """Return a `Harvester` that knows the devices of one producer, or of all that are installed.

    Raises
    ------
    MediaError
        When harvesters is not installed, or there is no producer that can be loaded.
    """
    try:
        from genicam.gentl import GenericException  # type: ignore[import-untyped]  # noqa: PLC0415
        from harvesters.core import Harvester  # type: ignore[import-untyped]  # noqa: PLC0415
    except ImportError as error:
        raise MediaError(
            f"GenICam cameras need the packages genicam and harvesters ({error}); install them "
            f"with: pip install 'penstock[genicam]'"
        ) from error
    harvester = Harvester()
    problems = []
    for path in producer_files(given):
        try:
            harvester.add_file(str(path), check_existence=True, check_validity=True)
        except (GenericException, OSError) as error:
            problems.append(f"{path}: {error}")
    if not harvester.files:
        harvester.reset()
        raise MediaError(f"no GenTL producer can be loaded: {'; '.join(problems)}")
    try:
        harvester.update()
    except GenericException as error:
        harvester.reset()
        raise DriverError(f"the GenTL producer cannot list its devices: {error}") from error
    return harvester


def gentl_error() -> type[Exception]:
    """Return the class of what goes wrong in a producer; for use once they are open."""
    from genicam.gentl import GenericException  # noqa: PLC0415

    kind: type[Exception] = GenericException
    return kind


def device_list(harvester: Any) -> list[DeviceInfo]:  # noqa: ANN401 - harvesters has no types
    """Return what the producers found; devices without a serial number are known by their id."""
    return [device_info(one.property_dict) for one in harvester.device_info_list]


def device_info(properties: dict[str, Any]) -> DeviceInfo:
    """Describe a device by what its producer says of it."""
    serial = str(properties.get("serial_number") or "")
    identity = str(properties.get("id_") or "")
    own_name = properties.get("user_defined_name") or properties.get("display_name")
    return DeviceInfo(
        device_id=identity or serial,
        name=str(own_name or identity or serial),
        vendor=str(properties.get("vendor") or ""),
        model=str(properties.get("model") or ""),
        serial=serial,
    )
