"""Programs that clients uploaded, so that the next one with the same bytes need not."""

import hashlib
import os
import threading
from collections.abc import Sequence

from engine.errors import BrokenError, BusyError, EngineError
from engine.manager.network.messages import MAX_PROGRAM_BYTES

__all__ = ("Arriving", "ProgramFile", "ProgramStore")

MOST_BYTES = 4 * 1024 * 1024 * 1024
_KEPT_BYTES = 512 * 1024 * 1024  # of programs that nobody uses


class ProgramFile:
    """The bytes of a program in a file without a name.

    Attributes
    ----------
    users : how many clients need it; the store counts.
    """

    def __init__(self, key: str, fd: int, size_bytes: int) -> None:
        self.key = key
        self.fd = fd
        self.size_bytes = size_bytes
        self.users = 1


class Arriving:
    """A program that is being uploaded; for one thread."""

    def __init__(self, key: str, size_bytes: int) -> None:
        self.key = key
        self.size_bytes = size_bytes
        self._fd = os.memfd_create("penstock-upload", os.MFD_CLOEXEC)
        self._digest = hashlib.sha256()
        self._offset = 0

    @property
    def is_complete(self) -> bool:
        """Whether all bytes are here."""
        return self._offset == self.size_bytes

    def add(self, offset: int, parts: Sequence[memoryview]) -> None:
        """Append a piece.

        Raises
        ------
        BrokenError
            When it does not belong here, or the whole is not what was announced.
        """
        size = sum(len(part) for part in parts)
        if offset != self._offset or not size or offset + size > self.size_bytes:
            raise BrokenError(
                f"a piece of {size} bytes came for place {offset} of a program; expected was place "
                f"{self._offset} of {self.size_bytes}"
            )
        for part in parts:
            self._digest.update(part)
            rest = memoryview(part)
            while rest:
                rest = rest[os.write(self._fd, rest) :]
        self._offset += size
        if self.is_complete and self._digest.hexdigest() != self.key:
            raise BrokenError("the program's bytes are not those that were announced")

    def take_fd(self) -> int:
        """Hand the file over."""
        fd, self._fd = self._fd, -1
        return fd

    def close(self) -> None:
        """Give the bytes up, unless they were handed over. Safe to call twice."""
        if self._fd >= 0:
            os.close(self.take_fd())


class ProgramStore:
    """Keeps programs by their SHA-256: those in use, and some others for who comes next."""

    def __init__(self, most_bytes: int = MOST_BYTES) -> None:
        self._most_bytes = most_bytes
        self._lock = threading.Lock()
        self._files: dict[str, ProgramFile] = {}
        self._reserved_bytes = 0

    def use(self, key: str) -> ProgramFile | None:
        """Return a program that is here; give it back later."""
        with self._lock:
            file = self._files.pop(key, None)
            if file is not None:
                file.users += 1
                self._files[key] = file  # the last used comes last
            return file

    def give_back(self, file: ProgramFile) -> None:
        """Note that one client does not need it any more."""
        with self._lock:
            file.users -= 1
            self._drop_unused(_KEPT_BYTES)

    def expect(self, key: str, size_bytes: int) -> Arriving:
        """Make room for a program; end it with `keep` or `give_up`.

        Raises
        ------
        BrokenError
            When its size is impossible.
        BusyError
            When there is no room.
        """
        if not 0 < size_bytes <= MAX_PROGRAM_BYTES:
            raise BrokenError(
                f"a program has 1 to {MAX_PROGRAM_BYTES} bytes on a network, not {size_bytes}"
            )
        with self._lock:
            self._make_room(size_bytes)
            self._reserved_bytes += size_bytes
        try:
            return Arriving(key, size_bytes)
        except OSError as error:
            with self._lock:
                self._reserved_bytes -= size_bytes
            raise EngineError(f"there is no room for a program: {error.strerror}") from error

    def keep(self, arriving: Arriving) -> ProgramFile:
        """Keep a program that has arrived; it is in use by who uploaded it."""
        with self._lock:
            self._reserved_bytes -= arriving.size_bytes
            file = self._files.get(arriving.key)
            if file is not None:  # somebody was faster
                file.users += 1
                arriving.close()
                return file
            file = ProgramFile(arriving.key, arriving.take_fd(), arriving.size_bytes)
            self._files[arriving.key] = file
            return file

    def give_up(self, arriving: Arriving) -> None:
        """Forget a program that did not arrive."""
        with self._lock:
            self._reserved_bytes -= arriving.size_bytes
        arriving.close()

    def close(self) -> None:
        """Forget all. Safe to call twice."""
        with self._lock:
            files, self._files = self._files, {}
        for file in files.values():
            os.close(file.fd)

    def _make_room(self, size_bytes: int) -> None:
        used = sum(file.size_bytes for file in self._files.values() if file.users)
        room = self._most_bytes - self._reserved_bytes - used - size_bytes
        held = self._reserved_bytes + used + self._drop_unused(max(0, room))
        if held + size_bytes > self._most_bytes:
            raise BusyError(
                f"the device manager has {held} bytes of programs from the network, and this one "
                f"of {size_bytes} is too much; close programs, or try again later"
            )

    def _drop_unused(self, most_bytes: int) -> int:
        """Drop what was used longest ago until the rest fits; return how much that is."""
        unused = [file for file in self._files.values() if not file.users]
        kept = sum(file.size_bytes for file in unused)
        for file in unused:
            if kept <= most_bytes:
                break
            kept -= file.size_bytes
            os.close(self._files.pop(file.key).fd)
        return kept
