"""Keeping the best head of a training, and knowing when more training does not help."""

from copy import deepcopy
from dataclasses import dataclass
from typing import Generic, TypeVar

import numpy as np

from retrain.training.loss import log_loss

AnyHead = TypeVar("AnyHead")


@dataclass(frozen=True)
class Judges:
    """The photos by whose loss the best of a training is found: `rows`, and the set's name."""

    rows: np.ndarray
    name: str

    @classmethod
    def of(cls, train: np.ndarray, validation: np.ndarray) -> "Judges":
        """All validation photos or, if there are none, all training photos."""
        return cls(validation, "validation") if len(validation) else cls(train, "training")


@dataclass(frozen=True)
class Kept:
    """The step or epoch `number` whose weights are kept, and its `loss` on the photos of `by`."""

    number: int
    loss: float
    by: str

    def sentence(self, unit: str, last: int) -> str:
        """Says what is kept and why; `unit`: step or epoch, `last`: the last one there was."""
        why = f"its {self.by} loss, {self.loss:.4g}, is the lowest"
        without = "" if self.by == "validation" else " (there are no validation photos)"
        return f"Kept {unit} {self.number} of {last}: {why}{without}"


class EarlyStopping(Generic[AnyHead]):
    """Keeps the head with the least loss, and is `over` when it stays the best for too long.

    L. Prechelt, "Early Stopping - But When?", 1998: his criterion UP, counting evaluations since
    the best one.
    """

    def __init__(self, patience: int, class_weights: np.ndarray, by: str = "validation") -> None:
        """`patience`: after how many evaluations in a row that lower nothing it is over; 0: never.

        `by`: the name of the set of photos that are looked at, the same ones each time."""
        self.patience, self.class_weights, self.by = patience, class_weights, by
        self.best: AnyHead | None = None
        self.kept: Kept | None = None
        self.over = False
        self._in_vain = 0

    def look(self, step: int, head: AnyHead, logits: np.ndarray, *, truth: np.ndarray) -> None:
        """Takes note of a head and its logits (n, C) for photos of classes `truth` (n,)."""
        found = log_loss(logits, truth, self.class_weights)
        self._in_vain += 1
        if found < (self.kept.loss if self.kept is not None else np.inf):
            self._in_vain = 0
            self.best, self.kept = deepcopy(head), Kept(step, found, self.by)
        self.over = 0 < self.patience <= self._in_vain
