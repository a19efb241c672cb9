"""A graph judged by labelled photos, told apart into those that it has seen and new ones."""

import logging
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from retrain.artifacts.photo_record import NAME as RECORD
from retrain.data.folder import Photo
from retrain.data.split import SETS
from retrain.data.walk import SetAside
from retrain.errors import counted
from retrain.evaluation.metrics import Metrics, compute_metrics
from retrain.evaluation.verdict import judge, tally_of
from retrain.inference.spec.spec import InputSpec
from retrain.reporting.notebook import verdict_html
from retrain.utils.text import plain

log = logging.getLogger(__name__)

SEED = 0  # of the bootstrap


@dataclass(frozen=True, repr=False)
class GraphEvaluation:
    """The n photos that could be evaluated, in the order of the tree.

    Attributes:
        spec: The graph's input spec, with its labels.
        labels: In the order in which classes are counted.
        image_dir: The tree.
        photos: The n photos.
        truth: (n,) classes.
        probabilities: (n, C).
        sets: In which set each photo was when the graph was made, "" for one that is new to it;
            None where nobody knows.
        headline: (m,) rows of the photos that are judged: those that the graph has not seen, or all
            if it has seen all, or if nobody knows.
        metrics: Of these.
        seen: Metrics of the photos that it has seen; None without any.
        aside: Files that could not be used.
    """

    spec: InputSpec
    labels: tuple[str, ...]
    image_dir: str
    photos: tuple[Photo, ...]
    truth: np.ndarray
    probabilities: np.ndarray
    sets: tuple[str, ...] | None
    headline: np.ndarray
    metrics: Metrics
    seen: Metrics | None
    aside: tuple[SetAside, ...]

    def __repr__(self) -> str:
        return plain(f"<evaluation: {tally_of(self.metrics, self.what).sentence()}>")

    def _repr_html_(self) -> str:
        return verdict_html(judge(self.metrics, (), None, what=self.what), self.metrics)

    @property
    def all_seen(self) -> bool:
        """Whether the graph was made of all of these photos, so that they say nothing."""
        return self.seen is not None and self.seen.count == len(self.photos)

    @property
    def what(self) -> str:
        """The photos that are judged, in words that go behind their number."""
        if self.sets is None:
            return "photos"
        return "photos that the graph was made of" if self.all_seen else "photos new to the graph"

    @property
    def for_gates(self) -> Metrics:
        """The metrics that gates look at: of photos that say something, which may be none."""
        if not self.all_seen:
            return self.metrics
        none, rng = self.headline[:0], np.random.default_rng(SEED)
        return compute_metrics(self.probabilities[none], self.truth[none], self.labels, rng=rng)

    def shares(self) -> dict[str, int]:
        """Count the photos by their set when the graph was made, those in none as `new`."""
        counts = Counter(self.sets or ())
        return {**{name: counts[name] for name in SETS}, "new": counts[""]}

    def facts(self) -> dict[str, Any]:
        """Return what `evaluation.json` says of the photos besides their metrics.

        `judged`: which of them the metrics are of: new, seen or, where nobody knows, unknown.
        """
        kinds = "unknown" if self.sets is None else "seen" if self.all_seen else "new"
        seen = self.seen and {"count": self.seen.count, "accuracy": self.seen.accuracy}
        sets = None if self.sets is None else self.shares()
        return {"judged": kinds, "photos": len(self.photos), "sets": sets, "seen": seen}

    def rows(self) -> Iterator[tuple[str, str, str, np.ndarray]]:
        """Yield (path, set, true label, probabilities (C,)) of each photo.

        The set in which it was when the graph was made, or the one that its folder names; "" where
        neither is known.
        """
        for row, (photo, label) in enumerate(zip(self.photos, self.truth.tolist(), strict=True)):
            which = (self.sets[row] if self.sets else "") or photo.given_set or ""
            yield photo.path, which, self.labels[label], self.probabilities[row]


def say_seen(judged: GraphEvaluation) -> None:
    """Log how many of the photos the graph was made of, and what that means for the figures."""
    count = len(judged.photos)
    if judged.sets is None:
        log.info(
            f"nobody knows which of the {counted(count, 'photo')} the graph was made of (no "
            f"{RECORD} of this graph beside it): the figures hold if it has seen none of them"
        )
    elif judged.all_seen:
        log.warning(
            f"the graph was made of all {counted(count, 'photo')}: how many of them it recognises "
            "says nothing of new ones; give photos that it has not seen"
        )
    elif judged.seen is not None:
        log.warning(
            f"the graph was made of {judged.seen.count} of the {counted(count, 'photo')}, which "
            "are left out of the figures: it knows them"
        )
    else:
        log.info(f"the graph was made of none of the {counted(count, 'photo')}")
