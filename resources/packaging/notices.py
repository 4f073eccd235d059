"""Writes ``THIRD-PARTY-NOTICES.txt`` from what is inside an application folder.

``python notices.py FOLDER``, run by the interpreter that froze it. Python packages are those whose
metadata or code is in the folder; system libraries are told by their file names.
"""

import re
import subprocess
import sys
from importlib.metadata import Distribution, distributions
from pathlib import Path

_TEXT_NAMES = re.compile(r"(licen[cs]e|copying|notice|third.?party|authors)[^/]*$", re.IGNORECASE)
_LINE = "=" * 78
_HEAD = """Third-party notices of Penstock

Penstock is licensed under the Apache License 2.0 (LICENSE.txt). This folder also contains the
works named here, unchanged unless said otherwise, under their own licenses. This list was
generated from the files in this folder.

Qt and the Qt for Python bindings are used under the GNU Lesser General Public License 3: they are
separate libraries in _internal/PySide6 and may be replaced by others of the same interface. Their
source code is at https://download.qt.io. The FFmpeg libraries in _internal/av.libs are built with
parts under the GNU General Public License (x264, x265); the source of that build is linked from
https://github.com/PyAV-Org. In the package for Linux OpenCV uses the same FFmpeg libraries, in
place of its own copy, and the data of ICU (libicudata) lacks names and rules that are not used.
Models and media of the demo: _internal/resources/demo/ATTRIBUTION.md. Typeface and icons:
_internal/resources/fonts/OFL.txt and _internal/resources/icons/LICENSE-lucide.txt.
"""


def main(folder: Path) -> None:
    """Write the notices into the folder."""
    inside = folder / "_internal"
    found = sorted(
        (d for d in distributions() if is_inside(d, inside)), key=lambda d: d.name.lower()
    )
    parts = [_HEAD, "Contents:", *(f"  {d.name} {d.version}: {license_of(d)}" for d in found)]
    libraries = system_libraries(inside)
    parts += [f"  {package} (system library)" for package in sorted(libraries)]
    parts += [section(f"Python {sys.version.split()[0]}", [python_license()])]
    parts += [section(f"{d.name} {d.version}", texts_of(d)) for d in found]
    parts += [section(f"{name} (system library)", [text]) for name, text in libraries.items()]
    text = "\n".join(parts) + "\n"
    (folder / "THIRD-PARTY-NOTICES.txt").write_text(text, encoding="utf-8")
    print(f"notices of {len(found)} packages and {len(libraries)} system packages")


def is_inside(distribution: Distribution, inside: Path) -> bool:
    """Tell whether a package's code was frozen, by its top-level names."""
    if distribution.name.lower() in ("penstock", "pip", "pyinstaller"):
        return False
    tops = {str(f).replace("\\", "/").split("/")[0] for f in distribution.files or []}
    names = {top for top in tops if not top.endswith((".dist-info", "__pycache__", "..", ".pth"))}
    return any(
        (inside / name).exists() or (inside / name).with_suffix(".pyc").exists() for name in names
    )


def license_of(distribution: Distribution) -> str:
    """Return the license as the package states it."""
    about = distribution.metadata
    stated = about.get("License-Expression") or about.get("License") or ""
    classifiers = [
        c.rpartition(" :: ")[2] for c in about.get_all("Classifier") or [] if "License" in c
    ]
    first = stated.strip().splitlines()[0] if stated.strip() else ""
    return first[:80] or ", ".join(classifiers) or "see below"


def texts_of(distribution: Distribution) -> list[str]:
    """Return the license files that the package brings."""
    texts = []
    for file in distribution.files or []:
        path = Path(str(distribution.locate_file(file)))
        is_meant = ".dist-info" in str(file) or len(file.parts) <= 2
        if is_meant and _TEXT_NAMES.search(file.name) and path.suffix not in (".py", ".pyc"):
            texts.append(path.read_text(encoding="utf-8", errors="replace"))
    home = distribution.metadata.get("Home-page") or ", ".join(
        distribution.metadata.get_all("Project-URL") or []
    )
    return texts or [f"License: {license_of(distribution)}. {home}"]


def python_license() -> str:
    """Return the interpreter's license text."""
    for path in (Path(sys.base_prefix, "lib"), Path(sys.base_prefix)):
        for name in (
            f"python{sys.version_info[0]}.{sys.version_info[1]}/LICENSE.txt",
            "LICENSE.txt",
        ):
            if (path / name).is_file():
                return (path / name).read_text(encoding="utf-8", errors="replace")
    return "Python Software Foundation License Version 2, https://docs.python.org/3/license.html"


def system_libraries(inside: Path) -> dict[str, str]:
    """Return the copyright texts of the Debian packages that the loose libraries came from."""
    if not sys.platform.startswith("linux"):
        return {}
    known = loader_paths()
    texts = {}
    loose = (p for p in inside.glob("*.so*") if not p.name.startswith("libpython"))
    for path in sorted(loose):
        source = known.get(path.name)
        package = owner(source) if source and not path.is_symlink() else ""
        copyright_file = Path("/usr/share/doc", package, "copyright")
        if package and copyright_file.is_file():
            texts[package] = copyright_file.read_text(encoding="utf-8", errors="replace")
    return texts


def loader_paths() -> dict[str, str]:
    """Return where the dynamic loader finds each library."""
    told = subprocess.run(["/sbin/ldconfig", "-p"], capture_output=True, text=True, check=False)
    pairs = (line.strip().split(" => ") for line in told.stdout.splitlines() if " => " in line)
    return {name.split(" ")[0]: path for name, path in pairs}


def owner(path: str) -> str:
    """Return the Debian package of a file, empty when it has none."""
    for candidate in (path, str(Path(path).resolve()), path.removeprefix("/usr")):
        told = subprocess.run(
            ["dpkg-query", "-S", candidate], capture_output=True, text=True, check=False
        )
        if told.returncode == 0:
            return told.stdout.split(":")[0]
    return ""


def section(title: str, texts: list[str]) -> str:
    """Put a package's texts below a heading."""
    return "\n".join(["", _LINE, title, _LINE, *(text.rstrip() for text in texts)])


if __name__ == "__main__":
    main(Path(sys.argv[1]))
