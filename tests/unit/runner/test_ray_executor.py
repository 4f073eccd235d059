"""The executor for clusters without a cluster: what is refused, and that Ray is optional."""

import socket
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from engine.errors import BrokenError, InvalidArgumentError
from engine.runner import RayExecutor
from tests.support.runners import Squares

ROOT = Path(__file__).resolve().parents[3]


def test_loading_the_runners_does_not_load_ray() -> None:
    program = "import sys, engine.runner; assert 'ray' not in sys.modules"
    subprocess.run([sys.executable, "-c", program], check=True, cwd=ROOT, timeout=50)


@pytest.mark.parametrize("executor", ["ray", "ray://head:10001", "head:6379"])
def test_without_ray_one_sentence_names_what_to_install(
    executor: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "ray", None)
    with pytest.raises(InvalidArgumentError, match=r"pip install 'penstock\[cluster\]'"):
        Squares(1, executor=executor)


@pytest.mark.parametrize("scheme", ["", "ray://"])
def test_an_address_where_nobody_listens_is_told_at_once(scheme: str) -> None:
    pytest.importorskip("ray", reason="the extra 'cluster' is not installed")
    with socket.create_server(("127.0.0.1", 0)) as server:
        address = f"{scheme}127.0.0.1:{server.getsockname()[1]}"
    since = time.monotonic()
    with pytest.raises(BrokenError, match="cannot be joined"):
        Squares(1, executor=address)
    assert time.monotonic() - since < 10


def test_a_start_method_does_not_fit_a_cluster() -> None:
    pytest.importorskip("ray", reason="the extra 'cluster' is not installed")
    with pytest.raises(InvalidArgumentError, match="start_method 'spawn' is about processes"):
        Squares(1, executor="ray", start_method="spawn")


@pytest.mark.parametrize("wrong", [{"num_cpus": -1}, {"num_gpus": float("nan")}, {"wait_s": -1}])
def test_resources_that_make_no_sense_are_refused(wrong: Any) -> None:
    with pytest.raises(InvalidArgumentError, match="must be 0 or more"):
        RayExecutor(**wrong)
