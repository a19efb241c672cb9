"""The balance of classes: how evenly the photos are spread over them."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from retrain.errors import counted

MATTERS = 3.0  # times more photos in the largest class than in the smallest


@dataclass(frozen=True)
class Balance:
    """The smallest and the largest class (of equals the first), with their photos."""

    smallest: str
    fewest: int
    largest: str
    most: int

    @property
    def ratio(self) -> float:
        """Photos of the largest class for each of the smallest, 1 or more."""
        return self.most / self.fewest

    def sentence(self) -> str:
        """Say what the balance means for the user; empty where it means little."""
        if self.ratio < MATTERS:
            return ""
        return (
            f"{self.smallest!r} has {counted(self.fewest, 'photo')} and {self.largest!r} has "
            f"{self.most}, {self.ratio:.1f} times as many: expect more mistakes on the small "
            "class, and judge by the figures of each class"
        )


def balance(classes: Sequence[str], counts: Sequence[int]) -> Balance:
    """Return the balance of classes; `counts`: photos of each class, one or more."""
    low, high = int(np.argmin(counts)), int(np.argmax(counts))
    return Balance(classes[low], counts[low], classes[high], counts[high])
