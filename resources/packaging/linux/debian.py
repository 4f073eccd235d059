"""Puts the Debian package together: ``python debian.py BUILD DIST``.

The tree is made by hand and packed by dpkg-deb; it needs no maintainer scripts, because menus,
icons, MIME types and manual pages are picked up by triggers of Debian's own packages.
"""

import gzip
import io
import lzma
import os
import re
import shutil
import subprocess
import sys
from importlib.metadata import version
from pathlib import Path

HERE = Path(__file__).resolve().parent
PRESET = os.environ.get("PENSTOCK_XZ_PRESET", "9")  # 1 is quick, for trying things out

DEPENDS = (
    "libstdc++6", "libgcc-s1", "libgl1", "libegl1", "libglib2.0-0 | libglib2.0-0t64",
    "libdbus-1-3", "libfontconfig1", "libfreetype6", "libx11-6", "libx11-xcb1", "libxcb1",
    "libxcb-cursor0", "libxcb-glx0", "libxcb-icccm4", "libxcb-image0", "libxcb-keysyms1",
    "libxcb-randr0", "libxcb-render0", "libxcb-render-util0", "libxcb-shape0", "libxcb-shm0",
    "libxcb-sync1", "libxcb-util1", "libxcb-xfixes0", "libxcb-xkb1", "libxkbcommon0",
    "libxkbcommon-x11-0", "zlib1g", "libc-bin",
)  # fmt: skip
RECOMMENDS = (
    "libwayland-client0", "libwayland-cursor0", "libwayland-egl1", "shared-mime-info",
    "desktop-file-utils", "fonts-dejavu-core", "hicolor-icon-theme",
)  # fmt: skip


def main(build: Path, dist: Path) -> None:
    """Make the tree, pack it, and remove the tree."""
    tree = build / "deb"
    shutil.rmtree(tree, ignore_errors=True)
    application = tree / "opt" / "penstock"
    shutil.copytree(build / "dist" / "penstock", application, symlinks=True)
    install_desktop_files(tree, build / "icons")
    install_pages(tree, build / "pages")
    (tree / "usr" / "bin").mkdir(parents=True)
    (tree / "usr" / "bin" / "penstock").symlink_to("/opt/penstock/penstock")
    set_modes(tree)
    write_control(tree)
    dist.mkdir(exist_ok=True)
    for old in dist.glob("penstock_*.deb"):
        old.unlink()
    package = dist / f"penstock_{version('penstock')}_{architecture()}.deb"
    pack(tree, package)
    shutil.rmtree(tree)


def install_desktop_files(tree: Path, icons: Path) -> None:
    """Menu entry, icons in all sizes, MIME types, and the manager's unit."""
    share = tree / "usr" / "share"
    put(HERE / "penstock.desktop", share / "applications" / "penstock.desktop")
    put(HERE / "penstock-mime.xml", share / "mime" / "packages" / "penstock.xml")
    unit = "penstock-manager.service"
    put(HERE / unit, tree / "usr" / "lib" / "systemd" / "user" / unit)
    themes = share / "icons" / "hicolor"
    types = ("application-x-penstock-dfp", "application-x-penstock-project")
    for picture in icons.glob("penstock-*.png"):
        size = picture.stem.rpartition("-")[2]
        put(picture, themes / f"{size}x{size}" / "apps" / "penstock.png")
        for name in types:
            put(picture, themes / f"{size}x{size}" / "mimetypes" / f"{name}.png")
    put(icons / "penstock.svg", themes / "scalable" / "apps" / "penstock.svg")


def install_pages(tree: Path, pages: Path) -> None:
    """Manual page, completions, copyright and change log where Debian looks for them."""
    share = tree / "usr" / "share"
    put_packed(pages / "penstock.1", share / "man" / "man1" / "penstock.1.gz")
    put(pages / "penstock.bash", share / "bash-completion" / "completions" / "penstock")
    put(pages / "_penstock", share / "zsh" / "vendor-completions" / "_penstock")
    put(pages / "penstock.fish", share / "fish" / "vendor_completions.d" / "penstock.fish")
    documents = share / "doc" / "penstock"
    put(tree / "opt" / "penstock" / "THIRD-PARTY-NOTICES.txt", documents / "copyright")
    put_packed(HERE.parents[2] / "CHANGELOG.md", documents / "changelog.gz")


def put(source: Path, target: Path) -> None:
    """Copy a file to where its folder may not be yet."""
    target.parent.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(source, target)


