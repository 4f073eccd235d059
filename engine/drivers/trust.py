"""What the engine believes of a driver host: nothing that was not checked."""

from engine.drivers.messages import Failed, FrameReady, FromHost, Lost
from engine.errors import DriverProtocolError
from engine.shm import SlotRing, SlotState

__all__ = ("MessageCheck",)


class MessageCheck:
    """Checks the messages of one host against the ring and against each other.

    Parameters
    ----------
    driver, stream : names for the sentence that says what was wrong.
    """

    def __init__(self, *, driver: str, stream: str) -> None:
        self._driver = driver
        self._stream = stream
        self._next_id = 0
        self._lost = 0

    def checked(self, message: FromHost, ring: SlotRing | None) -> FromHost:
        """Return the message, or a `Failed` in place of a frame that cannot be true."""
        if isinstance(message, Lost):
            if message.count < self._lost:
                return self.nonsense(f"{message.count} lost frames after {self._lost}")
            self._lost = message.count
        if not isinstance(message, FrameReady):
            return message
        if ring is None or not 0 <= message.slot < ring.slots:
            return self.nonsense(f"there is no slot {message.slot}")
        if ring.state(message.slot) is not SlotState.READY:
            return self.nonsense(f"slot {message.slot} is not ready")
        if message.frame_id < self._next_id or message.captured_at_ns > message.ready_at_ns:
            return self.nonsense(f"frame {message.frame_id} is out of order")
        self._next_id = message.frame_id + 1
        return message

    def nonsense(self, what: str) -> Failed:
        """Say that the host sent something that it should not."""
        return Failed.of(
            DriverProtocolError(
                f"driver {self._driver!r} of stream {self._stream!r} sent something "
                f"that makes no sense: {what}; start the stream again",
                driver=self._driver,
                stream=self._stream,
            )
        )
