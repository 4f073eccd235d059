"""The node map of a GenICam camera as live parameters."""

from collections.abc import Iterator
from typing import Any

from genicam import genapi  # type: ignore[import-untyped]  # has no types

from engine.config import ParameterValue
from engine.drivers.camera_features import STANDARD_FEATURES
from engine.drivers.live import LiveParameter
from engine.errors import DriverError, InvalidArgumentError

__all__ = ("NodeMapFeatures",)

_KINDS = {
    genapi.EInterfaceType.intfIInteger: "integer",
    genapi.EInterfaceType.intfIBoolean: "boolean",
    genapi.EInterfaceType.intfICommand: "command",
    genapi.EInterfaceType.intfIFloat: "number",
    genapi.EInterfaceType.intfIString: "text",
    genapi.EInterfaceType.intfIEnumeration: "choice",
}
_ACCESS = {
    genapi.EAccessMode.RO: "ro",
    genapi.EAccessMode.WO: "wo",
    genapi.EAccessMode.RW: "rw",
}
_LISTED = (genapi.EVisibility.Beginner, genapi.EVisibility.Expert)


class NodeMapFeatures:
    """Reads and sets the features of a camera.

    Parameters
    ----------
    node_map : of the remote device.
    device : what sentences call the camera.
    """

    def __init__(self, node_map: Any, device: str) -> None:  # noqa: ANN401 - has no types
        self._node_map = node_map
        self._device = device
        self._listed = [
            name
            for name in dict.fromkeys(
                (*_feature_names(node_map.get_node("Root")), *STANDARD_FEATURES)
            )
            if self._kind(name) and self._node(name).node.visibility in _LISTED
        ]
        self._affected = _dependents({name: self._node(name) for name in self._listed})

    def parameters(self) -> tuple[LiveParameter, ...]:
        """Read all features for users and experts."""
        return tuple(self._read(name) for name in self._listed)

    def find(self, name: str) -> LiveParameter | None:
        """Read one feature; None when the camera has none of that name."""
        return self._read(name) if self._kind(name) else None

    def value(self, name: str) -> Any:  # noqa: ANN401 - of the feature's own type
        """Return the value of a feature that every camera has.

        Raises
        ------
        DriverError
            When it cannot be read; the camera is gone then.
        """
        try:
            return self._node(name).value
        except (genapi.GenericException, AttributeError) as error:
            raise DriverError(
                f"{self._device} does not answer when asked for its {name}: {_words(error)}; "
                f"check cable and power"
            ) from error

    def set_value(self, name: str, value: ParameterValue) -> None:
        """Set a feature; raises `InvalidArgumentError` when the camera refuses it."""
        try:
            self._node(name).value = value
        except (genapi.GenericException, AttributeError, TypeError) as error:
            raise InvalidArgumentError(
                f"{self._device} does not take {value!r} for {name}: {_words(error)}",
                parameter=name,
            ) from error

    def run(self, name: str) -> None:
        """Run a command; raises `InvalidArgumentError` when the camera refuses it."""
        try:
            self._node(name).execute()
        except (genapi.GenericException, AttributeError) as error:
            raise InvalidArgumentError(
                f"{self._device} does not run {name}: {_words(error)}", parameter=name
            ) from error

    def _node(self, name: str) -> Any:  # noqa: ANN401 - has no types
        return self._node_map.get_node(name)

    def _kind(self, name: str) -> str:
        try:
            node = self._node(name)
        except genapi.GenericException:
            return ""
        if node is None or node.node.visibility == genapi.EVisibility.Invisible:
            return ""
        return _KINDS.get(node.node.principal_interface_type, "")

    def _read(self, name: str) -> LiveParameter:
        node = self._node(name)
        kind = self._kind(name)
        access = _ACCESS.get(node.get_access_mode(), "na")
        facts: dict[str, Any] = {}
        try:
            if kind in ("integer", "number") and access != "na":
                facts = {"minimum": node.min, "maximum": node.max, "unit": node.unit}
                facts["step"] = node.inc if kind == "integer" else None
            elif kind == "choice":
                facts["choices"] = _choices(node)
            if access in ("ro", "rw") and kind != "command":
                facts["value"] = node.value
        except genapi.GenericException:
            access = "na"  # it says that it can be read, and cannot
        return LiveParameter(
            name=name,
            kind=kind,
            label=node.node.display_name or name,
            help=node.node.tooltip or node.node.description or "",
            access=access,
            affects=self._affected.get(name, ()),
            **facts,
        )


def _choices(node: Any) -> tuple[str, ...]:  # noqa: ANN401 - has no types
    """Return the entries that can be chosen now; an entry's access says so."""
    return tuple(entry.symbolic for entry in node.entries if entry.get_access_mode() in _ACCESS)


def _feature_names(category: Any) -> Iterator[str]:  # noqa: ANN401 - has no types
    for feature in category.features:
        if feature.node.principal_interface_type == genapi.EInterfaceType.intfICategory:
            yield from _feature_names(feature)
        else:
            yield feature.node.name


def _dependents(nodes: dict[str, Any]) -> dict[str, tuple[str, ...]]:
    """Return which features are computed from each feature, by the camera's own description."""
    found: dict[str, list[str]] = {}
    for name, node in nodes.items():
        seen: set[str] = set()
        waiting = list(node.node.children)
        while waiting:
            child = waiting.pop()
            if child.node.name in seen:
                continue
            seen.add(child.node.name)
            waiting += child.node.children
        for cause in seen - {name}:
            found.setdefault(cause, []).append(name)
    return {cause: tuple(names) for cause, names in found.items()}


def _words(error: BaseException) -> str:
    """Return what GenApi says, without where in its source it says so."""
    text = str(error).split(" : ")[0].strip()
    return text.rstrip(".") or type(error).__name__
