"""Train the spectral model of the demo, and write its ONNX file and its model card.

    python resources/demo/train_spectral.py [FOLDER FOR spectral.onnx]

Takes less than a minute on one core, and gives the same numbers again on the same machine.
`build_programs.py` makes the program from the ONNX file.
"""

import os
import sys
from pathlib import Path

# Sums in another order give other digits: one thread, so that the card is the same every time.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

import numpy as np
import onnx
from numpy.typing import NDArray
from spectral_network import Network, export, probabilities, train
from spectral_scene import (
    CONTEXT,
    GUARD,
    LABELS,
    Split,
    block_split,
    half_split,
    line_features,
)

HERE = Path(__file__).resolve().parent
CARD = HERE / "programs" / "spectral_card.md"
THRESHOLD = 0.5
SEED = 1


def main() -> None:
    """Train on both divisions of the scene; the model of the first one is the demo's."""
    folder = Path(sys.argv[1]) if len(sys.argv) > 1 else HERE.parents[1] / "build" / "demo"
    cube = np.load(HERE / "media" / "Indian_pines_corrected.npy")
    truth = np.load(HERE / "media" / "Indian_pines_gt.npy")
    features = line_features(cube)
    blocks, halves = block_split(truth), half_split(truth.shape)
    network, block_scores = _fit(features, truth, blocks)
    _, half_scores = _fit(features, truth, halves)
    folder.mkdir(parents=True, exist_ok=True)
    model = export(network, pixels=cube.shape[1], bands=cube.shape[2])
    onnx.save(model, folder / "spectral.onnx")
    CARD.write_text(_card(truth, blocks, block_scores, halves, half_scores), encoding="utf-8")
    sys.stdout.write(f"wrote {folder / 'spectral.onnx'} and {CARD}\n")


def _fit(
    features: NDArray[np.float32], truth: NDArray[np.uint8], split: Split
) -> tuple[Network, NDArray[np.float32]]:
    """Return the network and its scores for the whole scene, shape (lines, pixels, 17)."""
    chosen = split.train & (truth > 0)
    network = train(features[chosen], truth[chosen].astype(np.intp), seed=SEED)
    return network, probabilities(network, features)


def _card(
    truth: NDArray[np.uint8],
    blocks: Split,
    block_scores: NDArray[np.float32],
    halves: Split,
    half_scores: NDArray[np.float32],
) -> str:
    right = _hits(truth, blocks, block_scores)
    sure = block_scores.max(axis=-1) >= THRESHOLD
    labeled = blocks.test & (truth > 0)
    unlabeled = truth == 0
    return CARD_TEXT.format(
        band=GUARD - 1,
        context=CONTEXT,
        threshold=THRESHOLD,
        summary=_summary(truth, blocks, block_scores, halves, half_scores),
        classes=_classes(truth, blocks, block_scores, halves, half_scores),
        sure=f"{sure[labeled].mean():.1%}",
        sure_right=f"{right[sure & labeled].mean():.1%}",
        unlabeled=f"{unlabeled.mean():.1%}",
        unlabeled_sure=f"{sure[unlabeled].mean():.1%}",
    )


def _hits(truth: NDArray[np.uint8], split: Split, scores: NDArray[np.float32]) -> NDArray[np.bool_]:
    """Return where a labeled test pixel is classified correctly."""
    return np.asarray(split.test & (truth > 0) & (scores.argmax(axis=-1) == truth))


def _recalls(
    truth: NDArray[np.uint8], split: Split, scores: NDArray[np.float32]
) -> tuple[NDArray[np.intp], NDArray[np.intp], NDArray[np.intp]]:
    """Return training pixels, test pixels and correct test pixels of every class."""
    count = len(LABELS)
    right = _hits(truth, split, scores)
    trained = np.bincount(truth[split.train], minlength=count)
    tested = np.bincount(truth[split.test], minlength=count)
    return trained, tested, np.bincount(truth[right], minlength=count)


def _summary(
    truth: NDArray[np.uint8],
    blocks: Split,
    block_scores: NDArray[np.float32],
    halves: Split,
    half_scores: NDArray[np.float32],
) -> str:
    rows = []
    for name, split, scores in (
        ("guarded blocks", blocks, block_scores),
        ("half of the scene", halves, half_scores),
    ):
        trained, tested, right = (counts[1:] for counts in _recalls(truth, split, scores))
        is_tested = tested > 0
        average = (right[is_tested] / tested[is_tested]).mean()
        rows.append(
            f"| {name} | {trained.sum()} | {tested.sum()} | {right.sum() / tested.sum():.1%} "
            f"| {average:.1%} ({is_tested.sum()} classes) |"
        )
    return "\n".join(rows)


