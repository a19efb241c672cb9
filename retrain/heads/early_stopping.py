"""Knowing when more training does not help."""

from copy import deepcopy
from typing import Generic, TypeVar

import numpy as np

from retrain.heads.loss import log_loss

AnyHead = TypeVar("AnyHead")


class EarlyStopping(Generic[AnyHead]):
    """Keeps the head with the least validation loss, and is `over` when it stays the best.

    L. Prechelt, "Early Stopping - But When?", 1998: his criterion UP, counting evaluations since
    the best one.
    """

    def __init__(self, patience: int, class_weights: np.ndarray) -> None:
        """`patience`: after how many evaluations in a row that lower nothing it is over."""
        self.patience, self.class_weights = patience, class_weights
        self.best: AnyHead | None = None
        self.best_step: int | None = None
        self.over = False
        self._least = np.inf
        self._in_vain = 0

    def look(self, step: int, head: AnyHead, logits: np.ndarray, truth: np.ndarray) -> None:
        """Takes note of a head and its logits (n, C) for photos of classes `truth` (n,)."""
        found = log_loss(logits, truth, self.class_weights)
        self._in_vain += 1
        if found < self._least:
            self._least, self._in_vain = found, 0
            self.best, self.best_step = deepcopy(head), step
        self.over = self._in_vain == self.patience
