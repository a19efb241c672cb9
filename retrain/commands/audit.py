"""The audit of a run's photos, made once for the same photos, classes and sets."""

import hashlib
import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from retrain._version import __version__
from retrain.backbones.bundled import DEFAULT_MODULE
from retrain.config import TrainSettings
from retrain.data.decoding.decode import DECODER, Recipe
from retrain.data.folder import Index
from retrain.data.split import split_index
from retrain.evaluation.audit.audit import Audit, run_audit
from retrain.evaluation.audit.listing import audit_from_json, audit_to_json
from retrain.features.dataset import Dataset, read_photos
from retrain.features.matrix import FeatureMatrix
from retrain.features.store import BottleneckStore
from retrain.utils.kept import SUFFIX, read_kept, write_kept
from retrain.utils.logs import warn_once


def audit_of(
    settings: TrainSettings, dataset: Dataset | None, outputs: Sequence[Path]
) -> Audit | None:
    """The audit for the report and for --max_leaks; None if neither is wanted.

    `dataset`: the photos with the features of a module; without, those of the default one.
    """
    if settings.page is None and settings.max_leaks is None:
        return None
    if dataset is None:
        module = replace(settings, tfhub_module=DEFAULT_MODULE, input_size=None, input_range=None)
        return audit_tree(module, outputs)
    return _audited(
        settings.features_folder / "audits",
        dataset.index,
        dataset.keys,
        features=dataset.features,
        sets=dataset.split.sets,
        recipe=dataset.recipe,
        store=dataset.store,
    )


def audit_tree(settings: TrainSettings, outputs: Sequence[Path]) -> Audit:
    """Audits an image tree without any training; `outputs`: folders in it that are no classes.

    Raises RetrainError.
    """
    photos = read_photos(settings, outputs, least_classes=1)
    photos.extractor.say_done()
    split = split_index(
        photos.index,
        photos.digests,
        settings.testing_percentage,
        validation=settings.validation_percentage,
        rule=settings.split,
    )
    return _audited(
        settings.features_folder / "audits",
        photos.index,
        photos.keys,
        features=photos.features(),
        sets=split.sets,
        recipe=photos.recipe,
        store=photos.store,
    )


def _audited(
    folder: Path,
    index: Index,
    keys: list[bytes],
    *,
    features: FeatureMatrix,
    sets: np.ndarray,
    recipe: Recipe,
    store: BottleneckStore,
) -> Audit:
    """The audit that is kept for just these photos, or a new one, which is kept."""
    digest = hashlib.blake2b(digest_size=16)
    digest.update(repr((__version__, DECODER, store.identity, index.classes, index.aside)).encode())
    for photo, key, which in zip(index.photos, keys, sets.tolist(), strict=True):
        digest.update(repr((photo.path, photo.label, key, which)).encode())
    path = folder / f"{digest.hexdigest()}{SUFFIX}"
    kept = read_kept(path, warn_once)
    if kept is not None:
        return audit_from_json(json.loads(kept))
    audit = run_audit(index, keys, features, sets=sets, recipe=recipe)
    write_kept(path, json.dumps(audit_to_json(audit)).encode(), warn_once)
    return audit
