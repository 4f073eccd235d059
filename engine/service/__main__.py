"""Entry of the engine process: ``python -m engine.service --folder DIR [--parent PID]``."""

import argparse
import faulthandler
import logging
import signal
import sys
from collections.abc import Sequence

from engine.client import Endpoint
from engine.process import ForwardingHandler, leave_with_parent
from engine.service.server import EngineServer

__all__ = ("main",)


def main(arguments: Sequence[str] | None = None) -> int:
    """Serve until asked to end, or until the parent ends; return the exit code."""
    parser = argparse.ArgumentParser(prog="penstock-engine")
    parser.add_argument("--folder", required=True, help="folder for the sockets")
    parser.add_argument("--parent", type=int, default=0, help="end when this process ends")
    options = parser.parse_args(arguments)
    faulthandler.enable()
    # Ctrl+C in a terminal reaches the whole group; the client decides when the engine ends.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    server = EngineServer(Endpoint(options.folder))
    signal.signal(signal.SIGTERM, lambda *_: server.end())
    if options.parent:
        leave_with_parent(options.parent)
    handler = ForwardingHandler(server.put_log, role="engine")
    logging.basicConfig(level=logging.INFO, handlers=[handler, logging.StreamHandler()])
    try:
        server.serve()
    finally:
        logging.getLogger().removeHandler(handler)
    return 0


if __name__ == "__main__":
    sys.exit(main())
