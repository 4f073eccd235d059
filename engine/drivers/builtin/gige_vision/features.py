"""The features of a GigE Vision camera as live parameters."""

import contextlib
from collections.abc import Iterator
from typing import Any

from engine.config import ParameterValue
from engine.drivers.builtin.gige_vision.aravis import Aravis, AravisError, text_of, texts_in_list
from engine.drivers.builtin.gige_vision.dependencies import affected_features
from engine.drivers.camera_features import STANDARD_FEATURES
from engine.drivers.live import LiveParameter
from engine.errors import DriverError, InvalidArgumentError

__all__ = ("DeviceFeatures",)

# In this order: an enumeration is an integer and a string as well.
_KINDS = {
    "enumeration": "choice",
    "command": "command",
    "boolean": "boolean",
    "integer": "integer",
    "float": "number",
    "string": "text",
}
_ACCESS = {0: "ro", 1: "wo", 2: "rw"}
_INVISIBLE, _GURU = 0, 1


class DeviceFeatures:
    """Reads and sets the features of a camera, by their GenICam names.

    Parameters
    ----------
    camera : the library's camera, which must outlive this.
    name : what sentences call the camera.
    """

    def __init__(self, library: Aravis, camera: int, name: str) -> None:
        self._library = library
        self._plain = library.plain
        self._name = name
        self._names: frozenset[str] = frozenset()
        self._description = self._plain.arv_device_get_genicam(
            self._plain.arv_camera_get_device(camera)
        )
        self._affected = affected_features(library.description(camera))
        self._listed = [
            one
            for one in dict.fromkeys((*self._names_in("Root"), *STANDARD_FEATURES))
            if (node := self._node(one))
            and self._kind(node)
            and self._plain.arv_gc_feature_node_get_visibility(node) not in (_INVISIBLE, _GURU)
        ]
        self._names = frozenset(self._listed)

    def parameters(self) -> tuple[LiveParameter, ...]:
        """Read all features for users and experts."""
        return tuple(found for name in self._listed if (found := self.find(name)) is not None)

    def find(self, name: str) -> LiveParameter | None:
        """Read one feature; None when the camera has none of that name."""
        node = self._node(name)
        kind = self._kind(node) if node else ""
        if not node or not kind:
            return None
        return LiveParameter(
            name=name,
            kind=_KINDS[kind],
            label=text_of(self._plain.arv_gc_feature_node_get_display_name(node)) or name,
            help=text_of(self._plain.arv_gc_feature_node_get_tooltip(node)),
            affects=tuple(sorted(self._affected.get(name, frozenset()) & self._names)),
            **self._state(node, kind),
        )

    def value(self, name: str) -> ParameterValue:
        """Return the value of a feature that every camera has.

        Raises
        ------
        DriverError
            When it cannot be read; the camera is gone then.
        """
        node = self._node(name)
        if not node:
            raise DriverError(f"{self._name} has no feature {name}; it is no camera for pictures")
        try:
            value: ParameterValue = self._value(node, self._kind(node))
        except AravisError as error:
            raise DriverError(
                f"{self._name} does not answer when asked for its {name}: {error}; check cable "
                f"and power"
            ) from error
        return value

    def set_value(self, name: str, value: ParameterValue) -> None:
        """Set a feature; raises `InvalidArgumentError` when the camera refuses it."""
        node = self._node(name)
        kind = self._kind(node) if node else ""
        try:
            match kind:
                case "enumeration" | "string":
                    text = str(value).encode()
                    self._library.call(f"arv_gc_{kind}_set_{_STRING[kind]}", node, text)
                case "boolean":
                    self._library.call("arv_gc_boolean_set_value", node, int(bool(value)))
                case "integer":
                    self._library.call("arv_gc_integer_set_value", node, int(str(value)))
                case "float":
                    self._library.call("arv_gc_float_set_value", node, float(str(value)))
                case _:
                    raise AravisError("there is no such feature")
        except (AravisError, ValueError) as error:
            raise InvalidArgumentError(
                f"{self._name} does not take {value!r} for {name}: {error}", parameter=name
            ) from error

    def run(self, name: str) -> None:
        """Run a command; raises `InvalidArgumentError` when the camera refuses it."""
        try:
            self._library.call("arv_gc_command_execute", self._node(name))
        except AravisError as error:
            raise InvalidArgumentError(
                f"{self._name} does not run {name}: {error}", parameter=name
            ) from error

    def _names_in(self, category: str) -> Iterator[str]:
        node = self._node(category)
        if not node or not self._library.is_a(node, "category"):
            return
        for name in list(texts_in_list(self._plain.arv_gc_category_get_features(node))):
            inner = self._node(name)
            if inner and self._library.is_a(inner, "category"):
                yield from self._names_in(name)
            else:
                yield name

    def _node(self, name: str) -> int | None:
        node: int | None = self._plain.arv_gc_get_node(self._description, name.encode())
        return node

    def _kind(self, node: int | None) -> str:
        if not node:
            return ""
        return next((kind for kind in _KINDS if self._library.is_a(node, kind)), "")

    def _state(self, node: int, kind: str) -> dict[str, Any]:
        """Return access, value, limits and choices; what cannot be asked is not available."""
        try:
            access = self._access(node, kind)
            if access == "na":
                return {"access": access}
            facts: dict[str, Any] = {"access": access}
            if kind in ("integer", "float"):
                facts |= self._limits(node, kind)
            elif kind == "enumeration":
                facts["choices"] = self._library.choices(node)
            if access != "wo" and kind != "command":
                facts["value"] = self._value(node, kind)
        except AravisError:
            return {"access": "na"}
        return facts

    def _access(self, node: int, kind: str) -> str:
        for question in ("implemented", "available"):
            if not self._library.call(f"arv_gc_feature_node_is_{question}", node):
                return "na"
        is_locked = self._library.call("arv_gc_feature_node_is_locked", node)
        if kind == "command":
            return "na" if is_locked else "wo"
        access = _ACCESS.get(self._plain.arv_gc_feature_node_get_actual_access_mode(node), "na")
        return "ro" if is_locked and access == "rw" else access

    def _limits(self, node: int, kind: str) -> dict[str, Any]:
        unit = getattr(self._plain, f"arv_gc_{kind}_get_unit")(node)
        facts: dict[str, Any] = {"unit": text_of(unit)}
        limits = {"minimum": "min", "maximum": "max"}
        if kind == "integer":
            limits["step"] = "inc"
        for name, what in limits.items():
            with contextlib.suppress(AravisError):  # what is computed has no limits
                facts[name] = self._library.call(f"arv_gc_{kind}_get_{what}", node)
        return facts

    def _value(self, node: int, kind: str) -> Any:  # noqa: ANN401 - of the feature's own type
        what = f"arv_gc_{kind}_get_{_STRING.get(kind, 'value')}"
        value = self._library.call(what, node)
        match kind:
            case "enumeration" | "string":
                return text_of(value)
            case "boolean":
                return bool(value)
            case _:
                return value


_STRING = {"enumeration": "string_value", "string": "value"}
