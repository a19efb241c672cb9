"""Early stopping: keep the best head of a training, and end when it no longer improves."""

from copy import deepcopy
from dataclasses import dataclass
from typing import Generic, TypeVar

import numpy as np

from retrain.training.loss import log_loss

AnyHead = TypeVar("AnyHead")


@dataclass(frozen=True)
class SelectionSet:
    """The photos whose loss decides which weights are the best: their rows, and the set's name."""

    rows: np.ndarray
    name: str

    @classmethod
    def of(cls, train: np.ndarray, validation: np.ndarray) -> "SelectionSet":
        """Choose all validation photos or, if there are none, all training photos."""
        return cls(validation, "validation") if len(validation) else cls(train, "training")


@dataclass(frozen=True)
class BestWeights:
    """The step or epoch `number` whose weights are kept, and its `loss` on the set `by`."""

    number: int
    loss: float
    by: str

    def sentence(self, unit: str, last: int) -> str:
        """Say what is kept and why; `unit` is step or epoch, `last` the last one there was."""
        why = f"its {self.by} loss, {self.loss:.4g}, is the lowest"
        without = "" if self.by == "validation" else " (there are no validation photos)"
        return f"Kept {unit} {self.number} of {last}: {why}{without}"


class EarlyStopping(Generic[AnyHead]):
    """Keeps the head with the lowest loss, and is `over` when it stays the best for too long.

    L. Prechelt, "Early Stopping - But When?", 1998: his criterion UP, counting evaluations since
    the best one.
    """

    def __init__(self, patience: int, class_weights: np.ndarray, by: str = "validation") -> None:
        """Start without a head.

        `patience`: how many evaluations in a row without a lower loss end the training; 0: never.
        `by`: the name of the set whose photos are evaluated, the same ones each time.
        """
        self.patience, self.class_weights, self.by = patience, class_weights, by
        self.best: AnyHead | None = None
        self.kept: BestWeights | None = None
        self.over = False
        self._in_vain = 0

    def look(self, step: int, head: AnyHead, logits: np.ndarray, *, truth: np.ndarray) -> None:
        """Record a head and its logits (n, C) for photos of classes `truth` (n,).

        Args:
            step: The number of the step.
            head: The head, which is copied if it is the best so far.
            logits: (n, C) for the photos.
            truth: (n,) their classes.
        """
        found = log_loss(logits, truth, self.class_weights)
        self._in_vain += 1
        if found < (self.kept.loss if self.kept is not None else np.inf):
            self._in_vain = 0
            self.best, self.kept = deepcopy(head), BestWeights(step, found, self.by)
        self.over = 0 < self.patience <= self._in_vain
