"""`penstock tune` with real plugins, some of which really crash, in processes of their own."""

import json
import logging
from pathlib import Path
from typing import Any

import numpy as np
import psutil
import pytest

from app.main import main
from app.tuning import Limit, TunePlan, tune
from app.tuning.material import make_material
from app.tuning.trial import Trial, TrialError
from engine import Dfp, SyncAccl
from engine.dfp import Tuned, compile_models, pack_dfp
from engine.errors import InvalidArgumentError
from tests.support.networks import classifier, detector

MODULE = """
import os, signal, threading
from engine.plugins import Device, ProbeReport
from engine.plugins.onnxruntime_cpu import OnnxRuntimeCpuPlugin

class Good(OnnxRuntimeCpuPlugin):
    key, plugin_id, name = "good", "c0ffee00-0000-4000-8000-000000000011", "good"
    def probe(self):
        return ProbeReport(True, devices=(Device(0, "cpu", "good"),))

def plugin(load):
    return type("Plugin", (Good,), {"load": lambda self, graph, threads_per_lane=1: load(graph)})

def illegal(graph):
    signal.signal(signal.SIGILL, signal.SIG_DFL)
    os.kill(os.getpid(), signal.SIGILL)

def raises(graph):
    raise ValueError("no such operator")

class Wrong:
    def __init__(self, session):
        self.inputs, self.outputs, self.session = session.inputs, session.outputs, session
    def run(self, inputs):
        return [-output for output in self.session.run(inputs)]
    def close(self):
        self.session.close()

Illegal = plugin(illegal)
Raises = plugin(raises)
Hangs = plugin(lambda graph: threading.Event().wait())
Lies = plugin(lambda graph: Wrong(OnnxRuntimeCpuPlugin().load(graph)))
"""
NAMES = ("Good", "Hangs", "Illegal", "Lies", "Raises")


