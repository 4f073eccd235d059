"""One model of a genuine DFP on a card."""

import threading
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from engine.errors import ClosedError, DeviceError
from engine.plugins.tensors import InputCheck, first_sentence
from engine.protocol import TensorInfo

__all__ = ("Mx3Session",)

Array = np.ndarray[Any, Any]


class Mx3Session:
    """Sends frames to the card and takes their outputs; several threads keep its pipeline full.

    The vendor's runtime gives outputs back in the order of the frames, without saying whose they
    are, so every frame has a number and takes its outputs when that is up.

    Parameters
    ----------
    accl : the vendor's `SyncAccl`.
    give_back : called once, when the session closes.
    """

    def __init__(
        self,
        accl: Any,  # noqa: ANN401 - the vendor's class
        model_idx: int,
        inputs: tuple[TensorInfo, ...],
        outputs: tuple[TensorInfo, ...],
        give_back: Callable[[], None],
    ) -> None:
        self.inputs = inputs
        self.outputs = outputs
        self._accl = accl
        self._model_idx = model_idx
        self._check = InputCheck(inputs)
        self._give_back: Callable[[], None] | None = give_back
        self._sending = threading.Lock()
        self._turns = threading.Condition()
        self._sent = 0
        self._received = 0
        self._failure = ""

    def run(self, inputs: Sequence[Array]) -> list[Array]:
        """Execute the model once.

        Raises
        ------
        InvalidArgumentError
            When the arrays do not fit the model's inputs.
        DeviceError
            When the card or the vendor's runtime fails; frames after that fail as well, because
            nobody could tell whose outputs would come.
        ClosedError
            After `close`.
        """
        self._check(inputs)
        number = self._send(inputs)
        with self._turns:
            self._turns.wait_for(lambda: self._received == number or bool(self._failure))
            self._check_working()
        try:
            found = self._accl.receive(model_idx=self._model_idx)
        except Exception as error:
            raise self._fail(error) from error
        with self._turns:
            self._received += 1
            self._turns.notify_all()
        return self._outputs_of(found)

    def close(self) -> None:
        """Give the program back; the card is freed with the program's last model."""
        with self._turns:
            give_back, self._give_back = self._give_back, None
        if give_back is not None:
            give_back()

    def _send(self, inputs: Sequence[Array]) -> int:
        with self._sending:
            if self._give_back is None:
                raise ClosedError("the model's session was closed; load the model again")
            with self._turns:
                self._check_working()
            try:
                data = inputs[0] if len(inputs) == 1 else list(inputs)
                self._accl.send(data, model_idx=self._model_idx)
            except Exception as error:
                raise self._fail(error) from error
            number = self._sent
            self._sent += 1
            return number

    def _outputs_of(self, found: object) -> list[Array]:
        arrays = list(found) if isinstance(found, list | tuple) else [found]
        if len(arrays) != len(self.outputs):
            raise DeviceError(
                f"the MemryX runtime gave {len(arrays)} outputs in place of {len(self.outputs)}; "
                "its version does not fit the program",
                plugin="mx3",
            )
        return [
            _in_shape(np.asarray(array), info)
            for array, info in zip(arrays, self.outputs, strict=True)
        ]

    def _check_working(self) -> None:
        if self._failure:
            raise DeviceError(
                f"the MX3 card failed before: {self._failure}; open the program again",
                plugin="mx3",
            )

    def _fail(self, error: Exception) -> DeviceError:
        with self._turns:
            self._failure = self._failure or first_sentence(error)
            self._turns.notify_all()
        return DeviceError(
            f"the MemryX runtime failed: {first_sentence(error)}; check the card and its manager",
            plugin="mx3",
        )


def _in_shape(array: Array, info: TensorInfo) -> Array:
    """Return a private array of the shape that the program's file says."""
    wanted = tuple(size or 1 for size in info.shape)
    if array.shape != wanted and array.size == int(np.prod(wanted)):
        array = array.reshape(wanted)
    flags = array.flags
    is_private = flags.c_contiguous and flags.writeable and flags.owndata
    return array if is_private else np.array(array, order="C")
