"""Searching the l2 penalty of a head that has the lowest loss on validation photos."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from retrain.features.matrix import FeatureMatrix
from retrain.training.head import Head
from retrain.training.lbfgs import Objective, blocks, solve
from retrain.training.loss import SoftmaxLoss

STRENGTHS = tuple(10 ** (-half / 2) for half in range(2, 15))  # 0.1 to 1e-7
UNCHECKED_STRENGTH = 5e-4  # without validation photos; the best for flowers and MobileNet v1
PATIENCE = 3  # weaker strengths without a lower loss, after which the search ends


@dataclass(frozen=True)
class Strength:
    """The result of one l2 on the validation photos: log loss in nats, accuracy in [0, 1]."""

    l2: float
    loss: float
    accuracy: float


@dataclass(frozen=True)
class L2Search:
    """The chosen head and its l2; `tried` from strong to weak, empty where nothing was tried."""

    head: Head
    l2: float
    tried: tuple[Strength, ...]


class ClosedForm(Protocol):
    """A solver that finds the optimal head at once; see `optimum`."""

    def __call__(
        self,
        features: FeatureMatrix,
        labels: np.ndarray,
        rows: np.ndarray,
        *,
        validation_rows: np.ndarray,
        loss: SoftmaxLoss,
        l2: float | None,
        start: Head | None = None,
        on_iteration: Callable[[], None] = lambda: None,
    ) -> L2Search:
        """Return the head and its l2; l2 None: chosen by the validation photos."""
        ...


def search_l2(
    features: FeatureMatrix,
    labels: np.ndarray,
    train_rows: np.ndarray,
    *,
    validation_rows: np.ndarray,
    loss: SoftmaxLoss,
    on_iteration: Callable[[], None] = lambda: None,
) -> L2Search:
    """Search the l2 whose head has the lowest validation log loss (`--l2 auto`); return the head.

    An l2 is a strength in STRENGTHS times spread / classes, where spread is the mean squared
    distance of a training photo's features from their mean, so that features in other units give
    the same probabilities; the loss, too, is curved by about that much. Strengths are tried from
    strong to weak, each starting from the one before, until PATIENCE in a row were no better; of
    equals the stronger is taken. The log loss is weighted by class, as in training, and knows no
    label smoothing.

    Args:
        features: (N, D).
        labels: (N,) classes.
        train_rows: Rows of the training photos.
        validation_rows: Rows of the validation photos. Without them the strength is
            UNCHECKED_STRENGTH.
        loss: What training lowers.
        on_iteration: Is called after each iteration of L-BFGS.

    Returns:
        The head, its l2, and what was tried.

    Raises:
        RetrainError: Features are not finite numbers.
    """
    objective = Objective(features, labels, train_rows, loss=loss)
    unit = objective.spread / loss.classes or 1.0
    if not len(validation_rows):
        l2 = UNCHECKED_STRENGTH * unit
        return L2Search(objective.minimise(l2, None, on_iteration), l2, ())
    tried: list[Strength] = []
    best = 0
    head = chosen = None
    for number, strength in enumerate(STRENGTHS):
        l2 = strength * unit
        head = objective.minimise(l2, head, on_iteration)
        tried.append(
            _check(
                head, l2, features, labels=labels, rows=validation_rows, weights=loss.class_weights
            )
        )
        if chosen is None or tried[-1].loss < tried[best].loss:
            best, chosen = number, head
        elif number - best == PATIENCE:
            break
    assert chosen is not None
    return L2Search(chosen, tried[best].l2, tuple(tried))


def optimum(
    features: FeatureMatrix,
    labels: np.ndarray,
    rows: np.ndarray,
    *,
    validation_rows: np.ndarray,
    loss: SoftmaxLoss,
    l2: float | None,
    start: Head | None = None,
    on_iteration: Callable[[], None] = lambda: None,
) -> L2Search:
    """Return the head with the least penalised loss, found by L-BFGS, and its l2.

    Args:
        features: (N, D).
        labels: (N,) classes.
        rows: Rows of the training photos.
        validation_rows: Rows of the photos that choose the l2 where none is given.
        loss: What training lowers.
        l2: The penalty as in `lbfgs.solve`; None: as `search_l2` finds it.
        start: Saves iterations where an l2 is given, and has no part in the answer.
        on_iteration: Is called after each iteration.

    Returns:
        The head, its l2, and what was tried.

    Raises:
        RetrainError: Features are not finite numbers.
    """
    if l2 is None:
        return search_l2(
            features,
            labels,
            rows,
            validation_rows=validation_rows,
            loss=loss,
            on_iteration=on_iteration,
        )
    head = solve(features, labels, rows, loss=loss, l2=l2, start=start, on_iteration=on_iteration)
    return L2Search(head, l2, ())


def _check(
    head: Head,
    l2: float,
    features: FeatureMatrix,
    *,
    labels: np.ndarray,
    rows: np.ndarray,
    weights: np.ndarray,
) -> Strength:
    plain = SoftmaxLoss(weights)
    total, right = 0.0, 0
    for block, truth in blocks(features, labels, rows, classes=plain.classes):
        logits = head.logits(block)
        right += int((logits.argmax(axis=1) == truth).sum())
        total += plain.total_and_slopes(logits, truth)[0]
    weight = float(weights[labels[rows]].sum(dtype=np.float64))
    return Strength(l2, total / weight, right / len(rows))
