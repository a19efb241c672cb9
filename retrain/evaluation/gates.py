"""Gates: what a result must reach for a command to end well."""

from collections.abc import Sequence

from retrain.data.name_matching import match_name
from retrain.errors import GateFault, UsageFault
from retrain.evaluation.config import GateConfig
from retrain.evaluation.metrics import Metrics


def check_recall_labels(wanted: Sequence[tuple[str, float]], labels: Sequence[str]) -> None:
    """Raise UsageFault, before the work starts, for a class that does not exist."""
    for label, _ in wanted:
        if match_name(label, labels) is None:
            raise UsageFault(
                f"--assert_recall {label}: no such class; there are {', '.join(labels[:20])}"
            )


def check_gates(gates: GateConfig, metrics: Metrics | None, *, leaks: int = 0) -> None:
    """Raise GateFault, in one line that names each result that is not good enough.

    `metrics` None: there are none to look at. `leaks`: pairs of equal pictures in two sets. A share
    of no photos is not good enough.
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
    if faults:
        raise GateFault("not good enough: " + "; ".join(faults) + "; all files were written")
