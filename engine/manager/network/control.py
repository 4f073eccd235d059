"""A client's conversation with a manager on another machine, and its places there."""

import contextlib
from collections.abc import Sequence
from typing import Any

import numpy as np

from engine.dfp import Dfp
from engine.errors import (
    BrokenError,
    ClosedError,
    EngineError,
    EngineTimeoutError,
    InvalidArgumentError,
    from_wire,
)
from engine.manager.address import NetworkAddress
from engine.manager.control import name_of
from engine.manager.errors import ManagerLostError, ManagerUnavailableError
from engine.manager.network.connection import Connection
from engine.manager.network.keys import ManagerKeys
from engine.manager.network.messages import (
    MAX_FRAME_BYTES,
    MAX_PROGRAM_BYTES,
    NETWORK_VERSION,
    PIECE_BYTES,
    AskStatus,
    AskWhyLost,
    Greet,
    Leave,
    LinkLost,
    OpenPlace,
    PlaceClosed,
    PlaceOpened,
    Ran,
    Refused,
    RunFrame,
    Status,
    Took,
    Upload,
    UploadWanted,
    Welcome,
)
from engine.manager.network.payload import bytes_in, parts_of, private_arrays_of, split
from engine.manager.place import LinkLostError, Place
from engine.manager.sharing import ShareSettings
from engine.manager.status import ManagerStatus

__all__ = ("NetworkControl", "NetworkPlace")

Array = np.ndarray[Any, Any]

_ANSWER_S = 10.0
_OPEN_S = 120.0
_UPLOAD_S = 120.0
_REASON_S = 4.0
_LEAVE_S = 0.6
_END_S = 2.0


class NetworkPlace(Place):
    """A place on a device of another machine: frames travel in messages.

    A link is only a number here, that limits how many frames are under way.
    """

    def __init__(self, opened: PlaceOpened, connection: Connection) -> None:
        super().__init__(opened.device, opened.worker_pid, opened.models, range(opened.links))
        self._number = opened.place
        self._connection = connection

    def call(self, link: int, model: int, inputs: Sequence[Array]) -> list[Array]:
        """Have one frame executed and return private copies of its outputs."""
        size = bytes_in(inputs)
        if size > MAX_FRAME_BYTES:
            raise InvalidArgumentError(
                f"a frame of {size} bytes is too large for a device manager on another machine; it "
                f"takes {MAX_FRAME_BYTES} bytes at most"
            )
        if self.is_lost:
            raise LinkLostError("the place on the device is gone")
        number = self._connection.number()
        shapes = tuple(array.shape for array in inputs)
        try:
            answer, parts = self._connection.ask(
                RunFrame(number, self._number, model, shapes), parts_of(inputs), owner=self
            )
        except (ManagerLostError, ManagerUnavailableError) as error:
            raise LinkLostError("the connection to the device manager ended") from error
        if isinstance(answer, Ran):
            return private_arrays_of(answer.shapes, self.ports[model].outputs, parts)
        if isinstance(answer, Refused):
            raise from_wire(answer.error)
        if isinstance(answer, LinkLost):
            raise LinkLostError("the device's worker is gone")
        raise BrokenError(f"the device manager answered {type(answer).__name__}")

    def hang_up(self) -> None:
        """Wake who waits for a frame, and let the gateway free the place."""
        was_lost, self.is_lost = self.is_lost, True
        if not was_lost:
            self._connection.tell(PlaceClosed(self._number))
        self._connection.give_up(self, LinkLostError("the place on the device was given up"))

    def close(self) -> None:
        """Let the gateway free the place."""
        self._connection.tell(PlaceClosed(self._number))