def _classes(
    truth: NDArray[np.uint8],
    blocks: Split,
    block_scores: NDArray[np.float32],
    halves: Split,
    half_scores: NDArray[np.float32],
) -> str:
    first = _recalls(truth, blocks, block_scores)
    second = _recalls(truth, halves, half_scores)
    rows = []
    for index in range(1, len(LABELS)):
        cells = [
            f"{trained[index]} | {tested[index]} | {_share(right[index], tested[index])}"
            for trained, tested, right in (first, second)
        ]
        rows.append(f"| {index} | {LABELS[index]} | {' | '.join(cells)} |")
    return "\n".join(rows)


def _share(part: int, whole: int) -> str:
    return f"{part / whole:.1%}" if whole else "not tested"


CARD_TEXT = """# Model card: spectral.dfp

*Written by `resources/demo/train_spectral.py`; train again instead of editing it.*

**For demonstration only.** The model shows how lines of spectra run through Penstock. It has seen
one scene, recorded on one day by one instrument, and is of no use on any other.

## What it does

In: one line of a spectral camera, 145 pixels x 200 bands, raw values as float32. Standardization is
part of the model. Out: for each pixel a probability for each of 17 numbers, which are those of the
ground truth. Number 0 ("not labeled") is there so that the numbers agree; its probability is always
0, because there is no truth to learn it from. In the demo a pixel whose best probability is below
{threshold} counts as "no class".

A network of two hidden layers (128 and 64 units) sees the spectrum of the pixel and the mean of the
spectra up to {context} pixels to either side on the same line. It never sees other lines.

## Data

Indian Pines: 145 x 145 pixels, 200 bands from 0.4 to 2.5 um after the water absorption bands were
removed, AVIRIS, June 1992. M. F. Baumgardner, L. L. Biehl, D. A. Landgrebe: 220 Band AVIRIS
Hyperspectral Image Data Set, Purdue University, doi:10.4231/R7RX991C, CC BY 3.0. About half of the
pixels have one of 16 labels.

## How it was tested

Neighboring pixels of one field are almost copies of each other. A test on randomly chosen pixels
gives figures far above 90 % that say nothing, so test and training pixels are apart:

- **Guarded blocks**: blocks of 12 x 12 pixels, chosen at random, are for testing. A band of {band}
  pixels around each is used for nothing; features of test and training pixels share no pixel. The
  model in the demo was trained on the rest.
- **Half of the scene**: training on the left half, testing on the right half, the same band between
  them. The fields there are other fields, some classes exist in one half only. This tells how
  little such a model knows about a place that it has not seen. (A separate training, not in the
  demo.)

Which blocks are for testing follows from counts of labels alone. The size of the network, dropout,
smoothing and the number of epochs were chosen on other random divisions of the same scene, so that
the first figure is still slightly too good.

| test | training pixels | test pixels | overall accuracy | mean of the classes' accuracies |
|---|---|---|---|---|
{summary}

Of the test pixels in blocks, {sure} reach the threshold of {threshold}, and {sure_right} of those
are right.

## By class

Accuracy is the share of a class's test pixels that are found (recall).

| number | class | training (blocks) | test | accuracy | training (half) | test | accuracy |
|---|---|---|---|---|---|---|---|
{classes}

## Limits

- The model has to give one of 16 names. {unlabeled} of the scene have no label: roads, houses,
  other crops, and fields nobody walked. {unlabeled_sure} of those pixels still reach the threshold
  and are shown with a name; whether it is true nobody knows.
- Where few pixels were tested, a class's figure is mostly chance.
- The kinds of corn and the kinds of soybean differ by how the field was tilled, and were young
  plants on mostly bare soil: they are the ones that are mixed up.
- A probability is not calibrated; do not read it as one.

## Train again

    python resources/demo/train_spectral.py build/demo
    python resources/demo/build_programs.py build/demo spectral

This takes less than a minute on one core; with the same NumPy on the same machine the figures come
out the same.
"""

if __name__ == "__main__":
    main()
