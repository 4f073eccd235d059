"""``make package-test``: the Debian package in a fresh Debian tree, used as a user would use it.

Makes a minimal Debian below ``build/package-test`` (mmdebstrap or debootstrap), installs the newest
package of ``dist`` there with apt, and then, as a user without rights: the command line, the demo
with drivers in processes of their own, the window on a virtual screen with its picture checked,
``kill -9`` of the window, and removal. Needs root for chroot and mounts; ends with 0 and the reason
when it cannot run, and with 1 when something is wrong.
"""

import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from tests.packaging.xwd import Picture, read_xwd

ROOT = Path(__file__).resolve().parents[2]
WORK = ROOT / "build" / "package-test"
TREE = WORK / "tree"
DEMO = "/opt/penstock/_internal/resources/demo"
USER = "visitor"
SUITE = os.environ.get("PENSTOCK_DEBIAN", "bookworm")
TOOLS = "xvfb,xauth,openbox,shared-mime-info,desktop-file-utils,man-db"
SCREEN = ":97"
LIMIT_BYTES = 120_000_000

timings: dict[str, float] = {}


def main() -> int:
    reason = why_not()
    if reason:
        print(f"skipped: {reason}")
        return 0
    packages = [Path(name) for name in sys.argv[1:]] or (ROOT / "dist").glob("penstock_*.deb")
    package = max(packages, key=lambda path: path.stat().st_mtime)
    size = package.stat().st_size
    print(f"{package.name}: {size / 1e6:.1f} MB")
    with ExitStack() as stack:
        stack.callback(shutil.rmtree, TREE, ignore_errors=True)
        timed("fresh Debian tree", make_tree)
        stack.enter_context(mounted())
        before = files_outside_user_data()
        shutil.copy2(package, TREE / "tmp" / "penstock.deb")
        timed("apt install", lambda: inside("apt-get install -y -qq /tmp/penstock.deb"))
        check_installed_files()
        stack.enter_context(virtual_screen())
        timed("command line", use_the_command_line)
        timed("headless demo", run_the_demo)
        timed("compile and bench", compile_and_bench)
        timed("window", open_the_window)
        timed("remove and purge", remove)
        left = sorted(files_outside_user_data() - before)
        check(not left, f"nothing is left after purge ({left[:5]})")
    for what, seconds in timings.items():
        print(f"{what:24s} {seconds:7.1f} s")
    check(size <= LIMIT_BYTES, "the package is at most 120 MB")
    return 0


def why_not() -> str:
    """Return why the test cannot run here, empty when it can."""
    if not sys.platform.startswith("linux") or os.geteuid() != 0:
        return "making a Debian tree needs root on Linux"
    if not (shutil.which("mmdebstrap") or shutil.which("debootstrap")):
        return "neither mmdebstrap nor debootstrap is installed"
    if not sys.argv[1:] and not list((ROOT / "dist").glob("penstock_*.deb")):
        return "there is no package in dist; run 'make package' first"
    return ""


# -- the tree


def make_tree() -> None:
    shutil.rmtree(WORK, ignore_errors=True)
    WORK.mkdir(parents=True)
    if shutil.which("mmdebstrap"):
        command = ["mmdebstrap", "--quiet", "--variant=apt", f"--include={TOOLS}", SUITE, str(TREE)]
    else:
        command = ["debootstrap", "--variant=minbase", f"--include={TOOLS}", SUITE, str(TREE)]
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    shutil.copy2("/etc/resolv.conf", TREE / "etc" / "resolv.conf")
    inside("apt-get update -qq")
    inside(f"useradd --create-home {USER}")


@contextmanager
def mounted() -> Iterator[None]:
    """Give the tree /proc, shared memory and a place for X sockets."""
    places = {"proc": ["-t", "proc"], "dev/shm": ["-t", "tmpfs", "-o", "size=512m"]}
    with ExitStack() as stack:
        for place, kind in places.items():
            target = TREE / place
            target.mkdir(parents=True, exist_ok=True)
            subprocess.run(["mount", *kind, "none", str(target)], check=True)
            stack.callback(subprocess.run, ["umount", "--lazy", str(target)], check=False)
        (TREE / "dev/shm").chmod(0o1777)
        yield


def files_outside_user_data() -> set[str]:
    """Return all files that a package could leave behind; caches of apt and dpkg do not count."""
    skipped = ("proc", "sys", "dev", "tmp", "home", "root", "run", "var/lib/dpkg", "var/lib/apt")
    skipped += ("var/cache", "var/log")
    found = set()
    for folder, folders, files in os.walk(TREE):
        relative = os.path.relpath(folder, TREE)
        folders[:] = [f for f in folders if os.path.normpath(f"{relative}/{f}") not in skipped]
        found |= {os.path.normpath(f"{relative}/{file}") for file in files}
        found |= {os.path.normpath(f"{relative}/{f}") for f in folders if "penstock" in f}
    return found - dependencies()


