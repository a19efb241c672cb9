"""The figures that stand beside the accuracy, in words, for the terminal and the page."""

from dataclasses import dataclass

from retrain.evaluation.intervals import Interval
from retrain.evaluation.metrics import TOP, Metrics
from retrain.utils.text import percent


@dataclass(frozen=True)
class Figure:
    """A figure in words.

    Attributes:
        name: What it is.
        text: Its value.
        interval: For 95 %; None where none is known.
        terse: The terminal shows it, too.
    """

    name: str
    text: str
    interval: Interval | None = None
    terse: bool = True


def headline(metrics: Metrics) -> list[Figure]:
    """List the figures of a classifier that have a value, in the order shown."""
    figures = [
        Figure("Balanced accuracy", percent(metrics.balanced_accuracy), terse=False),
        Figure("Macro F1", percent(metrics.macro_f1), metrics.macro_f1_interval),
        Figure("Log loss", _plain(metrics.log_loss)),
        Figure("Calibration error", percent(metrics.calibration_error)),
        Figure("Macro AUC", _plain(metrics.macro_auc), terse=False),
    ]
    if len(metrics.classes) > TOP:
        figures.insert(2, Figure(f"Top-{TOP} error", percent(metrics.top5_error)))
    return [figure for figure in figures if figure.text != percent(None)]


def _plain(value: float | None) -> str:
    return percent(None) if value is None else f"{value:.3f}"
