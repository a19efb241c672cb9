"""Drawing random batches of photos."""

import numpy as np

LEGACY_DRAW = 2**27  # retrain.py draws an integer below this, modulo the class's photo count


class Sampler:
    """Draws rows of a set, with replacement, from an explicit generator.

    `balanced` is the rule of TF Hub's retrain.py: first a class, uniformly among those with photos
    in the set, then one of its photos. `uniform` draws every photo with the same chance.
    """

    def __init__(
        self, rows: np.ndarray, labels: np.ndarray, rule: str, *, rng: np.random.Generator
    ) -> None:
        """Group the set's rows by class.

        Args:
            rows: (n,) positions of the set's photos.
            labels: (N,) classes of all photos.
            rule: `balanced` or `uniform`.
            rng: Where all chance comes from.
        """
        order = np.argsort(labels[rows], kind="stable")
        self.rows = rows[order]
        _, self.starts, self.counts = np.unique(
            labels[self.rows], return_index=True, return_counts=True
        )
        self.rule = rule
        self.rng = rng

    def draw(self, size: int) -> np.ndarray:
        """Draw `size` rows; a negative size gives all of the set's rows, class by class."""
        if size < 0 or not len(self.rows):
            return self.rows
        if self.rule == "uniform":
            return self.rows[self.rng.integers(len(self.rows), size=size)]
        chosen = self.rng.integers(len(self.counts), size=size)
        within = self.rng.integers(LEGACY_DRAW, size=size) % self.counts[chosen]
        return self.rows[self.starts[chosen] + within]
