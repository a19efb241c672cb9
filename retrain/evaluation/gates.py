"""Gates: what a result must reach for a command to end well."""

from collections.abc import Sequence

from retrain.data.name_matching import match_name
from retrain.errors import GateFault, UsageFault
from retrain.evaluation.comparison import Comparison
from retrain.evaluation.config import GateConfig
from retrain.evaluation.metrics import Metrics

NOT_ENOUGH = "not good enough: "


def check_recall_labels(wanted: Sequence[tuple[str, float]], labels: Sequence[str]) -> None:
    """Raise UsageFault, before the work starts, for a class that does not exist."""
    for label, _ in wanted:
        if match_name(label, labels) is None:
            raise UsageFault(
                f"--assert_recall {label}: no such class; there are {', '.join(labels[:20])}"
            )


def gate_faults(
    gates: GateConfig,
    metrics: Metrics | None,
    *,
    leaks: int = 0,
    comparison: Comparison | None = None,
) -> list[str]:
    """Return a text for each result that is not good enough; empty if all are.

    Args:
        gates: What must be reached.
        metrics: None: there are none to look at. A share of no photos is not good enough.
        leaks: Pairs of equal pictures in two sets.
        comparison: With the earlier graph; None is not good enough, where it matters.

    Raises:
        UsageFault: There is no such class.
    """
    faults = []
    if metrics is not None:
        least = gates.assert_accuracy
        if least is not None and not (metrics.accuracy or 0.0) >= least:
            found = "unknown" if metrics.accuracy is None else f"{metrics.accuracy:.4f}"
            faults.append(f"accuracy is {found} (N={metrics.count}), --assert_accuracy {least:g}")
        labels = [each.label for each in metrics.classes]
        for label, least in gates.assert_recall:
            position = match_name(label, labels)
            if position is None:
                raise UsageFault(f"--assert_recall {label}: no such class")
            each = metrics.classes[position]
            if not each.recall >= least:
                faults.append(
                    f"recall of {label} is {each.recall:.4f} (N={each.support}), "
                    f"--assert_recall {label}={least:g}"
                )
    if gates.max_leaks is not None and leaks > gates.max_leaks:
        faults.append(f"leaks between sets: {leaks}, --max_leaks {gates.max_leaks}")
    if gates.assert_not_worse and comparison is None:
        faults.append("nothing could be compared, --assert_not_worse")
    if gates.assert_not_worse and comparison is not None and comparison.is_worse:
        faults.append(
            f"worse than {comparison.earlier} on the same {comparison.photos} test photos "
            f"({comparison.new_accuracy:.1%} instead of {comparison.earlier_accuracy:.1%}, "
            f"p = {comparison.difference.p_value:.2g}), --assert_not_worse"
        )
    return faults


def check_gates(gates: GateConfig, metrics: Metrics | None, *, leaks: int = 0) -> None:
    """Raise GateFault, in one line that names each result that is not good enough.

    For commands that replace no classifier. Arguments as of `gate_faults`.
    """
    faults = gate_faults(gates, metrics, leaks=leaks)
    if faults:
        raise GateFault(f"{NOT_ENOUGH}{'; '.join(faults)}; all files were written")
