"""Probes one plugin in a process of its own: ``python -m engine.plugins.probe KEY``.

Prints one line of JSON on the standard output and ends with code 0. Whatever the plugin itself
prints goes to the standard error. When the plugin crashes there is no line, and the parent reads
the reason from how the process ended.
"""

import os
import sys

import msgspec

from engine.plugins.probing import probe_here
from engine.process import leave_with_parent

__all__ = ("main",)


def main() -> None:
    """Probe the plugin named on the command line."""
    answer_fd = os.dup(1)
    os.dup2(2, 1)
    leave_with_parent(os.getppid())
    answer = probe_here(sys.argv[1] if len(sys.argv) > 1 else "")
    os.write(answer_fd, msgspec.json.encode(answer) + b"\n")
    sys.stdout.flush()  # what the plugin printed; nobody else does it before the hard end
    # What a backend does while Python ends is no part of the answer, and may hang.
    os._exit(0)


if __name__ == "__main__":
    main()
