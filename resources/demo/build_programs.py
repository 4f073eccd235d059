"""Build the demo's programs again from a folder of ONNX files.

    python resources/demo/build_programs.py FOLDER [PROGRAM ...]

FOLDER holds ssd.onnx, squeezenet.onnx, yunet.onnx, deeplab.onnx and spectral.onnx; the names under
which the models were published do as well. Without programs named, all are built.

The ONNX files can be taken out of the programs: `penstock inspect ssd.dfp --extract PLACE` writes
PLACE/models/0/main.onnx, which becomes FOLDER/ssd.onnx. `train_spectral.py` makes spectral.onnx.
Settings are in programs/settings, one TOML file for each program, as `penstock compile` reads them.

Equal models give equal programs, byte for byte: the time of creation that is written into them is
fixed.
"""

import sys
from collections.abc import Sequence
from pathlib import Path

from engine.dfp import ModelSource, compile_models, load_compile_settings
from engine.errors import EngineError

HERE = Path(__file__).resolve().parent
PROGRAMS = HERE / "programs"
CREATED = "2026-01-01T00:00:00Z"
PUBLISHED = {
    "ssd": "ssd_mobilenet_v1_coco_q.onnx",
    "squeezenet": "squeezenet1.1_w8.onnx",
    "yunet": "face_detection_yunet_2023mar_dyn.onnx",
    "deeplab": "deeplabv3_257_w8.onnx",
}


def main(arguments: Sequence[str]) -> int:
    """Build what was asked for; returns the exit code."""
    if not arguments or arguments[0].startswith("-"):
        sys.stdout.write(f"{__doc__}\n")
        return 2
    folder = Path(arguments[0])
    known = sorted(path.stem for path in (PROGRAMS / "settings").glob("*.toml"))
    try:
        for name in arguments[1:] or known:
            if name not in known:
                sys.stderr.write(f"there is no program {name!r}; they are {', '.join(known)}\n")
                return 2
            _build(name, _model(folder, name))
    except EngineError as error:
        sys.stderr.write(f"{error}\n")
        return 1
    return 0


def _model(folder: Path, name: str) -> Path:
    published = folder / PUBLISHED.get(name, "")
    return published if published.is_file() else folder / f"{name}.onnx"


def _build(name: str, model: Path) -> None:
    settings = load_compile_settings(PROGRAMS / "settings" / f"{name}.toml")
    program = compile_models(
        [ModelSource(model, name=settings.name)],
        output=PROGRAMS / f"{name}.dfp",
        name=settings.name,
        task=settings.task,
        pre=settings.pre,
        post=settings.post,
        labels=settings.labels,
        input_shapes=settings.shapes,
        created=CREATED,
    )
    entry = program.models[0]
    sys.stdout.write(
        f"{name}.dfp: {program.size_bytes / 1e6:.2f} MB, {len(entry.labels)} labels; "
        f"the reference evaluator's result {entry.parity}\n"
    )


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
