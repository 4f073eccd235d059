"""Who made a segment: the record is the segment's name, so that nothing can get lost beside it."""

import os
import re
import secrets

import msgspec

from engine.process import boot_id, is_same_process, start_time_of

__all__ = ("OwnerRecord",)

_NAME = re.compile(r"penstock-(\d+)-(\d+)-([0-9a-f]{8})-([A-Za-z0-9_.]{1,40})-([0-9a-f]{8})")
_UNFIT = re.compile(r"[^A-Za-z0-9_.]")


class OwnerRecord(msgspec.Struct, frozen=True):
    """The process a segment belongs to, and what the segment is for.

    Attributes
    ----------
    pid, start, boot : the owner: process number, its start time and the machine's boot.
    purpose : a word for people.
    nonce : eight random hexadecimal digits.
    """

    pid: int
    start: int
    boot: str
    purpose: str
    nonce: str

    @classmethod
    def mine(cls, purpose: str) -> "OwnerRecord":
        """Make a record of this process; unfit characters of `purpose` become underscores."""
        pid = os.getpid()
        word = _UNFIT.sub("_", purpose)[:40] or "segment"
        return cls(pid, start_time_of(pid) or 0, boot_id(), word, secrets.token_hex(4))

    @classmethod
    def parse(cls, name: str) -> "OwnerRecord | None":
        """Read a segment's name; None when it is not one of ours."""
        match = _NAME.fullmatch(name)
        if match is None:
            return None
        pid, start, boot, purpose, nonce = match.groups()
        return cls(int(pid), int(start), boot, purpose, nonce)

    @property
    def name(self) -> str:
        """The segment's name."""
        return f"penstock-{self.pid}-{self.start}-{self.boot}-{self.purpose}-{self.nonce}"

    def is_alive(self) -> bool:
        """Say whether the owner is still running."""
        return self.boot == boot_id() and is_same_process(self.pid, self.start)
