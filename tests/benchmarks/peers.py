"""Published peers, installed beside the engine for one run."""

import subprocess
import tempfile
import venv
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

__all__ = ("peers",)


@contextmanager
def peers(*packages: str) -> Iterator[str]:
    """The interpreter of a scratch environment with these; empty when they do not install."""
    with tempfile.TemporaryDirectory(prefix="penstock-bench-") as folder:
        venv.create(folder, with_pip=True)
        python = str(Path(folder, "bin", "python"))
        command = [python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
        done = subprocess.run([*command, *packages], capture_output=True, check=False)
        yield python if done.returncode == 0 else ""
