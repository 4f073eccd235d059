"""A connection to one GigE Vision camera: discovery, control, stream and buffers."""

import ipaddress

from engine.drivers import DeviceInfo
from engine.drivers.builtin.gige_vision.aravis import Aravis, AravisError, text_of
from engine.drivers.builtin.gige_vision.features import DeviceFeatures
from engine.drivers.builtin.gige_vision.ping import answers
from engine.errors import DriverError

__all__ = ("Connection", "found_devices", "open_camera")


class Connection:
    """A camera under our control; `close` gives everything back."""

    def __init__(self, library: Aravis, camera: int, name: str, address: str) -> None:
        self.library = library
        self.name = name
        self._address = address
        self._is_lost = False
        self.stream: int | None = None
        self._camera: int | None = camera
        self.features = DeviceFeatures(library, camera, name)

    def is_controller(self) -> bool:
        """Tell whether the camera is ours; the library takes ten seconds to notice that not."""
        plain = self.library.plain
        return bool(plain.arv_gv_device_is_controller(plain.arv_camera_get_device(self._camera)))

    def answers(self) -> bool:
        """Ask the camera itself; one that does not answer is lost for good."""
        self._is_lost = not answers(self._address)
        return not self._is_lost

    def pixel_code(self) -> int:
        """Return the number of the pixel format that the camera is set to."""
        return int(self.library.call("arv_camera_get_pixel_format", self._camera))

    def start(self, buffers: int) -> None:
        """Let it deliver into so many buffers; raises `AravisError`."""
        call, plain = self.library.call, self.library.plain
        size = call("arv_camera_get_payload", self._camera)
        self.stream = call("arv_camera_create_stream", self._camera, None, None)
        if not self.stream:
            raise AravisError("its stream cannot be opened")
        for _ in range(buffers):
            plain.arv_stream_push_buffer(self.stream, plain.arv_buffer_new_allocate(size))
        call("arv_camera_start_acquisition", self._camera)

    def give_back(self, buffer: int) -> None:
        """Let the camera fill a buffer again."""
        self.library.plain.arv_stream_push_buffer(self.stream, buffer)

    def close(self) -> None:
        """Stop and disconnect. Safe to call twice, also when the camera is gone."""
        camera, self._camera = self._camera, None
        stream, self.stream = self.stream, None
        if camera is None or self._is_lost:
            return  # the library would wait seconds for answers; the process leaves anyway
        try:
            if stream is not None:
                self.library.call("arv_camera_stop_acquisition", camera)
        except AravisError:
            pass  # it is gone, which is as good
        finally:
            self.library.unref(stream)
            self.library.unref(camera)


def found_devices(library: Aravis) -> list[DeviceInfo]:
    """Return the cameras that answer in all networks of this machine; takes a second."""
    plain = library.plain
    plain.arv_update_device_list()
    return [
        DeviceInfo(
            device_id=text_of(plain.arv_get_device_id(index)),
            name=" ".join(
                text_of(part(index))
                for part in (
                    plain.arv_get_device_vendor,
                    plain.arv_get_device_model,
                    plain.arv_get_device_serial_nbr,
                )
            )
            + f" at {text_of(plain.arv_get_device_address(index))}",
            vendor=text_of(plain.arv_get_device_vendor(index)),
            model=text_of(plain.arv_get_device_model(index)),
            serial=text_of(plain.arv_get_device_serial_nbr(index)),
        )
        for index in range(plain.arv_get_n_devices())
    ]


def open_camera(library: Aravis, wanted: str) -> Connection:
    """Take control of a camera.

    Parameters
    ----------
    wanted : its id, serial number or network address; empty for the first one found.

    Raises
    ------
    DriverError
        When it is not there, or another program has it.
    """
    target, address = (wanted, wanted) if _is_address(wanted) else _matching(library, wanted)
    name = f"camera {target}"
    try:
        camera = library.call("arv_camera_new", target.encode())
    except AravisError as error:
        raise DriverError(
            f"{name} cannot be opened: {error}; check cable and power, and close other programs "
            f"that use it"
        ) from error
    if not camera:
        raise DriverError(f"{name} does not answer; check cable and power")
    connection = Connection(library, camera, name, address)
    if not connection.is_controller():
        connection.close()
        raise DriverError(f"{name} is controlled by another program; close that one")
    return connection


def _matching(library: Aravis, wanted: str) -> tuple[str, str]:
    found = found_devices(library)
    for index, one in enumerate(found):
        if wanted in ("", one.device_id, one.serial):
            return one.device_id, text_of(library.plain.arv_get_device_address(index))
    known = ", ".join(one.device_id for one in found) or "none"
    raise DriverError(
        f"no GigE Vision camera {wanted or 'at all'} answers; there are: {known}; check cable and "
        f"power, and that camera and machine are in the same network"
    )


def _is_address(text: str) -> bool:
    try:
        ipaddress.ip_address(text)
    except ValueError:
        return False
    return True
