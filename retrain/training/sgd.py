"""Softmax regression by gradient descent on random batches, as in TF Hub's retrain.py."""

from collections.abc import Callable
from copy import deepcopy
from dataclasses import dataclass

import numpy as np

from retrain.errors import RetrainError
from retrain.features.matrix import FeatureMatrix
from retrain.training.early_stopping import BestWeights, EarlyStopping
from retrain.training.head import Head, accuracy, cross_entropy
from retrain.training.loss import SoftmaxLoss, class_weights, log_loss
from retrain.training.optimizers import Update, learning_rate
from retrain.training.sampler import Sampler
from retrain.training.solvers import DEFAULT, SOLVERS
from retrain.utils.numerics import softmax

INITIAL_STDDEV = 0.001  # as in retrain.py: truncated normal, redrawn beyond two standard deviations


@dataclass(frozen=True)
class SgdSettings:
    """How to train a head in steps; the defaults are the plain gradient descent of retrain.py.

    Attributes:
        steps: How many.
        learning_rate: At the first step.
        train_batch_size: Photos of a step.
        validation_batch_size: Validation photos of an evaluation; negative: all.
        eval_step_interval: Steps between evaluations.
        sampling: A rule of `sampler.Sampler`.
        seed: Of all random choices.
        solver: One of `solvers.SOLVERS` that takes steps.
        schedule: `constant` or `cosine`.
        l2: As in `lbfgs.solve`.
        label_smoothing: As in `lbfgs.solve`.
        class_weight: `none` or `balanced` (see `loss.class_weights`; with `balanced` sampling it
            would be done twice).
        patience: Evaluations in a row without a lower validation loss that end the training; 0:
            never.
    """

    steps: int
    learning_rate: float
    train_batch_size: int
    validation_batch_size: int
    eval_step_interval: int
    sampling: str
    seed: int
    solver: str = DEFAULT
    schedule: str = "constant"
    l2: float = 0.0
    label_smoothing: float = 0.0
    class_weight: str = "none"
    patience: int = 0


@dataclass(frozen=True)
class BatchResult:
    """The head's result on one batch of n photos.

    Attributes:
        logits: (n, C).
        accuracy: In [0, 1].
        cross_entropy: In nats.
        count: n.
    """

    logits: np.ndarray
    accuracy: float
    cross_entropy: float
    count: int

    @classmethod
    def of(cls, logits: np.ndarray, truth: np.ndarray) -> "BatchResult":
        """Compute the result from logits (n, C) and classes (n,)."""
        found = softmax(logits)
        return cls(logits, accuracy(found, truth), cross_entropy(found, truth), len(truth))


@dataclass(frozen=True)
class StepResult:
    """An evaluated step: the training batch scored again, and a validation batch, if any.

    Attributes:
        step: Its number.
        head: After the step.
        train: The training batch.
        validation: The validation batch, or None.
        best: The step whose head would be returned if this were the last; None: this one's.
    """

    step: int
    head: Head
    train: BatchResult
    validation: BatchResult | None
    best: BestWeights | None = None


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
    """Train a head by gradient descent on random batches, and return it.

    The same arguments give the same head, bit for bit, on the same machine. With early stopping and
    validation photos, the head with the lowest validation loss (log loss weighted by class) is
    returned, and training ends when it was not lowered for so long.

    Args:
        features: (N, D).
        labels: (N,) int32 classes.
        train_rows: Rows of the training photos.
        validation_rows: Rows of the validation photos; may be empty.
        classes: How many classes there are.
        settings: How to train.
        on_step: Is called after each step.
        on_evaluation: Is called after each `eval_step_interval`-th step and the last one.

    Returns:
        The head.

    Raises:
        RetrainError: The loss is no longer a number.
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
    update = SOLVERS[settings.solver].new_rule()
    stopping, best = EarlyStopping(), None
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
                found = log_loss(checked.logits, labels[seen], loss.class_weights)
                if stopping.judge(step, found):
                    best = deepcopy(head)
            kept = stopping.kept("validation")
            on_evaluation(StepResult(step, head, trained, checked, kept))
        on_step(step, head)
        if stopping.stops(settings.patience):
            break
    return best or head


def _take_step(
    head: Head, batch: np.ndarray, slopes: np.ndarray, *, l2: float, update: Update, rate: float
) -> None:
    """Change the head by one step; `slopes` (n, C): derivatives of losses by logits."""

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
