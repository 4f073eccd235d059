"""Drivers, the devices programs run on, and the folders drivers are looked for in."""

from dataclasses import dataclass

from engine.protocol import (
    AddDriverFolder,
    DriverParameter,
    DriverState,
    PluginAvailability,
    RemoveDriverFolder,
)
from ui.bridge.protocols import EngineControl
from ui.viewmodels.base import ViewModel

__all__ = ("DeviceRow", "DriversViewModel", "parameter_text")


@dataclass(frozen=True)
class DeviceRow:
    """A device as the list shows it: its name and the plugins that can use it."""

    name: str
    plugins: str


class DriversViewModel(ViewModel):
    """Which drivers there are and where they come from."""

    def __init__(self, control: EngineControl) -> None:
        super().__init__(control)
        self.opened = ""

    @property
    def drivers(self) -> tuple[DriverState, ...]:
        """All drivers that were found."""
        return self.snapshot.drivers

    @property
    def folders(self) -> tuple[str, ...]:
        """Further folders to look in, from the project."""
        return self.snapshot.project.engine.driver_directories

    @property
    def devices(self) -> tuple[DeviceRow, ...]:
        """Devices that usable plugins reported."""
        users: dict[str, list[str]] = {}
        for plugin in self.snapshot.plugins:
            if plugin.availability is PluginAvailability.AVAILABLE:
                for device in plugin.devices:
                    users.setdefault(device, []).append(plugin.name)
        return tuple(DeviceRow(name, ", ".join(names)) for name, names in users.items())

    def toggle(self, name: str) -> None:
        """Open a driver's details, or close them when they are open."""
        self.opened = "" if self.opened == name else name
        self.tell()

    def users_of(self, name: str) -> tuple[str, ...]:
        """Return the names of the streams that use a driver."""
        return tuple(s.name for s in self.snapshot.project.streams if s.driver == name)

    def add_folder(self, path: str) -> bool:
        """Look for drivers in a folder; False when it is refused (see `message`)."""
        path = path.strip()
        if not path:
            self.message = "Choose the folder that contains the drivers."
        elif path in self.folders:
            self.message = "This folder is looked in already."
        else:
            self.ask(AddDriverFolder(path))
            return True
        self.tell()
        return False

    def remove_folder(self, path: str) -> None:
        """Stop looking for drivers in a folder."""
        self.ask(RemoveDriverFolder(path))


def parameter_text(parameter: DriverParameter) -> str:
    """Return kind, range and default of a parameter in one line."""
    parts = [parameter.kind]
    unit = f" {parameter.unit}" if parameter.unit else ""
    low, high = parameter.minimum, parameter.maximum
    if low is not None and high is not None:
        parts.append(f"{low:g} to {high:g}{unit}")
    elif low is not None:
        parts.append(f"from {low:g}{unit}")
    elif high is not None:
        parts.append(f"up to {high:g}{unit}")
    if parameter.choices:
        parts.append(" / ".join(parameter.choices))
    if parameter.is_required:
        parts.append("needed")
    elif parameter.default not in ("", None):
        parts.append(f"default {_value_text(parameter.default)}{'' if low is not None else unit}")
    return ", ".join(parts)


def _value_text(value: str | float | bool) -> str:
    if isinstance(value, bool):
        return "on" if value else "off"
    return f"{value:g}" if isinstance(value, int | float) else value
