"""Builds the application and its package: ``python resources/packaging/build.py``.

Needs nothing but the standard library; everything else goes into an environment of its own in
``build/package``. The result is one folder (``build/package/dist/penstock``) and, on Linux, a
Debian package in ``dist``. Windows and macOS turn the folder into an installer with the recipes
in ``windows`` and ``macos``.
"""

import argparse
import hashlib
import os
import shutil
import subprocess
import sys
import time
import venv
from collections.abc import Callable
from pathlib import Path

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[1]
BUILD = ROOT / "build" / "package"
DIST = ROOT / "dist"
ENVIRONMENT = BUILD / "venv"
APPLICATION = BUILD / "dist" / "penstock"

_WATCHED = ("pyproject.toml", "requirements.lock")


def main() -> int:
    """Build everything and say how long it took and how large it is."""
    parser = argparse.ArgumentParser(description="Build the application and its package.")
    parser.add_argument("--no-package", action="store_true", help="stop at the folder")
    options = parser.parse_args()
    timed("environment", make_environment)
    timed("wheel and sdist", make_wheel)
    timed("icons", make_icons)
    timed("application", make_application)
    timed("notices, help pages", make_pages)
    print(f"{APPLICATION}: {size_of(APPLICATION) / 1e6:.0f} MB")
    if sys.platform.startswith("linux") and not options.no_package:
        timed("Debian package", make_debian_package)
        for package in sorted(DIST.glob("*.deb")):
            print(f"{package}: {package.stat().st_size / 1e6:.1f} MB")
    return 0


def make_environment() -> None:
    """Install the pinned packages, anew when their list has changed."""
    stamp = BUILD / "environment"
    wanted = hashlib.sha256(b"".join((ROOT / name).read_bytes() for name in _WATCHED)).hexdigest()
    if stamp.exists() and stamp.read_text() == wanted:
        return
    BUILD.mkdir(parents=True, exist_ok=True)
    venv.create(ENVIRONMENT, clear=True, with_pip=True)
    lock = ["--constraint", str(ROOT / "requirements.lock")]
    pip("install", *lock, "hatchling", "editables")
    # Its dependencies only: Penstock itself is installed as the wheel, after every change.
    pip("install", *lock, "--no-build-isolation", f"{ROOT}[gui,package]")
    stamp.write_text(wanted)


def make_wheel() -> None:
    """Build wheel and sdist into ``dist`` and install the wheel."""
    for old in (*DIST.glob("penstock-*.whl"), *DIST.glob("penstock-*.tar.gz")):
        old.unlink()
    run(python(), "-m", "hatchling", "build", "-d", str(DIST), cwd=ROOT)
    [wheel] = DIST.glob("penstock-*.whl")
    pip("install", "--no-deps", "--force-reinstall", str(wheel))


def make_icons() -> None:
    """Render the icon in all sizes and formats."""
    run(python(), str(HERE / "icons.py"), str(BUILD / "icons"))


def make_application() -> None:
    """Freeze; the spec file is the same on every system."""
    shutil.rmtree(APPLICATION, ignore_errors=True)
    run(
        *(python(), "-m", "PyInstaller", "--noconfirm", "--log-level", "ERROR"),
        *("--distpath", str(BUILD / "dist"), "--workpath", str(BUILD / "work")),
        str(HERE / "penstock.spec"),
        env={"PENSTOCK_ICONS": str(BUILD / "icons")},
    )


def make_pages() -> None:
    """Write third-party notices, manual page and completions from what is inside."""
    run(python(), str(HERE / "notices.py"), str(APPLICATION))
    shutil.copy2(ROOT / "LICENSE", APPLICATION / "LICENSE.txt")
    run(python(), str(HERE / "help_pages.py"), str(BUILD / "pages"))


def make_debian_package() -> None:
    """Put application, pages and desktop files together."""
    run(python(), str(HERE / "linux" / "debian.py"), str(BUILD), str(DIST))


def pip(*arguments: str) -> None:
    """Run the environment's pip with the configuration of the user."""
    run(python(), "-m", "pip", "--quiet", "--disable-pip-version-check", *arguments)


def python() -> str:
    """Return the environment's interpreter."""
    folder = "Scripts" if sys.platform == "win32" else "bin"
    return str(ENVIRONMENT / folder / ("python.exe" if sys.platform == "win32" else "python"))


def run(*command: str, cwd: Path = HERE, env: dict[str, str] | None = None) -> None:
    """Run a command from outside the source tree, so that the installed wheel is what is used."""
    variables = {"QT_QPA_PLATFORM": "offscreen", "PYTHONNOUSERSITE": "1", **os.environ}
    variables.pop("PYTHONPATH", None)
    done = subprocess.run(command, cwd=cwd, env={**variables, **(env or {})}, check=False)
    if done.returncode:
        sys.exit(f"this failed: {' '.join(command)}")


def timed(what: str, work: Callable[[], None]) -> None:
    """Do something and say how long it took."""
    began = time.monotonic()
    print(f"{what} ...", flush=True)
    work()
    print(f"{what}: {time.monotonic() - began:.0f} s", flush=True)


def size_of(folder: Path) -> int:
    """Return the bytes of all files below a folder; links count nothing."""
    return sum(p.stat().st_size for p in folder.rglob("*") if p.is_file() and not p.is_symlink())


if __name__ == "__main__":
    sys.exit(main())
