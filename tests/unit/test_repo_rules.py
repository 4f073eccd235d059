"""Rules of the whole repository that no linter knows."""

import ast
import re
import subprocess
import sys
from collections.abc import Iterator
from functools import cache
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PACKAGES = ("app", "ui", "engine", "resources")
PRODUCT = sorted(path for package in PACKAGES for path in (ROOT / package).rglob("*.py"))
TESTS = sorted((ROOT / "tests").rglob("*.py"))
ENGINE = [path for path in PRODUCT if path.is_relative_to(ROOT / "engine")]
TEXT_SUFFIXES = {".css", ".json", ".md", ".py", ".qss", ".sh", ".svg", ".toml", ".txt", ".yml", ""}

# Where everything may be caught: around foreign code, and at the outermost function of a thread or
# process. A handler that tidies up and raises again needs no entry.
CATCH_ALL = {
    "engine/accelerator/_extra_model.py": "around a foreign program's code",
    "engine/accelerator/_flow.py": "around the caller's callbacks",
    "engine/batch/bench.py": "around decoders and backends at files from anywhere",
    "engine/buffer/_guard.py": "the outermost function at the interpreter's exit",
    "engine/buffer/_starting.py": "around pickling the user's object",
    "engine/buffer/_worker.py": "the outermost function of a worker's process",
    "engine/dfp/foreign_models.py": "around a framework's exporter",
    "engine/dfp/host_runtime.py": "around onnxruntime in a child",
    "engine/dfp/quantization_child.py": "around the quantizer",
    "engine/dfp/trial_child.py": "around onnxruntime and the reference evaluator in a child",
    "engine/drivers/builtin/network_stream/receiver.py": "the outermost function of a thread",
    "engine/drivers/enumeration.py": "around a driver's own code",
    "engine/drivers/host.py": "the outermost function of a driver's process",
    "engine/drivers/host_control.py": "around a driver's own code",
    "engine/drivers/loading.py": "around a driver's own code",
    "engine/handle/_job.py": "around a plugin's code",
    "engine/handle/_worker.py": "around the caller's initialization function",
    "engine/lanes/device_lanes.py": "around a plugin's code",
    "engine/lanes/exit_guard.py": "the outermost function at the interpreter's exit",
    "engine/machine/_base.py": "the caller's iterator in our thread",
    "engine/machine/_calls.py": "the user's call",
    "engine/machine/_crew.py": "the outermost function of a thread; the user's pickling",
    "engine/machine/_worker_loop.py": "the user's call and pickling in a worker process",
    "engine/machine/fake_pool.py": "the caller's iterator",
    "engine/machine/processes.py": "around pickling the user's function",
    "engine/machine/results.py": "the user's callbacks",
    "engine/manager/attachment.py": "around a plugin's code",
    "engine/manager/worker.py": "the outermost function of a thread",
    "engine/pipeline/session.py": "around a stream's threads",
    "engine/pipeline/stream.py": "the outermost function of a stream's thread",
    "engine/plugins/discovery.py": "around a plugin's import",
    "engine/plugins/mx3/plugin.py": "around the vendor's runtime",
    "engine/plugins/mx3/session.py": "around the vendor's runtime",
    "engine/plugins/mx3/vendor.py": "around the vendor's runtime",
    "engine/plugins/onnxruntime_gpu.py": "around onnxruntime",
    "engine/plugins/openvino_cpu.py": "around OpenVINO",
    "engine/plugins/onnx_reference.py": "around the reference evaluator",
    "engine/plugins/onnxruntime_cpu.py": "around onnxruntime",
    "engine/plugins/probing.py": "around a plugin's probe",
    "engine/runner/_cfg_copies.py": "around the user's classes",
    "engine/runner/_failures.py": "around the user's exceptions",
    "engine/runner/_feed.py": "around pickling the user's items",
    "engine/runner/_ray_shipping.py": "around pickling the user's hooks",
    "engine/runner/_ray_worker.py": "around the hooks",
    "engine/runner/_run.py": "the outermost function of the consumer's thread",
    "engine/runner/_sinks.py": "around unpickling results",
    "engine/runner/_slab.py": "gives the descriptor back and raises again",
    "engine/runner/_worker.py": "around the hooks",
    "engine/runner/base_runner.py": "around producer_end while another exception is on its way",
    "engine/runner/result_stream.py": "the outermost function of the input thread",
    "engine/service/dispatch.py": "the outermost function of a command",
    "ui/wall/tile.py": "around painting, where an exception would end the process",
}


