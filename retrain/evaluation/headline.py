"""The figures that stand beside the accuracy: one table for terminal, page and TensorBoard."""

from dataclasses import dataclass

from retrain.evaluation.intervals import Interval
from retrain.evaluation.metrics import TOP, Metrics
from retrain.utils.text import percent


@dataclass(frozen=True)
class Shown:
    """How a field of Metrics is shown.

    Attributes:
        field: Its name.
        name: What people call it.
        share: It is in percent; else a plain number.
        terse: The terminal shows it, too.
        interval: The field with its interval; "" where there is none.
        tag: TensorBoard's name for it; "" where that is `field`.
        most_trivial: It says nothing with this many classes or fewer.
    """

    field: str
    name: str
    share: bool = True
    terse: bool = True
    interval: str = ""
    tag: str = ""
    most_trivial: int = 0


SHOWN = (
    Shown("balanced_accuracy", "Balanced accuracy", terse=False),
    Shown("macro_f1", "Macro F1", interval="macro_f1_interval"),
    Shown("top5_error", f"Top-{TOP} error", most_trivial=TOP),
    Shown("log_loss", "Log loss", share=False, tag="cross_entropy_1"),  # training's name for it
    Shown("calibration_error", "Calibration error"),
    Shown("macro_auc", "Macro AUC", share=False, terse=False),
)


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
    return [
        Figure(
            one.name,
            percent(value) if one.share else f"{value:.3f}",
            getattr(metrics, one.interval) if one.interval else None,
            one.terse,
        )
        for one in SHOWN
        if (value := getattr(metrics, one.field)) is not None
        and len(metrics.classes) > one.most_trivial
    ]


def scalars(metrics: Metrics) -> dict[str, float]:
    """Return the figures that have a value by TensorBoard's tags, the accuracy among them.

    Accuracy and log loss are called what training and validation call theirs, so that they share
    charts.
    """
    fields = {"accuracy_1": "accuracy"} | {one.tag or one.field: one.field for one in SHOWN}
    found = {tag: getattr(metrics, field) for tag, field in fields.items()}
    return {tag: value for tag, value in found.items() if value is not None}