def dependencies() -> set[str]:
    """Return the files of all other packages, which purge does not remove."""
    listed = inside("cat /var/lib/dpkg/info/*.list", is_user=False)
    own = TREE / "var/lib/dpkg/info/penstock.list"
    names = {line.lstrip("/") for line in listed.splitlines()}
    mine = {line.lstrip("/") for line in own.read_text().splitlines()} if own.exists() else set()
    generated = {line for line in names if "mime" in line}
    return (names - mine) | generated


def inside(
    command: str, *, is_user: bool = False, env: dict[str, str] | None = None, ends_with: int = 0
) -> str:
    """Run a shell command in the tree and return what it printed."""
    done = subprocess.run(
        in_tree(command, is_user=is_user),
        env=environment(is_user) | (env or {}),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=600,
        check=False,
    )
    check(
        done.returncode == ends_with,
        f"{command} ends with {ends_with}\n{(done.stdout + done.stderr)[-3000:]}",
    )
    check(
        "Traceback" not in done.stderr,
        f"{command} shows no traceback\n{(done.stdout + done.stderr)[-3000:]}",
    )
    return done.stdout


def in_tree(command: str, *, is_user: bool) -> list[str]:
    who = [f"--userspec={USER}:{USER}"] if is_user else []
    home = f"/home/{USER}" if is_user else "/root"
    return ["chroot", *who, str(TREE), "/bin/sh", "-c", f"cd {home} && {command}"]


def environment(is_user: bool) -> dict[str, str]:
    return {
        "PATH": "/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin",
        "HOME": f"/home/{USER}" if is_user else "/root",
        "LANG": "C.UTF-8",
        "DEBIAN_FRONTEND": "noninteractive",
        "DISPLAY": SCREEN,
        "COLUMNS": "120",
    }


def penstock(arguments: str, *, ends_with: int = 0) -> str:
    return inside(f"penstock {arguments}", is_user=True, ends_with=ends_with)


# -- what is checked


def check_installed_files() -> None:
    share = TREE / "usr/share"
    for place in (
        "applications/penstock.desktop",
        "icons/hicolor/16x16/apps/penstock.png",
        "icons/hicolor/512x512/apps/penstock.png",
        "icons/hicolor/scalable/apps/penstock.svg",
        "mime/application/x-penstock-dfp.xml",
        "man/man1/penstock.1.gz",
        "bash-completion/completions/penstock",
        "zsh/vendor-completions/_penstock",
        "fish/vendor_completions.d/penstock.fish",
        "doc/penstock/copyright",
    ):
        check((share / place).is_file(), f"{place} is installed")
    wants = list((TREE / "etc/systemd").rglob("penstock*"))
    check(not wants, "the manager's unit is installed and not enabled")
    inside("desktop-file-validate /usr/share/applications/penstock.desktop")
    inside("man --warnings=w -P cat penstock > /dev/null")
    size = sum(p.lstat().st_size for p in (TREE / "opt/penstock").rglob("*") if not p.is_dir())
    print(f"installed: {size / 1e6:.0f} MB")


def use_the_command_line() -> None:
    for verb in ("", "gui", "run", "serve", "compile", "inspect", "bench", "devices", "doctor"):
        check("Usage: penstock" in penstock(f"{verb} --help"), f"{verb} explains itself")
    began = time.monotonic()
    penstock("--help")
    timings["  penstock --help"] = time.monotonic() - began
    diagnosis = json.loads(penstock("doctor --json"))
    for finding in diagnosis["findings"]:
        print(f"  {finding['status']:5s} {finding['check']}: {finding['found']}")
    display = next(f for f in diagnosis["findings"] if f["check"] == "display")
    check(display["status"] == "pass", "the doctor reaches the screen")
    check(bool(json.loads(penstock("devices --json"))), "there is a device")
    check(len(json.loads(penstock("drivers --json"))) >= 4, "all drivers are there")
    penstock("run /nowhere.toml", ends_with=2)
    penstock("manager start")
    check(bool(json.loads(penstock("manager status --json"))), "the device manager serves")
    check(len(processes("engine.manager")) >= 1, "the device manager is a process of its own")
    penstock("manager stop")
    words = "COMP_WORDS='penstock ben' COMP_CWORD=1 _PENSTOCK_COMPLETE=complete_bash penstock"
    check("bench" in inside(words, is_user=True), "verbs are completed")


def run_the_demo() -> None:
    report = json.loads(penstock(f"run {DEMO}/demo.toml --seconds 8 --quiet --json"))
    check(len(report["streams"]) == 4, "the demo has four streams")
    for stream in report["streams"]:
        check(stream["frames_out"] > 20, f"{stream['name']} delivers ({stream['message']})")
        p50_ms = stream["latency_ms"]["p50"]
        print(f"  {stream['name']:8s} {stream['rate_hz']:.1f}/s {p50_ms:.1f} ms")


