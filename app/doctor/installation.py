"""Checks of the installation itself: interpreter and the libraries the engine stands on."""

import platform
import sys
from importlib import import_module
from importlib.metadata import PackageNotFoundError, version

from app.doctor.findings import Finding

__all__ = ("interpreter", "libraries")

_OLDEST = (3, 11)
_LIBRARIES = {
    "numpy": "numpy",
    "msgspec": "msgspec",
    "zmq": "pyzmq",
    "cryptography.hazmat.primitives.asymmetric.ed25519": "cryptography",
    "psutil": "psutil",
    "cv2": "opencv-python-headless",
    "av": "av",
    "onnxruntime": "onnxruntime",
    "onnx": "onnx",
}


def interpreter() -> list[Finding]:
    """Tell which Python and Penstock run, and on what."""
    libc = " ".join(platform.libc_ver()).strip()
    build = "application" if getattr(sys, "frozen", False) else "Python package"
    found = (
        f"Penstock {_version('penstock')} ({build}), Python {platform.python_version()}, "
        f"{platform.system()} {platform.release()} {platform.machine()}"
        + (f", {libc}" if libc else "")
    )
    if sys.version_info[:2] < _OLDEST:
        wanted = ".".join(map(str, _OLDEST))
        return [Finding.failed("interpreter", found, f"install Python {wanted} or later")]
    return [Finding.passed("interpreter", found)]


def libraries() -> list[Finding]:
    """Import each library; the last one named on stderr is the one that crashed."""
    versions, broken = [], []
    for module, package in _LIBRARIES.items():
        print(f"importing {package}", file=sys.stderr, flush=True)
        try:
            import_module(module)
        except ImportError as error:
            broken.append(f"{package}: {error}")
        else:
            versions.append(f"{package} {_version(package)}")
    if broken:
        return [
            Finding.failed(
                "libraries",
                "; ".join(broken),
                "install what is missing, or install Penstock again with 'pip install penstock'",
            )
        ]
    return [Finding.passed("libraries", ", ".join(versions))]


def _version(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return "(unknown version)"
