"""The cells of the confusion matrix, and the photos behind each."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from retrain.evaluation.metrics import Metrics
from retrain.reporting.html.facts import ScoredPhotos

WHOLE = 20  # classes up to which the matrix is a table with every cell's number in it
FAINTEST = 0.2  # a cell with a photo is never invisible
ON_PAGE = ""  # in place of a picture


@dataclass(frozen=True)
class Cell:
    """A cell that holds photos; `shade` in [0, 1]: how strongly it is coloured."""

    truth: int
    predicted: int
    count: int
    shade: float


def cells(metrics: Metrics) -> list[Cell]:
    """List the cells that hold photos, row by row.

    The shade is the share of the true class; its root off the diagonal, where shares are small.
    """
    confusion = metrics.confusion
    rows = np.maximum(confusion.sum(axis=1), 1)
    found = []
    for truth, predicted in np.argwhere(confusion).tolist():
        count = int(confusion[truth, predicted])
        share = count / int(rows[truth])
        shade = share if truth == predicted else share**0.5
        found.append(Cell(truth, predicted, count, max(shade, FAINTEST)))
    return found


def interleaved_by_cell(photos: ScoredPhotos) -> list[int]:
    """Return all n rows: the surest of each cell first, then the second of each, and so on.

    So a page that has no room for all photos shows some of every cell.
    """
    count = len(photos.truth)
    predicted = photos.probabilities.argmax(axis=1)
    surest = -photos.probabilities.max(axis=1)
    order = np.lexsort((np.arange(count), surest, predicted, photos.truth))
    cell = photos.truth[order] * photos.probabilities.shape[1] + predicted[order]
    _, starts, counts = np.unique(cell, return_index=True, return_counts=True)
    rank = np.arange(count) - np.repeat(starts, counts)
    turns: list[int] = order[np.argsort(rank, kind="stable")].tolist()
    return turns


def behind_cells(
    photos: ScoredPhotos, pictures: Mapping[int, str | None]
) -> dict[str, list[list[Any]]]:
    """Return the photos of each cell `T-P`, the surest first, for the page's script.

    Each is [path, probability of the answer in %, of the true class in %, picture]. `pictures`:
    those of the rows to show; None where a photo cannot be read, ON_PAGE for one that the page
    shows anyway.
    """
    predicted = photos.probabilities.argmax(axis=1)
    found: dict[str, list[list[Any]]] = {}
    for row, picture in pictures.items():
        truth, answer = int(photos.truth[row]), int(predicted[row])
        scores = photos.probabilities[row, [answer, truth]].astype(np.float64)
        entry = [photos.paths[row], *np.round(100 * scores, 1).tolist(), picture]
        found.setdefault(f"{truth}-{answer}", []).append(entry)
    return found
