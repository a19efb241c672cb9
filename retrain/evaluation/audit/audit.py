"""Running all checks of the audit on a set of photos."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from retrain.data.decoding.decode import Recipe
from retrain.data.folder import Index
from retrain.data.split import NOHASH, SETS
from retrain.evaluation.audit.balance import Balance, balance
from retrain.evaluation.audit.duplicates import exact_duplicates, near_duplicates
from retrain.evaluation.audit.files import complaints, looks_at
from retrain.evaluation.audit.neighbours import nearest, unit_vectors
from retrain.evaluation.audit.outliers import outliers
from retrain.evaluation.audit.suspects import suspected_labels
from retrain.features.matrix import FeatureMatrix

NEIGHBOURS = 5
SEED = 0  # of the folds, so that the same photos get the same audit

KINDS = {
    "exact_duplicate": "the same bytes twice",
    "near_duplicate": "the same picture twice, saved anew",
    "suspected_label": "label probably wrong",
    "outlier": "like no other photo",
    "broken": "cannot be used",
    "blank": "nothing to be seen",
    "tiny": "far smaller than the network's input",
    "oversized": "so large that it only costs time",
    "mis_suffixed": "the suffix names another format",
    "imbalance": "classes of very different size",
}


@dataclass(frozen=True)
class Finding:
    """One line of the audit.

    Attributes:
        kind: One of KINDS.
        severity: error, warning or note.
        detail: In words.
        path: Relative to the image folder; "" where no photo is meant, also below.
        label: Its class.
        set: Its set.
        other: The other photo of a pair, relative to the image folder.
        other_label: Its class.
        other_set: Its set.
        suggested: The class that a suspected label should rather be.
        score: Similarity of a pair in [-1, 1], probability of a suspected label in [0, 1], robust
            z-score of an outlier; None for other kinds.
    """

    kind: str
    severity: str
    detail: str
    path: str = ""
    label: str = ""
    set: str = ""
    other: str = ""
    other_label: str = ""
    other_set: str = ""
    suggested: str = ""
    score: float | None = None


@dataclass(frozen=True)
class Audit:
    """Findings in the order of KINDS, within a kind the worst first."""

    photos: int
    classes: tuple[str, ...]
    balance: Balance
    findings: tuple[Finding, ...]

    def of_kind(self, kind: str) -> list[Finding]:
        """List the findings of one kind."""
        return [finding for finding in self.findings if finding.kind == kind]


def leaks(audit: Audit) -> list[Finding]:
    """List the pairs of equal pictures in two sets, which make the accuracy look too good."""
    return [f for f in audit.findings if f.other and f.other_set != f.set]


def run_audit(
    index: Index,
    keys: Sequence[bytes],
    features: FeatureMatrix,
    *,
    sets: np.ndarray,
    recipe: Recipe,
    looks: Path,
) -> Audit:
    """Audit the photos of an index and return the findings.

    Args:
        index: The photos.
        keys: Digest of each photo's bytes.
        features: Row i belongs to photo i; further rows are ignored.
        sets: The set of each photo.
        recipe: Knows the size of the network's input.
        looks: The folder of features, where looks at photos are kept; photos without are opened.

    Returns:
        The findings.

    Raises:
        RetrainError: A photo has gone.
    """
    labels = np.array([photo.label for photo in index.photos], np.int64)
    teller = _Teller(index, sets)
    unique = np.array(sorted({key: row for row, key in reversed([*enumerate(keys)])}.values()))
    paths = {keys[row]: index.full_path(index.photos[row]) for row in unique.tolist()}
    look_of = looks_at(paths, looks)
    neighbours = nearest(unit_vectors(features, unique), NEIGHBOURS)

    copies = exact_duplicates(keys)
    pairs = [(group[0], row, 1.0) for group in copies for row in group[1:]]
    found = [teller.pair("exact_duplicate", a, b, similarity=s) for a, b, s in pairs]
    thumbnails = np.stack([look_of[key].thumbnail for key in paths])
    near = [
        (int(unique[pair.a]), int(unique[pair.b]), pair.similarity)
        for pair in near_duplicates(neighbours, thumbnails)
    ]
    found += [
        teller.pair("near_duplicate", a, b, similarity=s)
        for a, b, s in near
        if not teller.siblings(a, b, s)
    ]

    groups = _groups(index, keys, [*pairs, *near])
    everything = features.take(np.arange(len(keys)))
    for suspect in suspected_labels(everything, labels, groups, seed=SEED):
        found.append(
            teller.photo(
                "suspected_label",
                "warning" if suspect.confident else "note",
                suspect.row,
                detail=f"looks like {index.classes[suspect.suggested]!r}",
                suggested=index.classes[suspect.suggested],
                score=suspect.score,
            )
        )
    for outlier in outliers(neighbours, labels[unique]):
        row = int(unique[outlier.row])
        detail = "far from every other photo"
        found.append(teller.photo("outlier", "note", row, detail=detail, score=outlier.score))
    found += [Finding("broken", "warning", file.reason, file.path) for file in index.aside]
    for row, photo in enumerate(index.photos):
        for kind, detail in complaints(photo.path, look_of[keys[row]], recipe):
            severity = "warning" if kind in ("blank", "tiny") else "note"
            found.append(teller.photo(kind, severity, row, detail=detail))
    shares = balance(index.classes, index.counts())
    if sentence := shares.sentence():
        found.append(Finding("imbalance", "warning", sentence, label=shares.smallest))
    order = list(KINDS)
    found.sort(key=lambda finding: order.index(finding.kind))
    return Audit(len(index.photos), index.classes, shares, tuple(found))


@dataclass(frozen=True)
class _Teller:
    """Makes findings about photos from their rows."""

    index: Index
    sets: np.ndarray

    def photo(
        self,
        kind: str,
        severity: str,
        row: int,
        *,
        detail: str,
        suggested: str = "",
        score: float | None = None,
    ) -> Finding:
        """Return a finding about one photo.

        Args:
            kind: One of KINDS.
            severity: error, warning or note.
            row: The photo's.
            detail: In words.
            suggested: The class that its label should rather be.
            score: See `Finding`.

        Returns:
            The finding.
        """
        photo = self.index.photos[row]
        label, place = self.index.classes[photo.label], SETS[self.sets[row]]
        return Finding(
            kind, severity, detail, photo.path, label, place, suggested=suggested, score=score
        )

    def pair(self, kind: str, row: int, other: int, *, similarity: float) -> Finding:
        """Return a finding about two equal pictures; across sets it is a leak.

        Args:
            kind: One of KINDS.
            row: The first photo's.
            other: The second photo's.
            similarity: In [-1, 1].

        Returns:
            The finding.
        """
        photos = self.index.photos[row], self.index.photos[other]
        first, second = (self.index.classes[photo.label] for photo in photos)
        here, there = SETS[self.sets[row]], SETS[self.sets[other]]
        if here != there:
            severity, detail = "error", f"a leak: in {here} and in {there}"
        elif first != second:
            severity, detail = "warning", f"as {first!r} and as {second!r}"
        else:
            severity, detail = "note", f"both {first!r}, both in {here}"
        return Finding(
            kind, severity, detail, photos[0].path, first, here, photos[1].path, second, there,
            score=similarity,
        )  # fmt: skip

    def siblings(self, row: int, other: int, similarity: float) -> bool:
        """Tell whether two photos are tied by name, so that the split keeps them together."""
        shots = {_shot(self.index.photos[of].path) for of in (row, other)}
        return len(shots) == 1 and "" not in shots and self.sets[row] == self.sets[other]


def _shot(path: str) -> str:
    """Return the part of a path that photos of one thing share by name, or ""."""
    shot, tie, _ = path.partition(NOHASH)
    return shot if tie else ""


def _groups(
    index: Index, keys: Sequence[bytes], pairs: Iterable[tuple[int, int, float]]
) -> list[bytes]:
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
