"""The galleries of a page: which photos it shows, and the captions."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from retrain.evaluation.audit.audit import Audit, leaks
from retrain.evaluation.audit.finding import Finding
from retrain.evaluation.comparison import Comparison
from retrain.reporting.html.facts import ScoredPhotos
from retrain.utils.text import percent

BATCH = 16
MISTAKES = 24
UNCERTAIN = 16
SUSPECTS = 24
PAIRS = 16
CHANGED = 16


@dataclass(frozen=True)
class Shot:
    """A photo with its caption, `lines`; `right` is None where there is nothing to judge."""

    path: str
    lines: tuple[str, ...]
    right: bool | None = None


def random_batch(
    photos: ScoredPhotos, labels: Sequence[str], rng: np.random.Generator
) -> list[Shot]:
    """Return up to BATCH test photos, drawn by `rng`."""
    count = len(photos.paths)
    rows = rng.choice(count, min(BATCH, count), replace=False)
    return [_judged(photos, labels, row) for row in rows.tolist()]


def surest_mistakes(photos: ScoredPhotos) -> list[int]:
    """Return the rows of up to MISTAKES wrong answers, the surest first."""
    wrong = np.flatnonzero(photos.probabilities.argmax(axis=1) != photos.truth)
    order = np.argsort(-photos.probabilities[wrong].max(axis=1), kind="stable")
    rows: list[int] = wrong[order][:MISTAKES].tolist()
    return rows


def confident_mistakes(photos: ScoredPhotos, labels: Sequence[str]) -> list[Shot]:
    """Return the surest mistakes with their captions."""
    return [_judged(photos, labels, row) for row in surest_mistakes(photos)]


def least_certain(photos: ScoredPhotos, labels: Sequence[str]) -> list[Shot]:
    """Return the photos whose two best answers are closest, right or wrong."""
    if photos.probabilities.shape[1] < 2:
        return []
    best = np.sort(photos.probabilities, axis=1)[:, -2:]
    order = np.argsort(best[:, 1] - best[:, 0], kind="stable")
    return [_judged(photos, labels, row) for row in order[:UNCERTAIN].tolist()]


def _judged(photos: ScoredPhotos, labels: Sequence[str], row: int) -> Shot:
    scores, truth = photos.probabilities[row], int(photos.truth[row])
    best = int(scores.argmax())
    answer = f"{labels[best]} {percent(float(scores[best]), 0)}"
    if best == truth:
        order = np.argsort(-scores, kind="stable")[1:2].tolist()
        rest = [f"then {labels[other]} {percent(float(scores[other]), 0)}" for other in order]
        return Shot(photos.paths[row], (answer, *rest), right=True)
    really = f"is {labels[truth]} {percent(float(scores[truth]), 0)}"
    return Shot(photos.paths[row], (answer, really), right=False)


def changed(comparison: Comparison) -> tuple[list[Shot], list[Shot]]:
    """Return photos that only the new graph gets right, and those that only the earlier one did."""
    better, worse = [], []
    for each in comparison.answers:
        lines = (f"now {each.new}", f"before {each.earlier}")
        if each.new == each.truth != each.earlier:
            better.append(Shot(each.path, lines, right=True))
        elif each.earlier == each.truth != each.new:
            worse.append(Shot(each.path, lines, right=False))
    return better[:CHANGED], worse[:CHANGED]


def suspected(audit: Audit) -> tuple[list[Shot], int]:
    """Return the labels worth a look that are shown, and how many more there are."""
    found = audit.of_kind("suspected_label")
    shots = [
        Shot(
            f.path,
            (f"labelled {f.label}", f"{f.suggested} or exclude?", f"{percent(f.score, 0)} wrong"),
        )
        for f in found[:SUSPECTS]
    ]
    return shots, len(found) - len(shots)


def copies(audit: Audit) -> tuple[list[tuple[Finding, Shot, Shot]], int]:
    """Return pairs of equal pictures, leaks between sets first, and how many more there are."""
    leaking = leaks(audit)
    known = set(map(id, leaking))
    found = leaking + [f for f in audit.findings if f.other and id(f) not in known]
    pairs = [
        (
            f,
            Shot(f.path, (f.label, f"in {f.set}")),
            Shot(f.other, (f.other_label, f"in {f.other_set}")),
        )
        for f in found[:PAIRS]
    ]
    return pairs, len(found) - len(pairs)
