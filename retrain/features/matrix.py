"""Features of many photos as one matrix, in memory while they are few, else on disk."""

import mmap
from collections.abc import Sequence
from pathlib import Path

import numpy as np

IN_MEMORY_BYTES = 512 << 20  # features up to this size are held in memory


class RowsOnDemand:
    """(n, D) float32 in a .npy file that is open only while rows are read from it."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __getitem__(self, rows: np.ndarray) -> np.ndarray:
        found: np.ndarray = np.load(self.path, mmap_mode="r")[rows]
        return found


Rows = np.ndarray | RowsOnDemand


class FeatureMatrix:
    """(N, D) float32, whose row i is row `rows[i]` of shard `shards[number[i]]`."""

    def __init__(
        self, shards: "Sequence[Rows]", number: np.ndarray, rows: np.ndarray, *, width: int
    ) -> None:
        """Gather the rows of shards into memory, if they are few.

        Args:
            shards: Arrays (n, D).
            number: (N,) the shard of each row.
            rows: (N,) the row in its shard.
            width: D.
        """
        self.shape = (len(rows), width)
        self._shards, self._number, self._rows = shards, number, rows
        self._held: np.ndarray | None = None
        if len(rows) * width * 4 <= IN_MEMORY_BYTES:
            self._held = self._gather(np.arange(len(rows)))
        else:
            for shard in shards:
                _expect_random_reads(shard)

    @classmethod
    def of(cls, features: np.ndarray) -> "FeatureMatrix":
        """Return the rows of an array (N, D) float32 as a matrix."""
        rows = np.arange(len(features))
        return cls([features], np.zeros_like(rows), rows, width=features.shape[1])

    @classmethod
    def stacked(cls, matrices: Sequence["FeatureMatrix"]) -> "FeatureMatrix":
        """Return one matrix of all rows of matrices, the first's first."""
        shards = [shard for matrix in matrices for shard in matrix._shards]
        starts = np.cumsum([0] + [len(matrix._shards) for matrix in matrices])
        numbers = [m._number + start for m, start in zip(matrices, starts, strict=False)]
        rows = np.concatenate([matrix._rows for matrix in matrices])
        return cls(shards, np.concatenate(numbers), rows, width=matrices[0].shape[1])

    def take(self, rows: np.ndarray) -> np.ndarray:
        """Return the given rows (n,) of the matrix as an array (n, D) float32 in memory."""
        return self._gather(rows) if self._held is None else self._held[rows]

    def _gather(self, rows: np.ndarray) -> np.ndarray:
        gathered = np.empty((len(rows), self.shape[1]), np.float32)
        numbers = self._number[rows]
        for number in np.unique(numbers):
            here = np.flatnonzero(numbers == number)
            gathered[here] = self._shards[number][self._rows[rows[here]]]
        return gathered


def _expect_random_reads(shard: Rows) -> None:
    """Tell the system that rows are read at random.

    Else it reads ahead around each row of a batch, hundreds of times what is asked.
    """
    pages = getattr(shard, "_mmap", None)
    if pages is not None and hasattr(pages, "madvise"):
        pages.madvise(mmap.MADV_RANDOM)