@pytest.fixture
def plugins(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> tuple[str, ...]:
    """Install plugins that crash, hang, raise and compute something else."""
    (tmp_path / "bad_plugins.py").write_text(MODULE)
    info = tmp_path / "bad_plugins-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: bad-plugins\nVersion: 1.0\n")
    lines = [f"{name} = bad_plugins:{name}" for name in NAMES]
    (info / "entry_points.txt").write_text("[penstock.plugins]\n" + "\n".join(lines) + "\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    return NAMES


def frames(count: int = 8) -> Any:
    return np.random.default_rng(0).random((count, 3, 8, 8)).astype(np.float32)


def plan(*plugins: str) -> TunePlan:
    return TunePlan((Limit("cosine", 0.99),), plugins=plugins, window_s=0.05, rounds=1, cores=1)


@pytest.fixture(scope="module")
def program() -> Dfp:
    return compile_models([classifier()])


@pytest.mark.slow
def test_plugins_that_crash_or_compute_something_else_are_refused_with_the_reason(
    plugins: tuple[str, ...], program: Dfp
) -> None:
    before = set(psutil.Process().children(recursive=True))
    others = [plugin for plugin in plugins if plugin != "Hangs"]

    result, _ = tune(program, make_material(program, []), plan(*others))

    problems = {row.setting.plugin: row.problem for row in result.rows}
    assert problems["Illegal"] == "its process was killed by SIGILL (illegal instruction)"
    assert "no such operator" in problems["Raises"]
    assert problems["Lies"].startswith("cosine -1, cosine>=0.99 is asked for")
    assert problems["onnxruntime-cpu"] == problems["Good"] == ""
    assert result.best.setting.plugin in ("Good", "onnxruntime-cpu")
    assert set(psutil.Process().children(recursive=True)) == before


def test_a_plugin_that_hangs_is_ended_with_all_it_started(
    plugins: tuple[str, ...], program: Dfp, tmp_path: Path
) -> None:
    assert "Hangs" in plugins
    before = set(psutil.Process().children(recursive=True))
    make_material(program, []).write(tmp_path)
    trial = Trial(tmp_path, "Hangs", "float", 1)
    try:
        with pytest.raises(TrialError, match=r"it did not answer within 0\.5 s"):
            trial.loaded(0.5)
    finally:
        trial.close()
    trial.close()
    assert set(psutil.Process().children(recursive=True)) == before


@pytest.mark.slow
def test_the_choice_is_stored_and_an_accelerator_runs_with_it(tmp_path: Path) -> None:
    model = tmp_path / "net.onnx"
    model.write_bytes(classifier().SerializeToString())
    np.save(tmp_path / "frames.npy", frames())
    given = ["--calibration", str(tmp_path / "frames.npy"), "--seconds", "0.05", "--rounds", "1"]
    given += ["--plugins", "onnxruntime-cpu", "-o", str(tmp_path / "tuned.dfp")]

    assert main(["tune", str(model), *given]) == 0

    dfp = Dfp(tmp_path / "tuned.dfp")
    assert dfp.tuned is not None
    assert dfp.tuned.plugin == "onnxruntime-cpu"
    assert dfp.tuned.limits == ("cosine>=0.99",)
    assert dfp.tuned.is_quantized == (b"DequantizeLinear" in dfp.graph())
    if dfp.tuned.is_quantized:  # the report in the program is that of its own graph
        assert dfp.models[0].parity.max_difference == dfp.tuned.max_difference
        assert (dfp.models[0].parity.against, dfp.models[0].parity.frames) == ("onnxruntime", 2)
    with SyncAccl(dfp, ignore_manager=True) as accl, SyncAccl(dfp, local_mode=True):
        assert accl.run(frames(1)).shape == (1, 5)


@pytest.mark.slow
def test_int8_is_tried_with_calibration_data_and_compared_with_frames_it_did_not_see(
    program: Dfp,
) -> None:
    result, tuned = tune(program, make_material(program, [frames(8)]), plan("onnxruntime-cpu"))

    assert {row.setting.numbers for row in result.rows} == {"float32", "int8"}
    assert (result.frames, result.is_calibrated) == (2, True)
    exact = next(row for row in result.rows if row.setting.numbers == "float32")
    rounded = next(row for row in result.rows if row.setting.numbers == "int8")
    assert exact.figures.max_difference == 0.0
    assert rounded.figures.max_difference is not None
    assert 0.0 < rounded.figures.max_difference < 0.1
    assert tuned.tuned is not None
    assert tuned.tuned.cosine == result.best.figures.cosine


@pytest.mark.slow
def test_a_program_of_several_models_is_tuned_as_a_whole() -> None:
    dfp = compile_models([classifier(), detector()])
    result, tuned = tune(dfp, make_material(dfp, []), plan("onnxruntime-cpu"))

    assert len(tuned.models) == 2
    assert result.best.figures.rate_hz > 0
    assert result.notes == (
        "int8 was not tried: it takes frames like those it will see (--calibration FILE)",
    )


def test_calibration_is_given_once_for_each_model(program: Dfp) -> None:
    with pytest.raises(InvalidArgumentError, match="given 2 times for a program of 1 models"):
        make_material(program, [frames(), frames()])


@pytest.mark.slow
def test_a_quantized_program_is_not_quantized_again(program: Dfp) -> None:
    (graph,) = make_material(program, [frames()]).quantized
    graphs = {program.models[0].main: graph}
    quantized = Dfp(pack_dfp(name="net", models=program.models, graphs=graphs))

    material = make_material(quantized, [frames()])

    assert material.kinds == ("float",)
    assert material.notes == ("int8 was not tried: model model 0 is quantized already",)


@pytest.mark.slow
def test_the_json_has_every_setting_and_the_winner(tmp_path: Path, capsys: Any) -> None:
    model = tmp_path / "net.onnx"
    model.write_bytes(classifier().SerializeToString())

    given = ["--plugins", "onnxruntime-cpu", "--seconds", "0.05", "--rounds", "1", "--json"]
    assert main(["tune", str(model), *given]) == 0

    told = json.loads(capsys.readouterr().out)
    assert told["rows"][told["winner"]]["setting"]["plugin"] == "onnxruntime-cpu"
    assert told["rows"][told["untuned"]]["figures"]["max_difference"] == 0.0
    assert told["limits"] == ["cosine>=0.99"]


@pytest.mark.expected_log
def test_a_program_tuned_for_a_plugin_that_is_not_here_runs_with_the_best_one(
    program: Dfp, caplog: pytest.LogCaptureFixture
) -> None:
    graphs = {program.models[0].main: program.graph()}
    tuned = Tuned("somebody-elses", lanes=2)
    data = pack_dfp(name="net", models=program.models, graphs=graphs, tuned=tuned)

    with caplog.at_level(logging.WARNING), SyncAccl(data, ignore_manager=True) as accl:
        assert accl.run(frames(1)).shape == (1, 5)

    assert "there is no plugin 'somebody-elses'" in caplog.text
    assert "used instead" in caplog.text


def test_a_place_that_cannot_be_written_to_is_said_before_anything_is_tried(
    tmp_path: Path, capsys: Any
) -> None:
    assert main(["tune", str(tmp_path / "net.onnx"), "-o", str(tmp_path / "no" / "t.dfp")]) == 1
    assert "t.dfp cannot be written; choose a folder" in capsys.readouterr().err
