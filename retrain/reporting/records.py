"""The files that a run leaves beside the graph: evaluation, predictions, audit."""

import json
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np

from retrain.data.split import SETS
from retrain.evaluation.assessment import Assessment, Calibration
from retrain.evaluation.audit.audit import Audit
from retrain.evaluation.audit.listing import audit_counts
from retrain.evaluation.learning_curve import LearningCurve, advice, overall_advice
from retrain.evaluation.metrics import Metrics, metrics_to_json
from retrain.evaluation.scoring import BLOCK, evaluate
from retrain.features.dataset import Dataset
from retrain.utils.files import atomic_path, write_bytes
from retrain.utils.text import csv_row

EVALUATION, PREDICTIONS = "evaluation.json", "predictions.csv"
AUDIT_CSV, AUDIT_JSON = "audit.csv", "audit.json"


def write_evaluation(
    path: Path, metrics: Metrics, labels: Sequence[str], *, more: dict[str, Any] | None = None
) -> None:
    """Write all metrics as JSON, with the labels in the order of the confusion matrix.

    Args:
        path: The file.
        metrics: Of the test photos.
        labels: In class order.
        more: Further facts.

    Raises:
        RetrainError: The file cannot be written.
    """
    facts = {"labels": list(labels), **(more or {}), **metrics_to_json(metrics)}
    write_bytes(path, json.dumps(facts).encode("utf-8", "surrogateescape") + b"\n")


def calibration_facts(assessment: Assessment, calibration: Calibration) -> dict[str, Any]:
    """Return what `evaluation.json` says of the calibration."""
    before, trial = assessment.uncalibrated, calibration.trial
    return {
        "temperature": calibration.temperature,
        "calibration": None if trial is None else {**asdict(trial), "helps": trial.helps},
        "unknown_below": calibration.threshold,
        "uncalibrated": {
            "log_loss": before.log_loss,
            "calibration_error": before.calibration_error,
        },
    }


def fold_facts(curve: LearningCurve | None, labels: Sequence[str]) -> dict[str, Any]:
    """Return what `evaluation.json` says of the folds; None where no head was trained on them."""
    if curve is None:
        return {"folds": None}
    found = curve.by_folds
    answers = [overall_advice(curve), *advice(curve, labels)]
    return {
        "folds": {
            "count": found.count,
            "accuracy": found.share,
            "accuracy_interval": asdict(found.interval),
            "learning_curve": [
                {"training_photos": int(photos.sum()), "accuracy": curve.accuracy(part)[0]}
                for part, photos in enumerate(curve.photos)
            ],
            "more_photos_help": {answer.label: answer.verdict for answer in answers[1:]},
            "more_photos_help_overall": answers[0].verdict,
        }
    }


def audit_facts(audit: Audit | None) -> dict[str, Any]:
    """Return what `evaluation.json` says of the audit; None where none was made."""
    return {"audit": None if audit is None else audit_counts(audit)}


def write_predictions(
    path: Path,
    dataset: Dataset,
    labels: Sequence[str],
    *,
    calibration: Calibration,
    csv_safe: bool = False,
) -> None:
    """Write a row for each photo, in the order of the tree: what the exported graph says of it.

    Args:
        path: The CSV file.
        dataset: The photos' features, classes and sets.
        labels: In class order.
        calibration: The calibrated head.
        csv_safe: See `text.csv_row`.

    Raises:
        RetrainError: The file cannot be written.
    """

    def rows() -> Iterator[tuple[str, str, str, np.ndarray]]:
        every = np.arange(len(dataset.keys))
        for start in range(0, len(every), BLOCK):
            block = every[start : start + BLOCK]
            scored = evaluate(calibration.head, dataset.features, dataset.labels, rows=block)
            for row, scores in zip(block.tolist(), scored.probabilities, strict=True):
                photo = dataset.index.photos[row]
                yield photo.path, SETS[dataset.split.sets[row]], labels[photo.label], scores

    write_prediction_rows(path, labels, rows(), csv_safe=csv_safe)


def write_prediction_rows(
    path: Path,
    labels: Sequence[str],
    rows: Iterator[tuple[str, str, str, np.ndarray]],
    *,
    csv_safe: bool = False,
) -> None:
    """Write predictions as CSV: the prediction, its score, then each class' score.

    Args:
        path: The CSV file.
        labels: In class order.
        rows: (path, set, truth, scores (C,)) of each photo.
        csv_safe: See `text.csv_row`.

    Raises:
        RetrainError: The file cannot be written.
    """
    with atomic_path(path) as temporary, open(
        temporary, "w", encoding="utf-8", errors="surrogateescape", newline=""
    ) as file:  # fmt: skip
        header = ["path", "set", "truth", "prediction", "score", *labels]
        file.write(csv_row(header, safe=csv_safe))
        for photo, which, truth, scores in rows:
            best = int(scores.argmax())
            cells = [f"{score:.5f}" for score in scores.tolist()]
            row = [photo, which, truth, labels[best], cells[best], *cells]
            file.write(csv_row(row, safe=csv_safe))
