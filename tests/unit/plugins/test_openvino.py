"""OpenVINO: without it a reason, with it the same results, and its precision in sight."""

import sys
import threading
from importlib.util import find_spec
from typing import Any

import numpy as np
import pytest

from engine.errors import (
    ClosedError,
    InvalidArgumentError,
    PluginUnavailableError,
    ProgramIncompatibleError,
)
from engine.plugins import HasTelemetry, ProcessingPlugin, openvino_cpu
from engine.plugins.onnxruntime_cpu import TINY_MODEL, OnnxRuntimeCpuPlugin
from engine.plugins.openvino_cpu import OpenVinoBf16Plugin, OpenVinoPlugin
from tests.support.networks import classifier

installed = pytest.mark.skipif(
    find_spec("openvino") is None, reason="needs the extra openvino, which is not installed"
)
GRAPH = classifier().SerializeToString()
PICTURE = np.random.default_rng(1).normal(size=(1, 3, 8, 8)).astype(np.float32)


@pytest.mark.parametrize("kind", [OpenVinoPlugin, OpenVinoBf16Plugin])
def test_where_it_is_not_installed_it_says_what_to_install(
    kind: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(openvino_cpu, "find_spec", lambda name: None)
    report = kind().probe()
    assert not report.is_available
    assert report.reason == "OpenVINO is not installed; install it with: pip install openvino"
    with pytest.raises(PluginUnavailableError, match="pip install openvino"):
        kind().load(TINY_MODEL)


def test_float32_is_the_default_and_bfloat16_a_choice_of_its_own() -> None:
    assert (OpenVinoPlugin.precision, OpenVinoBf16Plugin.precision) == ("float32", "bfloat16")
    assert OpenVinoPlugin.key != OpenVinoBf16Plugin.key
    assert isinstance(OpenVinoPlugin(), ProcessingPlugin)
    assert isinstance(OpenVinoPlugin(), HasTelemetry)


@installed
def test_nobody_is_told_over_the_network_that_it_is_used() -> None:
    OpenVinoPlugin().load(TINY_MODEL).close()
    assert not [name for name in sys.modules if name.startswith("openvino_telemetry")]


@installed
def test_float32_gives_the_results_of_onnxruntime_load_after_load() -> None:
    wanted = OnnxRuntimeCpuPlugin().load(GRAPH).run([PICTURE])[0]
    for _ in range(20):
        session = OpenVinoPlugin().load(GRAPH)
        np.testing.assert_allclose(session.run([PICTURE])[0], wanted, atol=1e-6)
        session.close()


@installed
def test_bfloat16_gives_other_numbers_where_the_processor_has_it() -> None:
    plugin = OpenVinoBf16Plugin()
    report = plugin.probe()
    if not report.is_available:
        assert report.reason == "this processor has no bfloat16"
        return
    wanted = OnnxRuntimeCpuPlugin().load(GRAPH).run([PICTURE])[0]
    found = plugin.load(GRAPH).run([PICTURE])[0]
    np.testing.assert_allclose(found, wanted, atol=0.02)
    assert not np.array_equal(found, wanted)


@installed
def test_names_shapes_and_types_are_those_of_the_graph() -> None:
    session, reference = OpenVinoPlugin().load(GRAPH), OnnxRuntimeCpuPlugin().load(GRAPH)
    assert (session.inputs, session.outputs) == (reference.inputs, reference.outputs)


@installed
def test_results_of_threads_that_share_a_model_do_not_mix() -> None:
    session = OpenVinoPlugin().load(TINY_MODEL)
    wrong: list[int] = []

    def work(first: int) -> None:
        for number in range(first, first + 100):
            kept = session.run([np.full((1, 4), number, np.float32)])[0]
            session.run([np.zeros((1, 4), np.float32)])
            if kept.tolist() != [[2.0 * number] * 4]:
                wrong.append(number)

    threads = [threading.Thread(target=work, args=(1000 * i,)) for i in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(20)
    assert wrong == []
    session.close()


@installed
def test_what_does_not_fit_is_refused_in_our_words() -> None:
    plugin = OpenVinoPlugin()
    with pytest.raises(ProgramIncompatibleError, match=r"OpenVINO .* cannot load the model"):
        plugin.load(b"no model")
    session = plugin.load(TINY_MODEL)
    with pytest.raises(InvalidArgumentError, match="takes shape"):
        session.run([np.zeros((4,), np.float32)])
    session.close()
    session.close()
    with pytest.raises(ClosedError):
        session.run([np.zeros((1, 4), np.float32)])
