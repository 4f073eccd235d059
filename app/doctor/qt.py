"""Checks of what the window needs: bindings, system libraries, a screen."""

import importlib.util
import os
import shutil
import subprocess
import sys
from collections.abc import Iterable
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from app.display import has_display
from app.doctor.findings import Finding
from app.qt_guard import is_known_bad

__all__ = ("bindings", "display", "missing_libraries", "packages_for", "system_libraries")

_NOT_INSTALLED = "not installed: there is no window, everything else works"
_LDD_S = 15.0

# Debian's packages for the libraries that Qt takes from the system.
_PACKAGES = {
    "libGL.so.1": "libgl1",
    "libEGL.so.1": "libegl1",
    "libX11.so.6": "libx11-6",
    "libX11-xcb.so.1": "libx11-xcb1",
    "libxkbcommon.so.0": "libxkbcommon0",
    "libxkbcommon-x11.so.0": "libxkbcommon-x11-0",
    "libxcb-cursor.so.0": "libxcb-cursor0",
    "libxcb-icccm.so.4": "libxcb-icccm4",
    "libxcb-keysyms.so.1": "libxcb-keysyms1",
    "libxcb-image.so.0": "libxcb-image0",
    "libxcb-render-util.so.0": "libxcb-render-util0",
    "libxcb-xkb.so.1": "libxcb-xkb1",
    "libfontconfig.so.1": "libfontconfig1",
    "libfreetype.so.6": "libfreetype6",
    "libdbus-1.so.3": "libdbus-1-3",
    "libglib-2.0.so.0": "libglib2.0-0",
    "libgthread-2.0.so.0": "libglib2.0-0",
    "libstdc++.so.6": "libstdc++6",
}


def bindings() -> list[Finding]:
    """Refuse bindings that crash, and packages that get in Qt's way."""
    qt = _version("PySide6-Essentials") or _version("PySide6")
    if not qt:
        return [Finding.skipped("Qt bindings", _NOT_INSTALLED)]
    found = f"PySide6 {qt}, pyqtgraph {_version('pyqtgraph') or 'missing'}"
    check = "Qt bindings"
    if is_known_bad(qt, sys.version_info[:2]):
        return [
            Finding.failed(
                check,
                f"{found}; this version aborts Python {sys.version_info[0]}.{sys.version_info[1]}",
                "install PySide6-Essentials==6.11.3, or use Python 3.12 or later",
            )
        ]
    if not _version("pyqtgraph"):
        return [Finding.failed(check, found, "install 'penstock[gui]'")]
    if _version("shiboken6") not in ("", qt):
        other = f"{found}, shiboken6 {_version('shiboken6')}"
        return [Finding.failed(check, other, "install PySide6-Essentials again, with shiboken6")]
    for package in ("opencv-python", "opencv-contrib-python"):
        if _version(package):
            return [
                Finding.failed(
                    check,
                    f"{found}; {package} is installed too and shows Qt its own plugins",
                    f"uninstall {package}, then install opencv-python-headless again",
                )
            ]
    return [Finding.passed(check, found)]


def system_libraries() -> list[Finding]:
    """Ask the dynamic loader what Qt's own files miss; Qt itself always blames xcb-cursor."""
    check = "Qt system libraries"
    folder = _qt_folder()
    if folder is None:
        return [Finding.skipped(check, _NOT_INSTALLED)]
    if not sys.platform.startswith("linux"):
        return [Finding.skipped(check, "Qt brings all it needs on this system")]
    if shutil.which("ldd") is None:
        return [Finding.skipped(check, "there is no ldd here to ask")]
    missing = missing_libraries(_qt_files(folder))
    if not missing:
        return [Finding.passed(check, "all found")]
    return [
        Finding.failed(
            check,
            f"missing: {', '.join(missing)}",
            f"sudo apt-get install {' '.join(packages_for(missing))}",
        )
    ]


def display() -> list[Finding]:
    """Connect to the screen; Qt ends the process when that fails."""
    check = "display"
    if _qt_folder() is None:
        return [Finding.skipped(check, _NOT_INSTALLED)]
    if not has_display() and not os.environ.get("QT_QPA_PLATFORM"):
        return [Finding.skipped(check, "none: there is no window here, 'penstock run' works")]
    from PySide6.QtGui import QGuiApplication

    app = QGuiApplication(sys.argv[:1])
    screens = [f"{s.size().width()} x {s.size().height()}" for s in app.screens()]
    return [Finding.passed(check, f"{app.platformName()}, {', '.join(screens) or 'no screen'}")]


def missing_libraries(files: Iterable[Path]) -> list[str]:
    """Return the names of the shared libraries that the loader does not find for these files."""
    missing: set[str] = set()
    for path in files:
        done = subprocess.run(
            ["ldd", str(path)],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=_LDD_S,
            check=False,
        )
        for line in done.stdout.splitlines():
            name, arrow, target = line.strip().partition(" => ")
            if arrow and target.strip() == "not found":
                missing.add(name)
    return sorted(missing)


def packages_for(libraries: Iterable[str]) -> list[str]:
    """Return Debian's package names; a library that is not known stands for itself."""
    return sorted({_PACKAGES.get(library, library) for library in libraries})


def _qt_folder() -> Path | None:
    """Return the folder of the bindings, without importing them."""
    spec = importlib.util.find_spec("PySide6")
    if spec is None or not spec.submodule_search_locations:
        return None
    return Path(next(iter(spec.submodule_search_locations)))


def _qt_files(folder: Path) -> list[Path]:
    modules = [folder / f"Qt{name}.abi3.so" for name in ("Core", "Gui", "Widgets", "Svg")]
    plugins = sorted((folder / "Qt" / "plugins" / "platforms").glob("libq*.so"))
    wanted = [path for path in plugins if path.stem in ("libqxcb", "libqoffscreen")]
    return [path for path in (*modules, *wanted) if path.exists()]


def _version(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return ""
