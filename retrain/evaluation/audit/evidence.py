"""What the checks of the audit judge by: photos, features, neighbours, looks at the files."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np

from retrain.data.decoding.decode import Recipe
from retrain.data.folder import Index
from retrain.data.looks import Look, looks_at
from retrain.data.split import NOHASH, SETS
from retrain.evaluation.audit.finding import Finding
from retrain.features.duplicates import NEIGHBOURS, Alike, alike_photos, first_rows
from retrain.features.matrix import FeatureMatrix
from retrain.features.neighbours import Neighbours, nearest, unit_vectors

SAME_SCENE = "same_scene"  # the check whose pairs are no leaks
RowPair = tuple[int, int, float]  # two photos' rows, and their similarity in [-1, 1]


@dataclass(frozen=True)
class Evidence:
    """What is known of the photos, and how findings about them are made from their rows.

    Attributes:
        index: The photos.
        keys: Digest of each photo's bytes.
        features: Row i belongs to photo i; further rows are ignored.
        sets: The set of each photo.
        recipe: Knows the size of the network's input.
        unique: The first row of each digest, ascending.
        look_of: A look at each photo, by digest, in the order of `unique`.
        neighbours: Of the rows in `unique`, as places in it.
        alike: The pairs of these that show the same thing, as places in it, too.
    """

    index: Index
    keys: Sequence[bytes]
    features: FeatureMatrix
    sets: np.ndarray
    recipe: Recipe
    unique: np.ndarray
    look_of: Mapping[bytes, Look]
    neighbours: Neighbours
    alike: Sequence[Alike]

    @cached_property
    def labels(self) -> np.ndarray:
        """The class of each photo, (n,) int64."""
        return np.array([photo.label for photo in self.index.photos], np.int64)

    @cached_property
    def copies(self) -> list[RowPair]:
        """The pairs of photos with the same bytes, by first occurrence."""
        groups: dict[bytes, list[int]] = {}
        for row, key in enumerate(self.keys):
            groups.setdefault(key, []).append(row)
        return [(group[0], row, 1.0) for group in groups.values() for row in group[1:]]

    def alike_rows(self, *, picture: bool) -> list[RowPair]:
        """List the pairs of the same picture, or else of the same scene, the most similar first."""
        rows = self.unique.tolist()
        return [
            (rows[pair.first], rows[pair.second], pair.similarity)
            for pair in self.alike
            if pair.picture is picture
        ]

    def groups(self) -> list[bytes]:
        """Return a key for each photo, the same for photos that show the same thing."""
        pictures, scenes = (self.alike_rows(picture=picture) for picture in (True, False))
        return _groups(self.index, self.keys, [*self.copies, *pictures, *scenes])

    def photo(
        self,
        kind: str,
        severity: str,
        row: int,
        *,
        detail: str,
        suggested: str = "",
        score: float | None = None,
        exclude: bool = False,
    ) -> Finding:
        """Return a finding about one photo.

        Args:
            kind: A check of CHECKS.
            severity: error, warning or note.
            row: The photo's.
            detail: In words.
            suggested: The class that its label should rather be.
            score: See `Finding`.
            exclude: See `Finding`.

        Returns:
            The finding.
        """
        photo = self.index.photos[row]
        label, place = self.index.classes[photo.label], SETS[self.sets[row]]
        return Finding(
            kind, severity, detail, photo.path, label, place,
            suggested=suggested, score=score, exclude=exclude,
        )  # fmt: skip

    def pair(self, kind: str, row: int, other: int, *, similarity: float) -> Finding:
        """Return a finding about two photos of the same thing; equal pictures in two sets leak.

        Args:
            kind: A check of CHECKS.
            row: The first photo's.
            other: The second photo's.
            similarity: In [-1, 1].

        Returns:
            The finding: an error only where the picture is certainly the same, in two sets.
        """
        photos = self.index.photos[row], self.index.photos[other]
        first, second = (self.index.classes[photo.label] for photo in photos)
        here, there = SETS[self.sets[row]], SETS[self.sets[other]]
        if here != there and kind == SAME_SCENE:
            severity, detail = "warning", f"in {here} and in {there}"
        elif here != there:
            severity, detail = "error", f"a leak: in {here} and in {there}"
        elif first != second:
            severity, detail = "warning", f"as {first!r} and as {second!r}"
        else:
            severity, detail = "note", f"both {first!r}, both in {here}"
        return Finding(
            kind, severity, detail, photos[0].path, first, here, photos[1].path, second, there,
            score=similarity,
        )  # fmt: skip

    def siblings(self, row: int, other: int) -> bool:
        """Tell whether two photos are tied by name, so that the split keeps them together."""
        shots = {_shot(self.index.photos[of].path) for of in (row, other)}
        return len(shots) == 1 and "" not in shots and self.sets[row] == self.sets[other]


def gather(
    index: Index,
    keys: Sequence[bytes],
    features: FeatureMatrix,
    *,
    sets: np.ndarray,
    recipe: Recipe,
    looks: Path,
) -> Evidence:
    """Look at the photos, find their neighbours and return all of it.

    Args:
        index: See `Evidence`, also for those below.
        keys: Digests.
        features: One row or more for each photo.
        sets: One for each photo.
        recipe: Of the network.
        looks: The folder of features, where looks at photos are kept; photos without are opened.

    Returns:
        The evidence.

    Raises:
        RetrainError: A photo has gone.
    """
    unique = first_rows(keys)
    paths = {keys[row]: index.full_path(index.photos[row]) for row in unique.tolist()}
    look_of = looks_at(paths, looks)
    units = unit_vectors(features, unique)
    neighbours = nearest(units, NEIGHBOURS)
    alike = alike_photos(
        units, [keys[row] for row in unique], look_of, folder=looks, neighbours=neighbours
    )
    return Evidence(index, keys, features, sets, recipe, unique, look_of, neighbours, alike)


def _shot(path: str) -> str:
    """Return the part of a path that photos of one thing share by name, or ""."""
    shot, tie, _ = path.partition(NOHASH)
    return shot if tie else ""


def _groups(index: Index, keys: Sequence[bytes], pairs: Iterable[RowPair]) -> list[bytes]:
    """Return a key for each photo, the same for photos that show the same thing."""
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components

    ties = [(row, other) for row, other, _ in pairs]
    first: dict[str, int] = {}
    for row, photo in enumerate(index.photos):
        if shot := _shot(photo.path):
            ties.append((first.setdefault(shot, row), row))
    left, right = np.array(ties, np.int64).reshape(-1, 2).T
    graph = coo_array((np.ones(len(ties), bool), (left, right)), shape=(len(keys), len(keys)))
    _, components = connected_components(graph, directed=False)
    least: dict[int, bytes] = {}
    for key, component in zip(keys, components.tolist(), strict=True):
        least[component] = min(key, least.get(component, key))
    return [least[component] for component in components.tolist()]
