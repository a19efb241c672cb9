"""Gates: what a result must reach for a command to end well."""

from collections.abc import Sequence

from retrain.data.name_matching import match_name
from retrain.errors import GateFault, UsageFault
from retrain.evaluation.metrics import Metrics
from retrain.utils.ranges import parse_number, shown


def parse_recall(text: str) -> tuple[str, float]:
    """Parse `daisy=0.8` into (class, least recall); raise UsageFault."""
    label, _, share = text.rpartition("=")
    if not label:
        raise UsageFault(f"--assert_recall {shown(text)}: give CLASS=SHARE, for example daisy=0.8")
    least = float(parse_number("assert_recall", share, f"--assert_recall {shown(label)}="))
    return label, least


def check_recall_labels(wanted: Sequence[tuple[str, float]], labels: Sequence[str]) -> None:
    """Raise UsageFault, before the work starts, for a class that does not exist."""
    for label, _ in wanted:
        if match_name(label, labels) is None:
            raise UsageFault(
                f"--assert_recall {label}: no such class; there are {', '.join(labels[:20])}"
            )


def check_leaks(leaks: int, max_leaks: int | None) -> None:
    """Raise GateFault for more leaks than `max_leaks`, if that is a number."""
    check_gates(None, None, (), leaks=leaks, max_leaks=max_leaks)


def check_gates(
    metrics: Metrics | None,
    assert_accuracy: float | None,
    assert_recall: Sequence[tuple[str, float]],
    *,
    leaks: int = 0,
    max_leaks: int | None = None,
) -> None:
    """Raise GateFault, in one line that names each result that is not good enough.

    A share of no photos is not good enough.

    Args:
        metrics: Of the test, or None.
        assert_accuracy: The least accuracy in [0, 1], or None.
        assert_recall: Pairs of a class and its least recall in [0, 1].
        leaks: How many were found.
        max_leaks: The most that may be, or None.

    Raises:
        GateFault: A result is not good enough.
    """
    faults = []
    if metrics is not None:
        if assert_accuracy is not None and not (metrics.accuracy or 0.0) >= assert_accuracy:
            found = "unknown" if metrics.accuracy is None else f"{metrics.accuracy:.4f}"
            faults.append(
                f"accuracy is {found} (N={metrics.count}), --assert_accuracy {assert_accuracy:g}"
            )
        labels = [each.label for each in metrics.classes]
        for label, least in assert_recall:
            position = match_name(label, labels)
            if position is None:
                raise UsageFault(f"--assert_recall {label}: no such class")
            each = metrics.classes[position]
            if not each.recall >= least:
                faults.append(
                    f"recall of {label} is {each.recall:.4f} (N={each.support}), "
                    f"--assert_recall {label}={least:g}"
                )
    if max_leaks is not None and leaks > max_leaks:
        faults.append(f"leaks between sets: {leaks}, --max_leaks {max_leaks}")
    if faults:
        raise GateFault("not good enough: " + "; ".join(faults) + "; all files were written")
