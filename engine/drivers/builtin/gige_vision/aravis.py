"""The functions of the library aravis 0.8 that are used here, through ctypes."""

import ctypes
from collections.abc import Iterator
from ctypes import (
    POINTER,
    byref,
    c_char_p,
    c_double,
    c_int,
    c_int64,
    c_size_t,
    c_uint,
    c_uint32,
    c_uint64,
    c_void_p,
)
from functools import cache
from typing import Any

from engine.errors import MediaError

__all__ = ("Aravis", "AravisError", "load_aravis", "text_of", "texts_in_list")

_LIBRARY = "libaravis-0.8.so.0"

_PLAIN: dict[str, tuple[Any, tuple[Any, ...]]] = {
    "arv_disable_interface": (None, (c_char_p,)),
    "arv_update_device_list": (None, ()),
    "arv_get_n_devices": (c_uint, ()),
    "arv_get_device_id": (c_char_p, (c_uint,)),
    "arv_get_device_address": (c_char_p, (c_uint,)),
    "arv_get_device_vendor": (c_char_p, (c_uint,)),
    "arv_get_device_model": (c_char_p, (c_uint,)),
    "arv_get_device_serial_nbr": (c_char_p, (c_uint,)),
    "arv_camera_get_device": (c_void_p, (c_void_p,)),
    "arv_gv_device_is_controller": (c_int, (c_void_p,)),
    "arv_buffer_new_allocate": (c_void_p, (c_size_t,)),
    "arv_stream_push_buffer": (None, (c_void_p, c_void_p)),
    "arv_stream_timeout_pop_buffer": (c_void_p, (c_void_p, c_uint64)),
    "arv_buffer_get_status": (c_int, (c_void_p,)),
    "arv_buffer_get_data": (c_void_p, (c_void_p, POINTER(c_size_t))),
    "arv_buffer_get_image_width": (c_int, (c_void_p,)),
    "arv_buffer_get_image_height": (c_int, (c_void_p,)),
    "arv_buffer_get_image_pixel_format": (c_uint32, (c_void_p,)),
    "arv_buffer_get_frame_id": (c_uint64, (c_void_p,)),
    "arv_buffer_get_system_timestamp": (c_uint64, (c_void_p,)),
    "arv_device_get_genicam": (c_void_p, (c_void_p,)),
    "arv_device_get_genicam_xml": (c_void_p, (c_void_p, POINTER(c_size_t))),
    "arv_gc_get_node": (c_void_p, (c_void_p, c_char_p)),
    "arv_gc_category_get_features": (c_void_p, (c_void_p,)),
    "arv_gc_feature_node_get_display_name": (c_char_p, (c_void_p,)),
    "arv_gc_feature_node_get_tooltip": (c_char_p, (c_void_p,)),
    "arv_gc_feature_node_get_visibility": (c_int, (c_void_p,)),
    "arv_gc_feature_node_get_actual_access_mode": (c_int, (c_void_p,)),
    "arv_gc_integer_get_unit": (c_char_p, (c_void_p,)),
    "arv_gc_float_get_unit": (c_char_p, (c_void_p,)),
    **{
        f"arv_gc_{kind}_get_type": (c_size_t, ())
        for kind in ("category", "command", "boolean", "enumeration", "integer", "float", "string")
    },
}
# These take a place for an error as their last argument.
_FALLIBLE: dict[str, tuple[Any, tuple[Any, ...]]] = {
    "arv_camera_new": (c_void_p, (c_char_p,)),
    "arv_camera_create_stream": (c_void_p, (c_void_p, c_void_p, c_void_p)),
    "arv_camera_get_payload": (c_uint, (c_void_p,)),
    "arv_camera_get_pixel_format": (c_uint32, (c_void_p,)),
    "arv_camera_start_acquisition": (None, (c_void_p,)),
    "arv_camera_stop_acquisition": (None, (c_void_p,)),
    "arv_gc_feature_node_is_implemented": (c_int, (c_void_p,)),
    "arv_gc_feature_node_is_available": (c_int, (c_void_p,)),
    "arv_gc_feature_node_is_locked": (c_int, (c_void_p,)),
    "arv_gc_command_execute": (None, (c_void_p,)),
    "arv_gc_boolean_get_value": (c_int, (c_void_p,)),
    "arv_gc_boolean_set_value": (None, (c_void_p, c_int)),
    "arv_gc_enumeration_get_string_value": (c_char_p, (c_void_p,)),
    "arv_gc_enumeration_set_string_value": (None, (c_void_p, c_char_p)),
    "arv_gc_enumeration_dup_available_string_values": (c_void_p, (c_void_p, POINTER(c_uint))),
    "arv_gc_string_get_value": (c_char_p, (c_void_p,)),
    "arv_gc_string_set_value": (None, (c_void_p, c_char_p)),
    **{
        f"arv_gc_{kind}_get_{what}": (number, (c_void_p,))
        for kind, number in (("integer", c_int64), ("float", c_double))
        for what in ("value", "min", "max", "inc")
    },
    "arv_gc_integer_set_value": (None, (c_void_p, c_int64)),
    "arv_gc_float_set_value": (None, (c_void_p, c_double)),
}


