"""The list of all checks: where each one's code is, and what to do when even asking fails."""

from dataclasses import dataclass

__all__ = ("CHECKS", "Check")

_AGAIN = "install Penstock again; if that does not help, report this with 'penstock doctor --json'"


@dataclass(frozen=True, slots=True)
class Check:
    """A check: `target` is "module:function" below `app.doctor`.

    The function takes nothing and returns findings. It runs in a child process; `fix` is said
    when that process crashes, raises, or has no answer within `timeout_s`.
    """

    name: str
    target: str
    fix: str = _AGAIN
    timeout_s: float = 20.0


CHECKS = (
    Check("interpreter", "installation:interpreter"),
    Check("libraries", "installation:libraries"),
    Check("Qt bindings", "qt:bindings"),
    Check("Qt system libraries", "qt:system_libraries"),
    Check(
        "display",
        "qt:display",
        "check DISPLAY or WAYLAND_DISPLAY, and that this user may use that screen; "
        "without a screen use 'penstock run'",
    ),
    Check("plugins", "engine_checks:plugins", timeout_s=30.0),
    Check("shared memory", "system:shared_memory", "make room in the shared-memory folder"),
    Check("stale segments", "system:stale_segments"),
    Check("permissions", "system:permissions"),
    Check("open files", "system:open_files"),
    Check("license", "engine_checks:license_in_use"),
    Check("engine start", "engine_checks:engine_start", timeout_s=30.0),
    Check("driver start", "engine_checks:driver_start", timeout_s=30.0),
    Check("first result", "engine_checks:first_result", timeout_s=30.0),
)
