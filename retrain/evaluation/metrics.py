"""Metrics: all the figures of a classifier, from its probabilities and the truth.

Definitions are scikit-learn's unless said otherwise. The predicted class is the one with the
largest probability, the lowest of several.
"""

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from retrain.evaluation.intervals import Interval, bootstrap, too_few, wilson

TOP = 5
BINS = 15  # as in Guo et al. 2017


@dataclass(frozen=True)
class ClassMetrics:
    """The metrics of one class. `support`: its photos; a share of no photos is 0."""

    label: str
    support: int
    precision: float
    recall: float
    f1: float
    recall_interval: Interval
    too_few: bool


@dataclass(frozen=True)
class ReliabilityBin:
    """Photos whose top probability lies in (low, high]; the first bin holds 0, too.

    `confidence`: their mean top probability; `accuracy`: the share that is right; None without
    photos.
    """

    low: float
    high: float
    count: int
    confidence: float | None
    accuracy: float | None


@dataclass(frozen=True, kw_only=True)
class Metrics:
    """Shares and errors in [0, 1], log loss in nats; None where undefined, all without photos.

    `top5_error`: the true class is not among the five largest probabilities (of equals the lower
    class comes first); 0 with up to five classes. `balanced_accuracy`: mean recall of the classes
    that have photos. `macro_f1`: mean F1 of the classes that have photos or were predicted.
    `log_loss`: probabilities are kept above 2.2e-16. `macro_auc`: mean area under the ROC curve
    of each class against the rest, None if a class has no photos or all. `calibration_error`: the
    expected calibration error of Guo et al. 2017, the sum over the bins of `reliability` of
    count_b / count * |accuracy_b - confidence_b|. `confusion`: (C, C) int64 photos by true class
    (row) and predicted class (column). Intervals have 95 % confidence.
    """

    count: int
    accuracy: float | None = None
    accuracy_interval: Interval | None = None
    top1_error: float | None = None
    top5_error: float | None = None
    balanced_accuracy: float | None = None
    macro_f1: float | None = None
    macro_f1_interval: Interval | None = None
    log_loss: float | None = None
    macro_auc: float | None = None
    calibration_error: float | None = None
    classes: tuple[ClassMetrics, ...]
    confusion: np.ndarray
    reliability: tuple[ReliabilityBin, ...]


def compute_metrics(
    probabilities: np.ndarray, truth: np.ndarray, labels: Sequence[str], *, rng: np.random.Generator
) -> Metrics:
    """Compute all metrics of probabilities by the true classes.

    Args:
        probabilities: (n, C), rows summing to 1.
        truth: (n,) true classes in 0 to C - 1.
        labels: The C class names.
        rng: Draws the bootstrap for macro F1.

    Returns:
        The metrics.
    """
    count = len(truth)
    predicted = probabilities.argmax(axis=1)
    shape = (len(labels), len(labels))
    cells = np.ravel_multi_index((truth, predicted), shape)
    confusion = np.bincount(cells, minlength=len(labels) ** 2).reshape(shape)
    classes = _class_metrics(confusion, labels)
    right = truth == predicted
    top = probabilities.max(axis=1).astype(np.float64)
    reliability = _reliability(top, right)
    if not count:
        return Metrics(count=0, classes=classes, confusion=confusion, reliability=reliability)
    hits = int(right.sum())
    of_truth = probabilities[np.arange(count), truth].astype(np.float64)
    return Metrics(
        count=count,
        accuracy=hits / count,
        accuracy_interval=wilson(hits, count),
        top1_error=(count - hits) / count,
        top5_error=float((_rank_of_truth(probabilities, truth) >= TOP).mean()),
        balanced_accuracy=float(np.mean([each.recall for each in classes if each.support])),
        macro_f1=_macro_f1(confusion),
        macro_f1_interval=bootstrap(_macro_f1, confusion, rng),
        log_loss=float(-np.log(np.maximum(of_truth, np.finfo(np.float64).eps)).mean()),
        macro_auc=_macro_auc(probabilities, truth),
        calibration_error=sum(
            each.count / count * abs(each.accuracy - each.confidence)
            for each in reliability
            if each.accuracy is not None and each.confidence is not None
        ),
        classes=classes,
        confusion=confusion,
        reliability=reliability,
    )


def metrics_to_json(metrics: Metrics) -> dict[str, Any]:
    """Convert metrics to plain dicts, lists, strings and numbers; NaN becomes None."""
    text = json.dumps(asdict(metrics), default=np.ndarray.tolist)
    plain: dict[str, Any] = json.loads(text, parse_constant=lambda _: None)
    return plain


def _class_metrics(confusion: np.ndarray, labels: Sequence[str]) -> tuple[ClassMetrics, ...]:
    right, support = np.diagonal(confusion), confusion.sum(axis=1)
    predicted = confusion.sum(axis=0)
    columns = (
        support.tolist(),
        (right / np.maximum(predicted, 1)).tolist(),
        (right / np.maximum(support, 1)).tolist(),
        (2 * right / np.maximum(support + predicted, 1)).tolist(),
        [wilson(hits, count) for hits, count in zip(right.tolist(), support.tolist(), strict=True)],
        [too_few(count) for count in support.tolist()],
    )
    return tuple(ClassMetrics(*row) for row in zip(labels, *columns, strict=True))


def _macro_f1(confusion: np.ndarray) -> float:
    ends = confusion.sum(axis=0) + confusion.sum(axis=1)
    seen = ends > 0
    return float((2 * np.diagonal(confusion)[seen] / ends[seen]).mean())


def _rank_of_truth(probabilities: np.ndarray, truth: np.ndarray) -> np.ndarray:
    """Count, for each photo (n,), how many classes come before the true one."""
    of_truth = probabilities[np.arange(len(truth)), truth][:, None]
    lower = np.arange(probabilities.shape[1]) < truth[:, None]
    before = (probabilities > of_truth) | ((probabilities == of_truth) & lower)
    ranks: np.ndarray = before.sum(axis=1)
    return ranks


def _macro_auc(probabilities: np.ndarray, truth: np.ndarray) -> float | None:
    """Compute the mean area under the ROC curves, or None.

    By the Mann-Whitney statistic, which is that area (Hanley, McNeil 1982).
    """
    areas = []
    for label, scores in enumerate(probabilities.T):
        ranked, inside = np.sort(scores), scores[truth == label]
        pairs = len(inside) * (len(scores) - len(inside))
        if not pairs:
            return None
        # Equal scores share the mean of their ranks.
        ranks = ranked.searchsorted(inside, "left") + ranked.searchsorted(inside, "right") + 1
        areas.append((ranks.sum() - len(inside) * (len(inside) + 1)) / (2 * pairs))
    return float(np.mean(areas))


def _reliability(top: np.ndarray, right: np.ndarray) -> tuple[ReliabilityBin, ...]:
    edges = np.linspace(0, 1, BINS + 1)
    places = np.searchsorted(edges[1:-1], top, side="left")
    counts = np.bincount(places, minlength=BINS).tolist()
    confidences = np.bincount(places, weights=top, minlength=BINS).tolist()
    hits = np.bincount(places, weights=right, minlength=BINS).tolist()
    return tuple(
        ReliabilityBin(
            float(edges[each]),
            float(edges[each + 1]),
            counts[each],
            confidences[each] / counts[each] if counts[each] else None,
            hits[each] / counts[each] if counts[each] else None,
        )
        for each in range(BINS)
    )
