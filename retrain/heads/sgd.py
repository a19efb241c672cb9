"""The ancestor's solver: softmax regression by plain gradient descent on random batches."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from retrain.bottlenecks.matrix import FeatureMatrix
from retrain.errors import RetrainError
from retrain.heads.head import Head, accuracy, cross_entropy, softmax
from retrain.heads.sampling import Sampler

INITIAL_STDDEV = 0.001  # ancestor: truncated normal, redrawn beyond two standard deviations


@dataclass(frozen=True)
class SgdSettings:
    steps: int
    learning_rate: float
    train_batch_size: int
    validation_batch_size: int
    eval_step_interval: int
    sampling: str
    seed: int


@dataclass(frozen=True)
class BatchResult:
    """How the head does on one batch of n photos: logits (n, C), accuracy in [0, 1]."""

    logits: np.ndarray
    accuracy: float
    cross_entropy: float
    count: int


@dataclass(frozen=True)
class StepResult:
    """After an evaluated step: the training batch re-scored, and a validation batch, if any."""

    step: int
    head: Head
    train: BatchResult
    validation: BatchResult | None


@np.errstate(over="ignore", invalid="ignore")  # a diverging loss is reported in words
def train_head(
    features: FeatureMatrix,
    labels: np.ndarray,
    train_rows: np.ndarray,
    validation_rows: np.ndarray,
    classes: int,
    settings: SgdSettings,
    on_step: Callable[[int, Head], None],
    on_evaluation: Callable[[StepResult], None],
) -> Head:
    """Trains on `train_rows` of features (N, D) with labels (N,) int32.

    The same arguments give the same head, bit for bit, on the same machine. `on_step` is called
    after each step, `on_evaluation` after each `eval_step_interval`-th and the last one.
    Raises RetrainError when the loss is no longer a number.
    """
    seeds = np.random.SeedSequence(settings.seed).spawn(3)
    start, draw, look = (np.random.default_rng(seed) for seed in seeds)
    weights = _truncated_normal(start, (features.shape[1], classes))
    biases = np.zeros(classes, np.float32)
    head = Head(weights, biases)  # updated in place
    batches = Sampler(train_rows, labels, settings.sampling, draw)
    checks = Sampler(validation_rows, labels, settings.sampling, look)
    rate = np.float32(settings.learning_rate)
    for step in range(settings.steps):
        rows = batches.draw(settings.train_batch_size)
        batch, truth = features.take(rows), labels[rows]
        gradient = softmax(head.logits(batch))
        gradient[np.arange(len(truth)), truth] -= 1
        gradient *= rate / np.float32(len(truth))
        weights -= batch.T @ gradient
        biases -= gradient.sum(axis=0)
        if step % settings.eval_step_interval == 0 or step == settings.steps - 1:
            trained = _score(head, batch, truth)
            if not np.isfinite(trained.cross_entropy) or not np.isfinite(weights).all():
                raise RetrainError(
                    f"training diverged at step {step} with --learning_rate "
                    f"{settings.learning_rate:g}: give a smaller one"
                )
            seen = checks.draw(settings.validation_batch_size)
            checked = _score(head, features.take(seen), labels[seen]) if len(seen) else None
            on_evaluation(StepResult(step, head, trained, checked))
        on_step(step, head)
    return head


def _score(head: Head, batch: np.ndarray, truth: np.ndarray) -> BatchResult:
    logits = head.logits(batch)
    found = softmax(logits)
    return BatchResult(logits, accuracy(found, truth), cross_entropy(found, truth), len(truth))


def _truncated_normal(rng: np.random.Generator, shape: tuple[int, int]) -> np.ndarray:
    values = rng.standard_normal(shape)
    while (outside := np.abs(values) > 2).any():
        values[outside] = rng.standard_normal(int(outside.sum()))
    return (INITIAL_STDDEV * values).astype(np.float32)
