"""The checks of the audit, one function each: a new check is a function here, and nothing else.

Their order is that of the findings, on the terminal, in the tables and in the report.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from retrain.data.decoding.decode import Recipe
from retrain.data.looks import Look
from retrain.evaluation.audit.balance import balance
from retrain.evaluation.audit.evidence import SAME_SCENE, Evidence, RowPair
from retrain.evaluation.audit.files import misnamed, one_colour, too_large, too_small
from retrain.evaluation.audit.finding import Finding
from retrain.evaluation.audit.outliers import outliers
from retrain.evaluation.audit.suspects import expected_errors, suspected_labels
from retrain.features.neighbours import unit_vectors

SEED = 0  # of the folds, so that the same photos get the same audit

Find = Callable[[Evidence], Iterator[Finding]]


@dataclass(frozen=True)
class Check:
    """One kind of finding.

    Attributes:
        meaning: The kind in words.
        find: Yields its findings, the worst first.
        has_gallery: The report shows its photos, so that it is not among the remarks.
        sum_up: Says something of all its findings together, of which there are some.
    """

    meaning: str
    find: Find
    has_gallery: bool = False
    sum_up: Callable[[Sequence[Finding]], str] | None = None


CHECKS: dict[str, Check] = {}


def check(
    meaning: str,
    *,
    has_gallery: bool = False,
    sum_up: Callable[[Sequence[Finding]], str] | None = None,
) -> Callable[[Find], Find]:
    """Register a function as the check whose kind is its name; see `Check`."""

    def register(find: Find) -> Find:
        CHECKS[find.__name__] = Check(meaning, find, has_gallery, sum_up)
        return find

    return register


@check("the same bytes twice", has_gallery=True)
def exact_duplicate(evidence: Evidence) -> Iterator[Finding]:
    """Find photos with the same bytes."""
    for row, other, similarity in evidence.copies:
        yield evidence.pair("exact_duplicate", row, other, similarity=similarity)


@check("the same picture, saved anew", has_gallery=True)
def near_duplicate(evidence: Evidence) -> Iterator[Finding]:
    """Find photos of the same picture, but for those that their names tie to one set."""
    yield from _pairs(evidence, "near_duplicate", evidence.alike_rows(picture=True))


@check("the same scene: a burst or a crop", has_gallery=True)
def same_scene(evidence: Evidence) -> Iterator[Finding]:
    """Find photos of the same scene, but for those that their names tie to one set."""
    yield from _pairs(evidence, SAME_SCENE, evidence.alike_rows(picture=False))


def _pairs(evidence: Evidence, kind: str, pairs: Sequence[RowPair]) -> Iterator[Finding]:
    for row, other, similarity in pairs:
        if not evidence.siblings(row, other):
            yield evidence.pair(kind, row, other, similarity=similarity)


def _sum_up_suspects(findings: Sequence[Finding]) -> str:
    return expected_errors([finding.score or 0.0 for finding in findings])


@check("labels worth a look", has_gallery=True, sum_up=_sum_up_suspects)
def suspected_label(evidence: Evidence) -> Iterator[Finding]:
    """Find labels that a head which never saw the photo finds improbable."""
    groups, classes = evidence.groups(), evidence.index.classes
    units = unit_vectors(evidence.features, np.arange(len(evidence.keys)))
    for suspect in suspected_labels(units, evidence.labels, groups, seed=SEED):
        other = classes[suspect.suggested]
        yield evidence.photo(
            "suspected_label",
            "warning",
            suspect.row,
            detail=f"wrong by a chance of {100 * suspect.chance:.0f} %: "
            f"label it {other!r}, or exclude it if it shows none of the classes",
            suggested=other,
            score=suspect.chance,
            exclude=True,
        )


@check("like no other photo")
def outlier(evidence: Evidence) -> Iterator[Finding]:
    """Find photos far from all others."""
    unique = evidence.unique
    for found in outliers(evidence.neighbours, evidence.labels[unique]):
        yield evidence.photo(
            "outlier",
            "note",
            int(unique[found.row]),
            detail="far from every other photo",
            score=found.score,
        )


@check("cannot be used")
def broken(evidence: Evidence) -> Iterator[Finding]:
    """Find the files that were set aside."""
    for file in evidence.index.aside:
        yield Finding("broken", "warning", file.reason, file.path)


@check("nothing to be seen")
def blank(evidence: Evidence) -> Iterator[Finding]:
    """Find photos of one colour."""
    yield from _odd_files(evidence, "blank", "warning", judge=one_colour)


@check("far smaller than the network's input")
def tiny(evidence: Evidence) -> Iterator[Finding]:
    """Find photos that are much enlarged."""
    yield from _odd_files(evidence, "tiny", "warning", judge=too_small)


@check("so large that it only costs time")
def oversized(evidence: Evidence) -> Iterator[Finding]:
    """Find photos that are slow to read."""
    yield from _odd_files(evidence, "oversized", "note", judge=too_large)


@check("the suffix names another format")
def mis_suffixed(evidence: Evidence) -> Iterator[Finding]:
    """Find files named for another format."""
    yield from _odd_files(evidence, "mis_suffixed", "note", judge=misnamed)


@check("classes of very different size")
def imbalance(evidence: Evidence) -> Iterator[Finding]:
    """Find classes with far fewer photos than others."""
    shares = balance(evidence.index.classes, evidence.index.counts())
    if sentence := shares.sentence():
        yield Finding("imbalance", "warning", sentence, label=shares.smallest)


def _odd_files(
    evidence: Evidence, kind: str, severity: str, *, judge: Callable[[str, Look, Recipe], str]
) -> Iterator[Finding]:
    """Yield a finding for each photo of which `judge` has something to say."""
    for row, photo in enumerate(evidence.index.photos):
        look = evidence.look_of[evidence.keys[row]]
        if detail := judge(photo.path, look, evidence.recipe):
            yield evidence.photo(kind, severity, row, detail=detail)