class AravisError(Exception):
    """What the library said went wrong."""


class _Error(ctypes.Structure):
    _fields_ = (("domain", c_uint32), ("code", c_int), ("message", c_char_p))


class _ListLink(ctypes.Structure):
    pass


_ListLink._fields_ = [("data", c_char_p), ("next", POINTER(_ListLink))]


class Aravis:
    """The loaded library; `call` is for functions that can fail, `plain` holds the others."""

    def __init__(self) -> None:
        self.plain = ctypes.CDLL(_LIBRARY)
        self._glib = ctypes.CDLL("libglib-2.0.so.0")
        self._gobject = ctypes.CDLL("libgobject-2.0.so.0")
        for name, (result, arguments) in _PLAIN.items():
            _declare(self.plain, name, result, arguments)
        for name, (result, arguments) in _FALLIBLE.items():
            _declare(self.plain, name, result, (*arguments, POINTER(POINTER(_Error))))
        _declare(self._glib, "g_error_free", None, (POINTER(_Error),))
        _declare(self._glib, "g_free", None, (c_void_p,))
        _declare(self._gobject, "g_object_unref", None, (c_void_p,))
        _declare(self._gobject, "g_type_check_instance_is_a", c_int, (c_void_p, c_size_t))

    def call(self, name: str, *arguments: Any) -> Any:  # noqa: ANN401 - what the function returns
        """Call a function that can fail.

        Raises
        ------
        AravisError
            With the library's words.
        """
        error: Any = POINTER(_Error)()  # false where there is none
        result = getattr(self.plain, name)(*arguments, byref(error))
        if error:
            message = text_of(error.contents.message) or "no reason given"
            self._glib.g_error_free(error)
            raise AravisError(message)
        return result

    def unref(self, thing: int | None) -> None:
        """Let go of an object; None is fine."""
        if thing:
            self._gobject.g_object_unref(thing)

    def is_a(self, thing: int, kind: str) -> bool:
        """Tell whether a node of the camera's description is of a kind, for example "integer"."""
        number = getattr(self.plain, f"arv_gc_{kind}_get_type")()
        return bool(self._gobject.g_type_check_instance_is_a(thing, number))

    def description(self, camera: int) -> bytes:
        """Return the XML in which the camera describes its features."""
        size = c_size_t()
        device = self.plain.arv_camera_get_device(camera)
        place = self.plain.arv_device_get_genicam_xml(device, byref(size))
        return ctypes.string_at(place, size.value) if place else b""

    def choices(self, node: int) -> tuple[str, ...]:
        """Return the entries that an enumeration has now."""
        count = c_uint()
        name = "arv_gc_enumeration_dup_available_string_values"
        place = self.call(name, node, byref(count))
        if not place:
            return ()
        try:
            return tuple(text_of(one) for one in (c_char_p * count.value).from_address(place))
        finally:
            self._glib.g_free(place)


@cache
def load_aravis() -> Aravis:
    """Load the library; only GigE Vision is looked for.

    Raises
    ------
    MediaError
        When it is not installed.
    """
    try:
        library = Aravis()
    except (OSError, AttributeError) as error:
        raise MediaError(
            f"GigE Vision cameras need the library aravis 0.8 ({error}); install it, on Debian and "
            f"Ubuntu with: apt install libaravis-0.8-0"
        ) from error
    for other in (b"Fake", b"USB3Vision"):
        library.plain.arv_disable_interface(other)
    return library


def text_of(data: bytes | None) -> str:
    """Return a text that came from the library, or from a camera."""
    return (data or b"").decode("utf-8", "replace")


def texts_in_list(first: int | None) -> Iterator[str]:
    """Return the texts of a list of GLib."""
    link = ctypes.cast(first, POINTER(_ListLink)) if first else None
    while link:
        yield text_of(link.contents.data)
        link = link.contents.next


def _declare(library: Any, name: str, result: Any, arguments: tuple[Any, ...]) -> None:  # noqa: ANN401
    function = getattr(library, name)
    function.restype = result
    function.argtypes = list(arguments)
