"""The engine's side of a control line: parameters and lights of a connected device."""

import threading
from collections.abc import Callable

import msgspec

from engine.config import ParameterValue
from engine.drivers.control_messages import (
    ControlRequest,
    ForceLightOff,
    ReadAll,
    ReadOne,
    Reply,
    RunCommand,
    SetValue,
    decode_reply,
    encode_control,
)
from engine.drivers.live import (
    LiveParameter,
    check_command,
    check_value,
    damage,
    find_parameter,
)
from engine.errors import (
    BrokenError,
    BusyError,
    ClosedError,
    DriverProtocolError,
    DriverTimeoutError,
    EngineError,
    WrongStateError,
)
from engine.process import Channel, Deadline, PeerGoneError

__all__ = ("ControlLine",)

_PARAMETERS_LIMIT = 4096


class ControlLine:
    """Asks a driver host one thing after the other; any thread may, while another takes frames.

    Parameters
    ----------
    device : what sentences call the device, for example "driver 'genicam' of stream 'left'".
    timeout_s : how long the host may take for an answer.
    why_gone : says why nobody is at the other end.
    """

    def __init__(
        self,
        channel: Channel,
        *,
        device: str,
        why_gone: Callable[[], EngineError],
        timeout_s: float = 5.0,
    ) -> None:
        self._channel = channel
        self._device = device
        self._why_gone = why_gone
        self._timeout_s = timeout_s
        self._lock = threading.Lock()  # one request at a time
        self._parameters: dict[str, LiveParameter] | None = None
        self._number = 0

    def parameters(self) -> tuple[LiveParameter, ...]:
        """Return all parameters as they were told last; they are read the first time."""
        if self._parameters is None:
            self.read_all()
        return tuple((self._parameters or {}).values())

    def read_all(self) -> None:
        """Have the driver read all parameters of its device anew.

        Raises
        ------
        DriverTimeoutError, DriverProtocolError, EngineError
            When the driver does not answer, answers nonsense, or cannot read them.
        """
        self._ask(ReadAll)

    def read(self, name: str) -> LiveParameter:
        """Have the driver read one parameter of its device anew, and return it.

        Raises
        ------
        UnknownParameterError
            When there is none of that name.
        """
        self._find(name)
        self._ask(lambda number: ReadOne(number, name))
        return self._find(name)

    def set_value(self, name: str, value: ParameterValue) -> tuple[str, ...]:
        """Give a parameter another value; return which parameters have changed with it.

        Raises
        ------
        UnknownParameterError, ParameterAccessError, ParameterTypeError, ParameterRangeError
            Before the device is asked, when the value cannot be right.
        EngineError
            When the device refuses it.
        """
        check_value(self._find(name), value, device=self._device)
        return self._ask(lambda number: SetValue(number, name, value))

    def run_command(self, name: str) -> tuple[str, ...]:
        """Run a command of the device; return which parameters have changed with it."""
        check_command(self._find(name), device=self._device)
        return self._ask(lambda number: RunCommand(number, name))

    def force_light_off(self, *, is_forced_off: bool) -> None:
        """Make a light dark whatever its parameters say, or let it follow them again."""
        self._ask(lambda number: ForceLightOff(number, is_forced_off))

    def close(self) -> None:
        """Close the line; who waits for an answer gets `ClosedError`. Safe to call twice."""
        self._channel.close()

    def _find(self, name: str) -> LiveParameter:
        return find_parameter(self.parameters(), name, device=self._device)

    def _ask(self, make: Callable[[int], ControlRequest]) -> tuple[str, ...]:
        deadline = Deadline(self._timeout_s)
        if not self._lock.acquire(timeout=deadline.left_s() or 0.0):
            raise BusyError(f"{self._device} is still busy with another request; try again")
        try:
            self._number += 1
            if not self._channel.send_bytes(encode_control(make(self._number)), deadline.left_s()):
                raise self._too_slow()
            return self._answer(self._number, deadline)
        except ClosedError as error:
            raise WrongStateError(f"{self._device} was stopped; start it again") from error
        except PeerGoneError as error:
            raise self._why_gone() from error
        except (msgspec.DecodeError, BrokenError) as error:
            raise self._nonsense(str(error)) from error
        finally:
            self._lock.release()

    def _answer(self, number: int, deadline: Deadline) -> tuple[str, ...]:
        found: list[LiveParameter] = []
        while True:
            data = self._channel.recv_bytes(deadline.left_s())
            if data is None:
                raise self._too_slow()
            reply = decode_reply(data)
            if reply.number != number:
                continue  # of a request that was given up
            found += self._checked(reply)
            if len(found) > _PARAMETERS_LIMIT:
                raise self._nonsense(f"more than {_PARAMETERS_LIMIT} parameters")
            if not reply.has_more:
                self._parameters = {
                    **(self._parameters or {}),
                    **{one.name: one for one in found},
                }
                if reply.failed is not None:
                    raise reply.failed.to_error()
                return tuple(one.name for one in found)

    def _checked(self, reply: Reply) -> tuple[LiveParameter, ...]:
        for parameter in reply.parameters:
            if problem := damage(parameter):
                raise self._nonsense(problem)
        if len(self._parameters or ()) > _PARAMETERS_LIMIT:
            raise self._nonsense(f"more than {_PARAMETERS_LIMIT} parameters")
        return reply.parameters

    def _too_slow(self) -> EngineError:
        return DriverTimeoutError(
            f"{self._device} did not answer a request within {self._timeout_s:g} s; it may be "
            f"waiting for a frame, try again or connect it again"
        )

    def _nonsense(self, what: str) -> EngineError:
        return DriverProtocolError(
            f"{self._device} gave an answer that makes no sense: {what}; connect it again"
        )