def compile_and_bench() -> None:
    penstock(f"inspect {DEMO}/programs/squeezenet.dfp --extract parts")
    graph = inside("find parts -name '*.onnx' | head -1", is_user=True)
    penstock(f"compile {graph.strip()} --task classify -o again.dfp")
    result = json.loads(penstock("bench again.dfp --window 0.5 --save base.json --json"))
    row = result["rows"][0]
    print(f"  {row['rate_hz']:.0f} frames/s, {row['ratio']:.2f} of bare onnxruntime")
    check(row["rate_hz"] > 1, "the compiled program runs")
    penstock("bench again.dfp --window 0.5 --no-bare --baseline base.json --tolerance 0.9")


@contextmanager
def virtual_screen() -> Iterator[None]:
    """Run Xvfb inside the tree; its frame buffer is a file."""
    (TREE / "tmp/screen").mkdir(mode=0o777)
    (TREE / "tmp/screen").chmod(0o777)
    command = f"exec Xvfb {SCREEN} -screen 0 1600x1000x24 -fbdir /tmp/screen -nolisten tcp"
    with subprocess.Popen(
        in_tree(command, is_user=True),
        env=environment(is_user=True),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    ) as server:
        try:
            socket = TREE / f"tmp/.X11-unix/X{SCREEN[1:]}"
            wait_for(socket.exists, 15.0, "the virtual screen is there")
            yield
        finally:
            server.terminate()


def open_the_window() -> None:
    blank = screen()
    window = subprocess.Popen(
        in_tree(f"exec penstock gui {DEMO}/demo.toml --start", is_user=True),
        env=environment(is_user=True),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
    )
    began = time.monotonic()
    try:
        wait_for(lambda: screen().colors > blank.colors + 20, 60.0, "the window is painted")
        timings["  window painted"] = time.monotonic() - began
        wait_for(lambda: len(processes("engine.drivers.host")) == 4, 60.0, "four driver processes")
        timings["  four drivers"] = time.monotonic() - began
        wait_for(lambda: screen().colors > 2000, 60.0, "pictures of the streams are shown")
        timings["  pictures shown"] = time.monotonic() - began
        check(len(processes("engine.service")) == 1, "one engine")
        check_picture()
        describe(processes(""))
    finally:
        window.kill()  # SIGKILL: nothing of it may stay
        told = window.communicate()[1].decode(errors="replace")
    check("Traceback" not in told, f"the window shows no traceback\n{told}")
    wait_for(lambda: not processes(""), 10.0, "no process is left after kill -9")
    segments = TREE / "dev/shm"
    wait_for(lambda: not list(segments.glob("penstock-*")), 10.0, "no segment is left")
    sockets = TREE / "tmp"
    wait_for(lambda: not list(sockets.glob("penstock-*/engine-*")), 10.0, "no socket is left")


def check_picture() -> None:
    first = screen()
    time.sleep(1.0)
    second = screen()
    second.save(WORK / "window.ppm")
    check(second.largest_share < 0.9, "the window fills the screen with more than one color")
    check(first.data != second.data, "the pictures move")
    print(f"  {second.colors} colors, picture in {WORK / 'window.ppm'}")


def remove() -> None:
    inside("apt-get remove -y -qq penstock")
    check(not (TREE / "opt/penstock").exists(), "the application's folder is gone")
    inside("dpkg --purge penstock")
    check((TREE / "home" / USER / "base.json").exists(), "user data stays")


# -- small helpers


def processes(word: str) -> dict[int, str]:
    """Return the command lines of the package's processes that contain a word."""
    found = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdecimal():
            try:
                target = str((entry / "exe").readlink())
                line = (entry / "cmdline").read_bytes().replace(b"\0", b" ").decode()
            except OSError:
                continue
            if target.endswith("/opt/penstock/penstock") and word in line:
                found[int(entry.name)] = line
    return found


def describe(found: dict[int, str]) -> None:
    for pid, line in found.items():
        status = Path(f"/proc/{pid}/status").read_text()
        [memory] = [row.split()[1] for row in status.splitlines() if row.startswith("VmRSS")]
        words = line.split()
        what = words[2] if words[1:2] == ["--mode"] else "window"
        print(f"  {what:24s} {int(memory) / 1024:.0f} MB")


def screen() -> Picture:
    return read_xwd(TREE / "tmp/screen/Xvfb_screen0")


def wait_for(condition: Callable[[], object], timeout_s: float, what: str) -> None:
    deadline = time.monotonic() + timeout_s
    while not condition():
        if time.monotonic() > deadline:
            check(False, f"{what} within {timeout_s:g} s")
        time.sleep(0.1)


def check(is_good: bool, what: str) -> None:
    if not is_good:
        raise SystemExit(f"FAILED: {what}")


def timed(what: str, work: Callable[[], object]) -> None:
    began = time.monotonic()
    print(f"{what} ...", flush=True)
    work()
    timings[what] = time.monotonic() - began


if __name__ == "__main__":
    sys.exit(main())