def name_of(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


@cache
def tree_of(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"), str(path))


def lines_in(path: Path) -> int:
    return len(path.read_text(encoding="utf-8").splitlines())


def code_lines(function: ast.FunctionDef | ast.AsyncFunctionDef) -> int:
    """Return how many lines a function has without its docstring."""
    lines = (function.end_lineno or 0) - function.lineno + 1
    if ast.get_docstring(function) is not None:
        lines -= (function.body[0].end_lineno or 0) - function.body[0].lineno + 1
    return lines


def is_catch_all(handler: ast.ExceptHandler) -> bool:
    kinds = handler.type.elts if isinstance(handler.type, ast.Tuple) else [handler.type]
    names = {kind.id if isinstance(kind, ast.Name) else None for kind in kinds if kind is not None}
    return handler.type is None or bool(names & {"Exception", "BaseException"})


def raises_again(handler: ast.ExceptHandler) -> bool:
    last = handler.body[-1]
    return isinstance(last, ast.Raise) and last.exc is None


def swallowing_files() -> set[str]:
    return {
        name_of(path)
        for path in PRODUCT
        for node in ast.walk(tree_of(path))
        if isinstance(node, ast.ExceptHandler) and is_catch_all(node) and not raises_again(node)
    }


def test_no_product_file_is_longer_than_500_lines() -> None:
    assert {name_of(path): n for path in PRODUCT if (n := lines_in(path)) > 500} == {}


def test_no_test_file_is_longer_than_800_lines() -> None:
    assert {name_of(path): n for path in TESTS if (n := lines_in(path)) > 800} == {}


def test_no_function_is_longer_than_60_lines() -> None:
    long = {
        f"{name_of(path)}:{node.name}": n
        for path in PRODUCT
        for node in ast.walk(tree_of(path))
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and (n := code_lines(node)) > 60
    }
    assert long == {}


def test_everything_is_caught_only_where_a_reason_is_listed() -> None:
    assert sorted(swallowing_files() - CATCH_ALL.keys()) == []


def test_no_listed_reason_to_catch_everything_is_out_of_date() -> None:
    gone = sorted(name for name in CATCH_ALL if not (ROOT / name).exists())
    assert gone + sorted(CATCH_ALL.keys() - swallowing_files() - set(gone)) == []


# -- public names


def public_names(path: Path) -> list[str] | None:
    """Return the literal ``__all__`` of a module, None when it has none or computes it."""
    for node in tree_of(path).body:
        if isinstance(node, ast.Assign) and getattr(node.targets[0], "id", "") == "__all__":
            if isinstance(node.value, ast.Call):  # tuple(sorted(...)) is sorted by construction
                return None
            assert isinstance(node.value, ast.Tuple), f"{name_of(path)}: __all__ is not a tuple"
            return [str(ast.literal_eval(item)) for item in node.value.elts]
    return None


def has_all(path: Path) -> bool:
    return any(
        isinstance(node, ast.Assign) and getattr(node.targets[0], "id", "") == "__all__"
        for node in tree_of(path).body
    )


def is_public(path: Path) -> bool:
    """Tell whether others import from a module: not private, not started by its name, not empty."""
    if path.name == "__init__.py":
        return len(tree_of(path).body) > 1
    return not path.name.startswith("_")


def sorted_names(names: list[str]) -> list[str]:
    """Sort as the linter does: CONSTANTS, then Classes, then functions."""
    return sorted(names, key=lambda n: (not n.isupper(), not n[0].isupper(), n))


def defined_names(path: Path) -> Iterator[str]:
    for node in ast.walk(tree_of(path)):
        if isinstance(node, ast.Import | ast.ImportFrom):
            yield from ((alias.asname or alias.name).split(".")[0] for alias in node.names)
        elif isinstance(node, ast.FunctionDef | ast.ClassDef):
            yield node.name
        elif isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            yield node.id


def test_every_public_module_of_the_engine_says_what_is_public() -> None:
    assert [name_of(path) for path in ENGINE if is_public(path) and not has_all(path)] == []


def wrong_public_names(path: Path) -> str:
    """Return what is wrong with the ``__all__`` of a module, empty when nothing is."""
    names = public_names(path)
    if names is None:
        return ""
    defined = set(defined_names(path))
    missing = sorted(set(names) - defined) if "__getattr__" not in defined else []
    if missing or len(set(names)) < len(names):
        return f"{name_of(path)}: missing or twice {missing}"
    return "" if names in (sorted(names), sorted_names(names)) else f"{name_of(path)}: not sorted"


def test_public_names_are_a_sorted_tuple_of_names_that_exist() -> None:
    assert [wrong for path in PRODUCT if (wrong := wrong_public_names(path))] == []


# -- what is imported where


def imported_modules(path: Path) -> set[str]:
    modules: set[str] = set()
    for node in ast.walk(tree_of(path)):
        if isinstance(node, ast.Import):
            modules |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            modules.add(node.module or "")
            modules |= {f"{node.module}.{alias.name}" for alias in node.names}
    return modules


def test_mocks_are_used_in_tests_only() -> None:
    guilty = [name_of(p) for p in PRODUCT if {"unittest.mock", "unittest"} & imported_modules(p)]
    assert guilty == []


def test_the_product_never_imports_its_tests() -> None:
    guilty = [
        name_of(path)
        for path in PRODUCT
        if any(module.split(".")[0] in ("tests", "pytest") for module in imported_modules(path))
    ]
    assert guilty == []


def test_importing_the_engine_loads_nothing_heavy_and_starts_nothing() -> None:
    script = (
        "import os, sys, threading\n"
        "before = dict(os.environ)\n"
        "import engine, engine.errors, engine.config, engine.protocol, engine.telemetry\n"
        "heavy = ['PySide6', 'onnxruntime', 'onnx', 'cv2', 'av', 'pyqtgraph']\n"
        "print([name for name in heavy if name in sys.modules])\n"
        "print([t.name for t in threading.enumerate()])\n"
        "print(dict(os.environ) == before)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert done.stdout.splitlines() == ["[]", "['MainThread']", "True"]
    assert done.stderr == ""


def test_the_command_line_asks_for_no_screen_library() -> None:
    script = "import sys, app.main\nprint('PySide6' in sys.modules, 'onnxruntime' in sys.modules)"
    done = subprocess.run(
        [sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == "False False"


# -- what is written


def text_files() -> Iterator[Path]:
    for name in (*PACKAGES, "tests", "docs", ".ci"):
        yield from (p for p in (ROOT / name).rglob("*") if p.suffix in TEXT_SUFFIXES)
    yield from (ROOT / name for name in ("README.md", "Makefile", "pyproject.toml"))
    yield ROOT / "requirements.lock"


def test_no_path_of_a_developers_machine_is_in_the_repository() -> None:
    foreign = re.compile(r"(?<![\w.~-])/(?:root|Users|work|workspaces?)/")
    guilty = [
        f"{name_of(path)}:{number}"
        for path in text_files()
        if path.is_file() and path != Path(__file__).resolve() and "__pycache__" not in path.parts
        for number, line in enumerate(path.read_text("utf-8", "replace").splitlines(), 1)
        if foreign.search(line)
    ]
    assert guilty == []


def test_pinned_packages_name_no_index() -> None:
    lock = (ROOT / "requirements.lock").read_text(encoding="utf-8")
    assert re.findall(r"https?://\S+|--(?:extra-)?index-url", lock) == []


def test_private_keys_are_not_in_the_repository() -> None:
    armor = re.compile(rb"-----BEGIN [A-Z ]*PRIVATE KEY-----")
    folders = [ROOT / name for name in (*PACKAGES, "tests", "docs")]
    files = [path for folder in folders for path in folder.rglob("*") if path.is_file()]
    assert [name_of(path) for path in files if armor.search(path.read_bytes())] == []