def put_packed(source: Path, target: Path) -> None:
    """Copy a file and compress it, the same way every time."""
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_bytes(gzip.compress(source.read_bytes(), 9, mtime=0))


def set_modes(tree: Path) -> None:
    """Give every file the mode a system folder's files have."""
    for path in (tree, *tree.rglob("*")):
        if not path.is_symlink():
            is_executable = path.is_dir() or path == tree / "opt" / "penstock" / "penstock"
            path.chmod(0o755 if is_executable else 0o644)


def write_control(tree: Path) -> None:
    """Write what dpkg has to know."""
    size_kib = sum(p.lstat().st_size for p in tree.rglob("*") if not p.is_dir()) // 1024
    fields = {
        "Package": "penstock",
        "Version": version("penstock"),
        "Architecture": architecture(),
        "Maintainer": "The Penstock developers <penstock@localhost>",
        "Installed-Size": str(size_kib),
        "Depends": ", ".join((f"libc6 (>= {newest_libc(tree)})", *DEPENDS)),
        "Recommends": ", ".join(RECOMMENDS),
        "Section": "science",
        "Priority": "optional",
        "Description": "multi-stream neural-network inference with a window\n"
        " Penstock runs compiled neural networks on many live streams at once and\n"
        " shows where every millisecond goes: in a window, without a screen, or as\n"
        " a library. This package holds the application with all it needs.",
    }
    folder = tree / "DEBIAN"
    folder.mkdir(mode=0o755)
    text = "".join(f"{name}: {value}\n" for name, value in fields.items())
    (folder / "control").write_text(text, encoding="utf-8")


def newest_libc(tree: Path) -> str:
    """Return the newest version of the C library that any file asks for."""
    newest = (2, 34)
    for path in tree.rglob("*"):
        if path.is_file() and not path.is_symlink() and (".so" in path.name or not path.suffix):
            data = path.read_bytes()
            if data[:4] == b"\x7fELF":
                asked = re.findall(rb"GLIBC_2\.(\d+)\x00", data)
                newest = max([newest, *((2, int(minor)) for minor in asked)])
    return ".".join(map(str, newest))


def architecture() -> str:
    """Return Debian's name of this processor."""
    told = subprocess.run(
        ["dpkg", "--print-architecture"], capture_output=True, text=True, check=True
    )
    return told.stdout.strip()


def pack(tree: Path, package: Path) -> None:
    """Let dpkg-deb make the package, then compress its data once more, knowing what it is.

    dpkg-deb has no option for xz's filter for machine code, which saves five percent here; dpkg
    unpacks it like any other xz file. The members are copied as they are.
    """
    plain = package.with_suffix(".plain")
    command = ["dpkg-deb", "--root-owner-group", "-Znone", "--build", str(tree), str(plain)]
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    filters = "--x86" if architecture() in ("amd64", "i386") else "--arm64"
    with package.open("wb") as out:
        out.write(b"!<arch>\n")
        for name, data in members(plain):
            if name == "data.tar":
                xz = ["xz", "-T0", "--check=crc64", filters, f"--lzma2=preset={PRESET}", "--stdout"]
                packed = subprocess.run(xz, input=data, check=True, capture_output=True).stdout
                write_member(out, "data.tar.xz", packed)
            elif name == "control.tar":
                write_member(out, "control.tar.xz", lzma.compress(data))
            else:
                write_member(out, name, data)
    plain.unlink()
    subprocess.run(["dpkg-deb", "--info", str(package)], check=True, stdout=subprocess.DEVNULL)


def members(archive: Path) -> list[tuple[str, bytes]]:
    """Return names and contents of the members of an ar archive."""
    data, at, found = archive.read_bytes(), 8, []
    while at < len(data):
        name, size = data[at : at + 16].decode().strip().rstrip("/"), int(data[at + 48 : at + 58])
        found.append((name, data[at + 60 : at + 60 + size]))
        at += 60 + size + size % 2
    return found


def write_member(out: io.BufferedWriter, name: str, data: bytes) -> None:
    """Append a member to an ar archive, as dpkg-deb writes it."""
    when = int(os.environ.get("SOURCE_DATE_EPOCH", "0"))
    head = f"{name:<16}{when:<12}{0:<6}{0:<6}{'100644':<8}{len(data):<10}`\n"
    out.write(head.encode("ascii") + data + b"\n" * (len(data) % 2))


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
