"""``python -m engine.compat SCRIPT [ARGS]``: run a script with the published modules served."""

import sys

from engine.compat.running import run_script
from engine.errors import EngineError

__all__ = ("main",)


def main() -> None:
    """Run the script that the command line names."""
    if len(sys.argv) < 2:
        sys.exit("usage: python -m engine.compat SCRIPT [ARGS]")
    try:
        run_script(sys.argv[1], sys.argv[2:])
    except EngineError as error:
        if _is_ours(error):
            sys.exit(f"penstock: {error}")
        raise


def _is_ours(error: EngineError) -> bool:
    """Tell whether the script never began."""
    return getattr(sys.modules["__main__"], "main", None) is main


if __name__ == "__main__":
    main()
