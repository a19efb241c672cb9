"""What is judged before a run's files replace earlier ones, and what is said of a missed gate."""

import logging
from collections.abc import Sequence

from retrain.config import TrainConfig
from retrain.errors import GateFault, ParityFault, RetrainError
from retrain.evaluation.assessment import Assessment
from retrain.evaluation.audit.audit import Audit, leaks
from retrain.evaluation.comparison import Comparison, compare_with
from retrain.evaluation.gates import NOT_ENOUGH, gate_faults
from retrain.export.export import Export, agreement_faults
from retrain.features.dataset import Dataset
from retrain.utils.logs import print_result

log = logging.getLogger(__name__)


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
