"""Softmax regression by steps along the gradient of random batches: the ancestor's way."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from retrain.errors import RetrainError
from retrain.features.matrix import FeatureMatrix
from retrain.training.early_stopping import EarlyStopping, Kept
from retrain.training.head import Head, accuracy, cross_entropy
from retrain.training.loss import SoftmaxLoss, class_weights
from retrain.training.optimizers import Update, learning_rate, update_rule
from retrain.training.sampler import Sampler
from retrain.utils.numerics import softmax

INITIAL_STDDEV = 0.001  # ancestor: truncated normal, redrawn beyond two standard deviations


@dataclass(frozen=True)
class SgdSettings:
    """With the defaults, the ancestor's plain gradient descent.

    `solver` is one of updates.RULES, `schedule` `constant` or `cosine`, `class_weight` `none` or
    `balanced` (see loss.class_weights; with `balanced` sampling it would be done twice). The
    objective's `l2` and `label_smoothing` are those of lbfgs.solve. `patience`: after how many
    evaluations in a row without a smaller validation loss the training ends; 0 for never.
    """

    steps: int
    learning_rate: float
    train_batch_size: int
    validation_batch_size: int
    eval_step_interval: int
    sampling: str
    seed: int
    solver: str = "sgd"
    schedule: str = "constant"
    l2: float = 0.0
    label_smoothing: float = 0.0
    class_weight: str = "none"
    patience: int = 0


@dataclass(frozen=True)
class BatchResult:
    """How the head does on one batch of n photos: logits (n, C), accuracy in [0, 1]."""

    logits: np.ndarray
    accuracy: float
    cross_entropy: float
    count: int

    @classmethod
    def of(cls, logits: np.ndarray, truth: np.ndarray) -> "BatchResult":
        """From logits (n, C) and classes (n,)."""
        found = softmax(logits)
        return cls(logits, accuracy(found, truth), cross_entropy(found, truth), len(truth))


@dataclass(frozen=True)
class StepResult:
    """After an evaluated step: the training batch re-scored, and a validation batch, if any.

    `best`: the step whose head would be returned if this were the last; None: this one's.
    """

    step: int
    head: Head
    train: BatchResult
    validation: BatchResult | None
    best: Kept | None = None


@np.errstate(over="ignore", invalid="ignore")  # a diverging loss is reported in words
def train_head(
    features: FeatureMatrix,
    labels: np.ndarray,
    train_rows: np.ndarray,
    *,
    validation_rows: np.ndarray,
    classes: int,
    settings: SgdSettings,
    on_step: Callable[[int, Head], None],
    on_evaluation: Callable[[StepResult], None],
) -> Head:
    """Trains on `train_rows` of features (N, D) with labels (N,) int32.

    The same arguments give the same head, bit for bit, on the same machine. `on_step` is called
    after each step, `on_evaluation` after each `eval_step_interval`-th and the last one.
    With early stopping and validation photos, the head with the least validation loss (log loss
    weighted by class) is returned, and training ends when it was not lowered for so long.
    Raises RetrainError when the loss is no longer a number.
    """
    seeds = np.random.SeedSequence(settings.seed).spawn(3)
    start, draw, look = (np.random.default_rng(seed) for seed in seeds)
    weights = _truncated_normal(start, (features.shape[1], classes))
    biases = np.zeros(classes, np.float32)
    head = Head(weights, biases)  # updated in place
    batches = Sampler(train_rows, labels, settings.sampling, rng=draw)
    checks = Sampler(validation_rows, labels, settings.sampling, rng=look)
    loss = SoftmaxLoss(
        class_weights(labels[train_rows], classes, settings.class_weight), settings.label_smoothing
    )
    update = update_rule(settings.solver)
    stopping = EarlyStopping[Head](settings.patience, loss.class_weights)
    for step in range(settings.steps):
        rows = batches.draw(settings.train_batch_size)
        batch, truth = features.take(rows), labels[rows]
        rate = learning_rate(settings.schedule, settings.learning_rate, step, steps=settings.steps)
        _take_step(
            head,
            batch,
            loss.slopes(head.logits(batch), truth),
            l2=settings.l2,
            update=update,
            rate=rate,
        )
        if step % settings.eval_step_interval == 0 or step == settings.steps - 1:
            trained = BatchResult.of(head.logits(batch), truth)
            if not np.isfinite(trained.cross_entropy) or not np.isfinite(weights).all():
                raise RetrainError(
                    f"training diverged at step {step} with --learning_rate "
                    f"{settings.learning_rate:g}: give a smaller one"
                )
            seen = checks.draw(settings.validation_batch_size)
            checked = (
                BatchResult.of(head.logits(features.take(seen)), labels[seen])
                if len(seen)
                else None
            )
            if checked is not None and settings.patience:
                stopping.look(step, head, checked.logits, truth=labels[seen])
            on_evaluation(StepResult(step, head, trained, checked, stopping.kept))
        on_step(step, head)
        if stopping.over:
            break
    return stopping.best or head


def _take_step(
    head: Head, batch: np.ndarray, slopes: np.ndarray, *, l2: float, update: Update, rate: float
) -> None:
    """Changes the head. `slopes` (n, C): derivatives of the photos' losses by their logits."""

    def gradient_times(factor: np.float32) -> tuple[np.ndarray, np.ndarray]:
        scaled = slopes * (factor / np.float32(len(batch)))
        by_weights = batch.T @ scaled
        if l2:
            by_weights += factor * np.float32(l2) * head.weights
        return by_weights, scaled.sum(axis=0)

    weights_change, biases_change = update.change(gradient_times, np.float32(rate))
    np.subtract(head.weights, weights_change, out=head.weights)
    np.subtract(head.biases, biases_change, out=head.biases)


def _truncated_normal(rng: np.random.Generator, shape: tuple[int, int]) -> np.ndarray:
    values = rng.standard_normal(shape)
    while (outside := np.abs(values) > 2).any():
        values[outside] = rng.standard_normal(int(outside.sum()))
    return (INITIAL_STDDEV * values).astype(np.float32)