class NetworkControl:
    """One connection to a manager on another machine; used by several threads.

    Attributes
    ----------
    pid : the manager's process, on its machine.
    devices : what it shares.
    """

    def __init__(self, connection: Connection, welcome: Welcome) -> None:
        self.pid = welcome.pid
        self.devices = welcome.devices
        self._connection = connection

    @classmethod
    def reach(cls, address: NetworkAddress) -> "NetworkControl":
        """Reach the manager at an address with this user's keys.

        Raises
        ------
        ManagerKeyError
            When a key is missing, or is not the right one.
        ManagerUnavailableError
            When no manager answers there.
        WrongStateError
            When it is of another version.
        """
        keys = ManagerKeys()
        connection = Connection(address, keys.client_pair(address), keys.manager_key(address))
        try:
            number = connection.number()
            answer, _ = connection.ask(Greet(number, NETWORK_VERSION), timeout_s=_ANSWER_S)
            if isinstance(answer, Refused):
                raise from_wire(answer.error)
            if isinstance(answer, Welcome):
                return cls(connection, answer)
            raise BrokenError(f"the device manager answered {type(answer).__name__}")
        except BaseException as error:
            connection.close()
            if isinstance(error, EngineTimeoutError | ManagerLostError):
                raise ManagerUnavailableError(error.message) from error
            raise

    def open(self, device: int, dfp: Dfp, settings: ShareSettings) -> NetworkPlace:
        """Ask for a program on a device; its bytes are sent only when they are not there yet.

        Raises
        ------
        EngineError
            When the program or the device cannot be had, or the manager is gone.
        """
        if len(dfp.data) > MAX_PROGRAM_BYTES:
            raise InvalidArgumentError(
                f"a program of {len(dfp.data)} bytes is too large for a device manager on another "
                f"machine; it takes {MAX_PROGRAM_BYTES} bytes at most"
            )
        answer = self._ask_open(device, dfp, settings)
        if isinstance(answer, UploadWanted):
            self._upload(dfp)
            answer = self._ask_open(device, dfp, settings)
        if isinstance(answer, PlaceOpened):
            return NetworkPlace(answer, self._connection)
        raise BrokenError(f"the device manager answered {type(answer).__name__}")

    def status(self) -> ManagerStatus:
        """Return everything the manager knows."""
        answer = self._answer(AskStatus(self._connection.number()), _ANSWER_S)
        if isinstance(answer, Status):
            return answer.status
        raise BrokenError(f"the device manager answered {type(answer).__name__}")

    def why_lost(self, worker_pid: int) -> EngineError:
        """Return why the links to a worker ended: what became of it, or of the manager."""
        question = AskWhyLost(self._connection.number(), worker_pid)
        try:
            answer, _ = self._connection.ask(question, timeout_s=_REASON_S)
        except EngineError as error:
            return error
        if not isinstance(answer, Refused):
            return BrokenError(f"the device manager answered {type(answer).__name__}")
        return self._told(answer)

    def interrupt(self) -> None:
        """Wake who waits for an answer."""
        error = ClosedError("the program on the shared devices was closed")
        self._connection.give_up(None, error)

    def leave(self) -> None:
        """Wait a little until the workers have freed what is not used any more."""
        with contextlib.suppress(EngineError):
            self._connection.ask(Leave(self._connection.number()), timeout_s=_LEAVE_S)

    def close(self) -> None:
        """Hang up: all that was opened is freed. Wakes who waits. Safe to call twice."""
        self._connection.close()

    def _ask_open(self, device: int, dfp: Dfp, settings: ShareSettings) -> object:
        number = self._connection.number()
        size, name = len(dfp.data), name_of(dfp)
        return self._answer(OpenPlace(number, device, dfp.sha256, name, size, settings), _OPEN_S)

    def _upload(self, dfp: Dfp) -> None:
        data = memoryview(dfp.data)
        for offset in range(0, len(data), PIECE_BYTES):
            question = Upload(self._connection.number(), dfp.sha256, offset)
            answer = self._answer(question, _UPLOAD_S, data[offset : offset + PIECE_BYTES])
            if not isinstance(answer, Took):
                raise BrokenError(f"the device manager answered {type(answer).__name__}")

    def _answer(
        self,
        question: OpenPlace | AskStatus | Upload,
        timeout_s: float,
        data: memoryview | None = None,
    ) -> object:
        parts = split(data) if data is not None else ()
        answer, _ = self._connection.ask(question, parts, timeout_s=timeout_s)
        if isinstance(answer, Refused):
            raise self._told(answer)
        return answer

    def _told(self, answer: Refused) -> EngineError:
        """Return the error of an answer; that of a lost manager in words that fit a network."""
        error = from_wire(answer.error)
        is_lost = isinstance(error, ManagerLostError)
        return self._connection.why_lost(_END_S) if is_lost else error
