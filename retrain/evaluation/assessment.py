"""Calibrating a trained head, and its final test, before it is exported."""

import logging
from dataclasses import dataclass

import numpy as np

from retrain.data.class_names import unknown_answer
from retrain.data.split import TEST, VALIDATION
from retrain.evaluation.calibration import Trial, calibrated, fit_threshold, try_temperature
from retrain.evaluation.config import EvalConfig
from retrain.evaluation.metrics import Metrics, compute_metrics
from retrain.evaluation.scoring import Evaluation, evaluate, logits_of
from retrain.features.dataset import Dataset
from retrain.training.config import BatchConfig
from retrain.training.head import Head
from retrain.training.sampler import Sampler
from retrain.utils.logs import print_result
from retrain.utils.text import plain

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Calibration:
    """The result of calibration on the validation photos.

    Attributes:
        head: Gives logits / `temperature`.
        temperature: Divides the logits; 1 where calibration does not help on folds.
        trial: What the fitted temperature does on folds; None without calibration.
        threshold: A photo whose best score is below it is called unknown; None: no such rule.
    """

    head: Head
    temperature: float
    threshold: float | None
    trial: Trial | None = None


@dataclass(frozen=True)
class Assessment:
    """The test photos, scored by the calibrated head.

    Attributes:
        evaluation: The photos and their probabilities.
        metrics: Of the calibrated head.
        uncalibrated: Metrics of the head as trained.
    """

    evaluation: Evaluation
    metrics: Metrics
    uncalibrated: Metrics


def calibrate(
    config: EvalConfig, dataset: Dataset, head: Head, *, labels: tuple[str, ...]
) -> Calibration:
    """Fit a temperature and, if asked for, a threshold; return the calibrated head.

    No answer depends on the temperature, which is kept only where it helps on folds.

    Args:
        config: Whether to calibrate, and the precision that a threshold must reach.
        dataset: The photos' features, classes and sets.
        head: As trained.
        labels: In class order.

    Returns:
        The calibrated head with its temperature and threshold.
    """
    rows = dataset.split.rows(VALIDATION)
    logits, truth = logits_of(head, dataset.features, rows), dataset.labels[rows]
    trial = try_temperature(logits, truth) if config.calibration and len(rows) else None
    temperature = trial.temperature if trial is not None and trial.helps else 1.0
    if trial is not None:
        _say_trial(trial)
    divisor = np.float32(temperature)
    divided = Head(head.weights / divisor, head.biases / divisor)
    threshold = None
    if config.reject_precision is not None:
        scores = calibrated(logits, temperature)
        threshold = fit_threshold(scores, truth, config.reject_precision)
        word = unknown_answer(labels)
        _say_threshold(config.reject_precision, threshold, scores, word=word)
    return Calibration(divided, temperature, threshold, trial)


def _say_trial(trial: Trial) -> None:
    if trial.helps or trial.temperature == 1:
        log.info(
            f"Calibrated on {trial.photos} validation photos: temperature {trial.temperature:.3f}"
        )
    else:
        log.info(plain(f"Not calibrated, because it does not help: {trial.sentence()}"))


def _say_threshold(
    precision: float, threshold: float | None, scores: np.ndarray, *, word: str
) -> None:
    if threshold is None:
        log.warning(
            f"no score is right in {precision:.1%} of the {len(scores)} validation photos, so "
            f"nothing is called {word}: see --reject_precision"
        )
        return
    answered = float((scores.max(axis=1) >= threshold).mean())
    log.info(
        f"{word.capitalize()} below a score of {threshold:.4f}: {answered:.1%} of {len(scores)} "
        f"validation photos are answered, {precision:.1%} of those or more rightly"
    )


def assess(
    config: BatchConfig,
    dataset: Dataset,
    labels: tuple[str, ...],
    *,
    head: Head,
    calibration: Calibration,
) -> Assessment:
    """Test the calibrated head on the test photos; return its metrics and print the accuracy.

    Args:
        config: How test photos are drawn.
        dataset: The photos' features, classes and sets.
        labels: In class order.
        head: As trained.
        calibration: The calibrated head.

    Returns:
        The evaluation and its metrics.
    """
    seeds = np.random.SeedSequence(config.seed).spawn(5)
    draw, resample = (np.random.default_rng(seed) for seed in seeds[3:])
    sampler = Sampler(dataset.split.rows(TEST), dataset.labels, config.sampling, rng=draw)
    rows = sampler.draw(config.test_batch_size)
    evaluation = evaluate(calibration.head, dataset.features, dataset.labels, rows=rows)
    metrics = compute_metrics(evaluation.probabilities, evaluation.truth, labels, rng=resample)
    if evaluation.count:
        print_result(
            f"Final test accuracy = {evaluation.accuracy * 100:.1f}% (N={evaluation.count})"
        )
    else:
        log.warning("there is no test photo, so no test accuracy: see --testing_percentage")
    as_trained = evaluate(head, dataset.features, dataset.labels, rows=rows)
    uncalibrated = compute_metrics(as_trained.probabilities, as_trained.truth, labels, rng=resample)
    return Assessment(evaluation, metrics, uncalibrated)
