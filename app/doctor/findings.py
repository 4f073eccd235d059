"""What a check finds out."""

from enum import StrEnum

import msgspec

__all__ = ("Diagnosis", "Finding", "Status")


class Status(StrEnum):
    """How a check came out; SKIP means that the question does not arise here."""

    PASS = "pass"  # noqa: S105 - no password
    FAIL = "fail"
    SKIP = "skip"


class Finding(msgspec.Struct, frozen=True):
    """One answer.

    Attributes
    ----------
    check : what was looked at, for example "shared memory".
    status : how it came out.
    found : what is there, a sentence or a list of versions.
    fix : what to do about it, a sentence; empty unless the check failed.
    """

    check: str
    status: Status
    found: str
    fix: str = ""

    @classmethod
    def passed(cls, check: str, found: str) -> "Finding":
        """All is well."""
        return cls(check, Status.PASS, found)

    @classmethod
    def failed(cls, check: str, found: str, fix: str) -> "Finding":
        """Something is wrong; every failure says what to do."""
        return cls(check, Status.FAIL, found, fix)

    @classmethod
    def skipped(cls, check: str, found: str) -> "Finding":
        """There is nothing to look at here; `found` says why."""
        return cls(check, Status.SKIP, found)


class Diagnosis(msgspec.Struct, frozen=True):
    """All findings; `is_healthy` when none failed."""

    is_healthy: bool
    seconds: float
    findings: tuple[Finding, ...]
