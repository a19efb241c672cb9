"""Early stopping: keep the best head of a training, and end when it no longer improves."""

import math
from dataclasses import dataclass

import numpy as np


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


@dataclass
class EarlyStopping:
    """The lowest loss of a training so far, and whether it is time to end.

    Counting evaluations since the best one is criterion UP of L. Prechelt, "Early Stopping - But
    When?", 1998.

    Attributes:
        least: The lowest loss so far.
        best_epoch: The epoch, or step, after which that was; 0 is the start.
        in_vain: Evaluations since then.
    """

    least: float = math.inf
    best_epoch: int = 0
    in_vain: int = 0

    def judge(self, epoch: int, loss: float) -> bool:
        """Record the loss on the selection photos; tell whether it is the lowest so far."""
        self.in_vain += 1
        if not loss < self.least:
            return False
        self.least, self.in_vain, self.best_epoch = loss, 0, epoch
        return True

    def stops(self, patience: int) -> bool:
        """Tell whether `patience` evaluations in a row lowered nothing; 0 is endless."""
        return 0 < patience <= self.in_vain

    def kept(self, by: str) -> BestWeights | None:
        """Return which weights are kept by the photos of the set `by`; None if there are none."""
        best = BestWeights(self.best_epoch, self.least, by)
        return best if math.isfinite(self.least) else None
