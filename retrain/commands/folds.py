"""A run judged by folds: heads of its own settings on parts of its photos, made once and kept."""

import hashlib
import json

import numpy as np

from retrain._version import __version__
from retrain.config import TrainConfig
from retrain.data.split import Tie, group_numbers
from retrain.evaluation.audit.audit import Audit
from retrain.evaluation.learning_curve import LearningCurve, heads_of_curve, learning_curve
from retrain.features.dataset import Dataset
from retrain.training.head import Head
from retrain.training.solver import train_again
from retrain.utils.kept import SUFFIX, read_kept, write_kept
from retrain.utils.logs import warn_once
from retrain.utils.progress import progress

FORMAT = 2  # of what is kept
# With more there is no curve: it takes nine times as long as the head.
MOST_PHOTOS, MOST_STEPS, MOST_SOLVED = 20_000, 10_000, 5_000


def curve_of(
    config: TrainConfig, dataset: Dataset, audit: Audit | None = None
) -> LearningCurve | None:
    """Return the learning curve of a linear head on a module's features; else None.

    Pictures and scenes that the audit found twice share a fold, whatever their sets are, else the
    figures would flatter.

    None, too, for so many photos or steps that it would take long. (Heads on a layer or a network
    that was trained itself would have seen all photos already.)
    """
    head, network = config.head, config.network
    trained = head.hidden_units or network.fine_tune is not None or config.extract.from_scratch
    photos = len(dataset.keys)
    slow = head.how_many_training_steps > MOST_STEPS if head.takes_steps else photos > MOST_SOLVED
    if trained or slow or photos > MOST_PHOTOS:
        return None
    digest = hashlib.blake2b(digest_size=16)
    sections = (
        "answers",
        __version__,
        dataset.store.identity,
        head,
        config.batches,
        config.augment,
    )
    digest.update(repr(sections).encode())
    ties = _ties(dataset, audit)
    digest.update(repr(ties).encode())
    rows = zip(dataset.index.photos, dataset.keys, dataset.split.sets.tolist(), strict=True)
    for photo, key, which in rows:
        digest.update(repr((photo.path, photo.label, key, which)).encode())
    path = dataset.store.root / "folds" / f"{digest.hexdigest()}{SUFFIX}"
    kept = read_kept(path, warn_once)
    if kept is not None:
        return _from_json(kept)
    with progress("Judging by folds", heads_of_curve(), "heads") as meter:

        def train(rows: np.ndarray) -> Head:
            found = train_again(
                head, config.batches, dataset, photos=rows, classes=len(dataset.index.classes)
            )
            meter.advance()
            return found

        curve = learning_curve(
            dataset.features,
            dataset.photo_labels,
            _groups(dataset, ties),
            train=train,
            seed=config.batches.seed,
        )
    write_kept(path, _to_json(curve), warn_once)
    return curve


def _ties(dataset: Dataset, audit: Audit | None) -> list[Tie]:
    """Return the pairs of equal pictures or scenes, by digest."""
    keys = zip(dataset.index.photos, dataset.keys, strict=True)
    key_of = {photo.path: key for photo, key in keys}
    found = audit.findings if audit is not None else ()
    return [(key_of[each.path], key_of[each.other]) for each in found if each.other]


def _groups(dataset: Dataset, ties: list[Tie]) -> list[str]:
    """Return a key for each photo, the same for photos that belong together."""
    photos = dataset.index.photos
    digests = {photo.path: key for photo, key in zip(photos, dataset.keys, strict=True)}
    return [number.hex() for number in group_numbers(photos, digests, ties).tolist()]


def _to_json(curve: LearningCurve | None) -> bytes:
    if curve is None:
        return b"null"
    return json.dumps({
        "photos": curve.photos.tolist(),
        "truth": curve.truth.tolist(),
        "answers": curve.answers.tolist(),
    }).encode()  # fmt: skip


def _from_json(content: bytes) -> LearningCurve | None:
    facts = json.loads(content)
    if facts is None:
        return None
    return LearningCurve(
        np.array(facts["photos"], np.int64),
        np.array(facts["truth"], np.int64),
        np.array(facts["answers"], np.int64),
    )
