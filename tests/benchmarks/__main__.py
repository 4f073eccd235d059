"""``make bench``: runs the benchmarks named on the command line and prints one table."""

import argparse
import os
import sys
from importlib import import_module

from rich.console import Console
from rich.table import Table

from tests.benchmarks.rows import Row

MAIN = ("pipeline", "window", "startup")
BENCHMARKS = (
    *MAIN,
    "accelerator",
    "batch",
    "handle",
    "parallel_buffer",
    "parallel_machine",
    "parallel_runner",
    "parallel_soak",
)


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks")
    parser.add_argument("names", nargs="*", choices=[*BENCHMARKS, []], default=[])
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args()
    os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")
    rows: list[Row] = []
    for name in options.names or MAIN:
        print(f"measuring {name} ...", file=sys.stderr, flush=True)
        rows += import_module(f"tests.benchmarks.{name}").run(options.rounds)
    table = Table("what", "ours", "bare", "ratio", "wanted", "")
    for row in rows:
        table.add_row(row.what, row.ours, row.bare, row.ratio, row.wanted, row.verdict)
    Console(width=140).print(table)
    return 0


if __name__ == "__main__":
    sys.exit(main())
