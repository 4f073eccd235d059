"""Carries out one check: ``python -m app.doctor.child NUMBER``.

Prints the findings as one line of JSON. Whatever a library prints goes to the standard error.
"""

import faulthandler
import os
import sys
from importlib import import_module

import msgspec

from app.doctor.checks import CHECKS
from app.doctor.findings import Finding
from engine.process import leave_with_parent

__all__ = ("main",)


def main() -> None:
    """Run the check and end the process at once: a broken library may hang in its clean-up."""
    answer_fd = os.dup(1)
    os.dup2(2, 1)
    faulthandler.enable()
    leave_with_parent(os.getppid())
    module, _, function = CHECKS[int(sys.argv[1])].target.partition(":")
    findings: list[Finding] = getattr(import_module(f"app.doctor.{module}"), function)()
    os.write(answer_fd, msgspec.json.encode(findings) + b"\n")
    os._exit(0)


if __name__ == "__main__":
    main()
