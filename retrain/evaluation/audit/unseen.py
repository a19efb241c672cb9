"""The accuracy without the test photos of which training photos show the same."""

from collections.abc import Sequence

import numpy as np

from retrain.data.split import SETS, TEST
from retrain.errors import counted
from retrain.evaluation.audit.audit import Audit
from retrain.evaluation.intervals import wilson
from retrain.evaluation.scoring import Evaluation

SEEN = ("exact_duplicate", "near_duplicate", "same_scene")


def seen_photos(audit: Audit) -> set[str]:
    """Return the paths of test photos that have a copy, a crop or a shot of a burst elsewhere."""
    test = SETS[TEST]
    return {
        path
        for kind in SEEN
        for found in audit.of_kind(kind)
        for path, here, there in (
            (found.path, found.set, found.other_set),
            (found.other, found.other_set, found.set),
        )
        if here == test != there
    }


def accuracy_of_unseen(audit: Audit, evaluation: Evaluation, paths: Sequence[str]) -> str:
    """Say how many test photos are seen in training, and the accuracy of the others.

    `paths`: of the photos of `evaluation`, in its order. Empty where none is seen.
    """
    seen = seen_photos(audit)
    clean = np.array([path not in seen for path in paths], bool)
    if clean.all():
        return ""
    said = (
        f"{counted(int((~clean).sum()), 'test photo')} of {len(clean)} "
        "have a copy, a crop or a shot of the same burst among the photos trained on"
    )
    right = (evaluation.truth == evaluation.predicted)[clean]
    if not len(right):
        return f"{said}: no other is left to judge by"
    span = wilson(int(right.sum()), len(right))
    return (
        f"{said}; accuracy of the other {len(right)}: {right.mean():.1%} "
        f"({span.low:.1%} to {span.high:.1%}), of all: {evaluation.accuracy:.1%}"
    )
