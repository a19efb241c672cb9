"""What is judged before a run's files replace earlier ones, and what is said of a missed gate."""

import logging
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from retrain.config import TrainConfig
from retrain.data.split import SETS, TEST, TRAIN
from retrain.errors import GateFault, ParityFault, RetrainError
from retrain.evaluation.assessment import Assessment, Calibration
from retrain.evaluation.audit.audit import Audit, leaks
from retrain.evaluation.comparison import Comparison, compare_with
from retrain.evaluation.gates import NOT_ENOUGH, gate_faults
from retrain.evaluation.scoring import Evaluation
from retrain.export.export import Export, Photos, agreement_faults
from retrain.export.parity import Parity, check_parity
from retrain.features.dataset import Dataset
from retrain.utils.logs import print_result

log = logging.getLogger(__name__)

PARITY_PHOTOS = 16


def check_export(
    config: TrainConfig, draft: Path, dataset: Dataset, *, judged: tuple[Calibration, Assessment]
) -> Parity:
    """Score photos through the written file and return the parity; raise ParityFault."""
    calibration, assessment = judged
    graph = config.graph.output_graph
    which, tested = _to_check(dataset, assessment.evaluation)
    spread = np.linspace(0, len(tested) - 1, min(PARITY_PHOTOS, len(tested))).astype(int)
    rows = tested[spread]
    pixels = [dataset.read_pixels(row) for row in rows.tolist()]
    expected = calibration.head.probabilities(dataset.features.take(rows))
    parity = check_parity(draft, pixels, expected)
    said = (
        f"{parity.agree} of {parity.photos} {which} photos, read through "
        f"{graph.name} itself, get the same answer "
        f"(largest difference of a score: {parity.largest_gap:.1e})"
    )
    if not parity.holds(config.extract.precision):
        raise ParityFault(
            f"the graph for {graph.absolute()} does not say what was trained, so it was not "
            f"written: only {said}; run again with --engine tensorflow"
        )
    log.info(f"Checked: {said}")
    return parity


def _to_check(dataset: Dataset, evaluation: Evaluation) -> tuple[str, np.ndarray]:
    """Return the set, and its rows, that exports are checked with.

    Training photos without test photos.
    """
    if evaluation.count:
        return SETS[TEST], np.unique(evaluation.rows)
    return SETS[TRAIN], dataset.split.rows(TRAIN)


def photos_for_exports(dataset: Dataset, evaluation: Evaluation) -> Photos:
    """Return the photos that exports are checked with, and those to train on."""
    which, tested = _to_check(dataset, evaluation)
    paths = [dataset.index.full_path(photo) for photo in dataset.index.photos]
    return Photos(
        checked=[paths[row] for row in tested.tolist()],
        representative=[paths[row] for row in dataset.split.rows(TRAIN).tolist()],
        what=f"{which} photos",
    )


def compared(
    config: TrainConfig, dataset: Dataset, labels: tuple[str, ...], *, assessment: Assessment
) -> Comparison | None:
    """Return the comparison with the earlier graph, which is printed; None without one."""
    earlier = config.report.compare_with
    if earlier is None:
        return None
    comparison = compare_with(earlier, dataset, labels, assessment=assessment)
    if comparison is not None:
        print_result(comparison.sentence())
    return comparison


def missed_gates(
    config: TrainConfig,
    assessment: Assessment,
    *,
    audit: Audit | None,
    comparison: Comparison | None,
) -> list[str]:
    """Return a text for each gate that the run missed; empty for a good run."""
    return gate_faults(
        config.gates,
        assessment.metrics,
        leaks=len(leaks(audit)) if audit is not None else 0,
        comparison=comparison,
    )


def fault_of(
    exports: Sequence[Export], gates: Sequence[str], places: TrainConfig
) -> RetrainError | None:
    """Return the error that ends the command of a run that missed a gate, in one line."""
    differing = agreement_faults(exports)
    missed = [*differing, *([NOT_ENOUGH + "; ".join(gates)] if gates else [])]
    if not missed:
        return None
    kind = ParityFault if differing else GateFault
    return kind(
        f"{'; '.join(missed)}; nothing was replaced, the new files have names like "
        f"{places.graph.output_graph.absolute()}"
    )
