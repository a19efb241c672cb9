"""The check that the graph which was written answers photos as training did."""

import logging
from pathlib import Path

import numpy as np

from retrain.backbones.engines.engine import choose_engine, feature_vectors
from retrain.config import TrainConfig
from retrain.data.split import SETS, TEST, TRAIN
from retrain.errors import ParityFault
from retrain.evaluation.assessment import Assessment, Calibration
from retrain.evaluation.scoring import Evaluation
from retrain.export.export import Photos
from retrain.export.parity import Parity, compare, graph_scores
from retrain.features.dataset import Dataset

log = logging.getLogger(__name__)

PARITY_PHOTOS = 16
# Between probabilities from kept features and from new ones of the same photos. Pillow 12.3 and
# 13.0 are 0.003 apart on examples/flowers; a photo read wrongly is far beyond this.
DRIFT = 0.05


def check_graph(
    config: TrainConfig, draft: Path, dataset: Dataset, *, judged: tuple[Calibration, Assessment]
) -> Parity:
    """Score up to 16 photos through the graph that was written and compare with the trained head.

    Kept features may come from another version of Pillow or of the engine, which gives slightly
    other numbers. Where they do not fit the graph, the features of these photos are computed anew:
    if those fit, the graph is right, and a warning says what differs.

    Args:
        config: The settings of the run.
        draft: The graph, before it gets its name.
        dataset: The photos with the features of the run.
        judged: The head that is in the graph, and the test photos.

    Raises:
        ParityFault: The graph does not say what was trained, or the kept features are far from
            what is computed now.
    """
    calibration, assessment = judged
    graph, extract, head = config.graph.output_graph, config.extract, calibration.head
    which, tested = photos_to_check(dataset, assessment.evaluation)
    spread = np.linspace(0, len(tested) - 1, min(PARITY_PHOTOS, len(tested))).astype(int)
    rows = tested[spread]
    pixels = [dataset.read_pixels(row) for row in rows.tolist()]
    found = graph_scores(draft, pixels)
    kept = head.probabilities(dataset.features.take(rows))
    parity = compare(found, kept)
    if not parity.holds(extract.precision):
        engine = choose_engine(extract.engine, dataset.backbone, extract.precision)
        new = head.probabilities(feature_vectors(engine, pixels))
        if compare(found, new).holds(extract.precision):
            _say_drift(dataset, compare(new, kept), which)
            parity = compare(found, new)
    said = (
        f"{parity.agree} of {parity.photos} {which} photos, read through "
        f"{graph.name} itself, get the same answer "
        f"(largest difference of a score: {parity.largest_gap:.1e})"
    )
    if not parity.holds(extract.precision):
        raise ParityFault(
            f"the graph for {graph.absolute()} does not say what was trained, so it was not "
            f"written: only {said}; run again with --engine tensorflow"
        )
    log.info(f"Checked: {said}")
    return parity


def photos_to_check(dataset: Dataset, evaluation: Evaluation) -> tuple[str, np.ndarray]:
    """Return the set, and its rows, that exports are checked with.

    Training photos without test photos.
    """
    if evaluation.count:
        return SETS[TEST], np.unique(evaluation.rows)
    return SETS[TRAIN], dataset.split.rows(TRAIN)


def photos_for_exports(dataset: Dataset, evaluation: Evaluation) -> Photos:
    """Return the photos that exports are checked with, and those to train on."""
    which, tested = photos_to_check(dataset, evaluation)
    paths = [dataset.index.full_path(photo) for photo in dataset.index.photos]
    return Photos(
        checked=[paths[row] for row in tested.tolist()],
        representative=[paths[row] for row in dataset.split.rows(TRAIN).tolist()],
        what=f"{which} photos",
    )


def _say_drift(dataset: Dataset, drift: Parity, which: str) -> None:
    """Warn that kept features differ from new ones; raise ParityFault if they differ by far."""
    said = (
        f"the features kept in {dataset.store.folder} are not quite what is computed now: "
        f"the scores of {drift.photos} {which} photos differ by up to {drift.largest_gap:.1g}, "
        f"{drift.agree} get the same answer"
    )
    remedy = "to compute all features anew, name another folder with --bottleneck_dir"
    if drift.largest_gap > DRIFT:
        raise ParityFault(f"{said}; the graph was not written: {remedy}")
    log.warning(f"{said} (another version of Pillow or of the engine made them); {remedy}")
