"""The audit of a run's photos, made once for the same photos, classes and sets."""

import hashlib
import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from retrain._version import __version__
from retrain.config import TrainConfig
from retrain.data.config import DataConfig
from retrain.data.decoding.decode import DECODER, Recipe
from retrain.data.folder import Index
from retrain.data.split import split_index
from retrain.evaluation.audit.audit import Audit, run_audit
from retrain.evaluation.audit.listing import (
    audit_from_json,
    audit_to_json,
    write_audit_csv,
    write_audit_json,
)
from retrain.features.config import ExtractConfig
from retrain.features.dataset import Dataset, read_photos
from retrain.features.matrix import FeatureMatrix
from retrain.features.store import BottleneckStore
from retrain.reporting.records import AUDIT_CSV, AUDIT_JSON
from retrain.utils.kept import SUFFIX, read_kept, write_kept
from retrain.utils.logs import warn_once

KINDS = 2  # of findings: an audit that was kept with other ones is made anew


def audit_wanted(config: TrainConfig) -> bool:
    """Return whether the report or --max_leaks needs an audit of the photos."""
    return config.page is not None or config.gates.max_leaks is not None


def audit_of(config: TrainConfig, dataset: Dataset | None, outputs: Sequence[Path]) -> Audit | None:
    """Return the audit for the report and for --max_leaks; None if neither is wanted.

    `dataset`: the photos with the features of a module; without, those of the default one.
    """
    if not audit_wanted(config):
        return None
    if dataset is None:
        plain = ExtractConfig()
        module = replace(
            config.extract,
            tfhub_module=plain.tfhub_module,
            input_size=plain.input_size,
            input_range=plain.input_range,
        )
        return audit_tree(config.data, module, outputs)
    return _audited(
        dataset.index,
        dataset.keys,
        features=dataset.features,
        sets=dataset.split.sets,
        recipe=dataset.recipe,
        store=dataset.store,
    )


def audit_photos(config: TrainConfig) -> Audit:
    """Audit the photos of a run's settings without any training; raise RetrainError."""
    extract = config.extract
    return audit_tree(config.data, extract, [extract.features_folder, extract.modules_folder])


def write_audit(audit: Audit, folder: Path, *, csv_safe: bool = False) -> None:
    """Write `audit.csv` and `audit.json` into the folder; raise RetrainError."""
    write_audit_csv(audit, folder / AUDIT_CSV, csv_safe=csv_safe)
    write_audit_json(audit, folder / AUDIT_JSON)


def audit_tree(data: DataConfig, extract: ExtractConfig, outputs: Sequence[Path]) -> Audit:
    """Audit an image tree without any training; `outputs`: folders in it that are no classes.

    Raises RetrainError.
    """
    photos = read_photos(data, extract, outputs, least_classes=1, looks=True)
    photos.runner.say_done()
    split = split_index(
        photos.index,
        photos.digests,
        data.testing_percentage,
        validation=data.validation_percentage,
        rule=data.split,
        ties=photos.ties(data),
    )
    return _audited(
        photos.index,
        photos.keys,
        features=photos.features(),
        sets=split.sets,
        recipe=photos.extractor.recipe,
        store=photos.extractor.store,
    )


def _audited(
    index: Index,
    keys: list[bytes],
    *,
    features: FeatureMatrix,
    sets: np.ndarray,
    recipe: Recipe,
    store: BottleneckStore,
) -> Audit:
    """Return the audit kept for the same photos, or make a new one and keep it."""
    digest = hashlib.blake2b(digest_size=16)
    digest.update(
        repr((__version__, KINDS, DECODER, store.identity, index.classes, index.aside)).encode()
    )
    for photo, key, which in zip(index.photos, keys, sets.tolist(), strict=True):
        digest.update(repr((photo.path, photo.label, key, which)).encode())
    path = store.root / "audits" / f"{digest.hexdigest()}{SUFFIX}"
    kept = read_kept(path, warn_once)
    if kept is not None:
        return audit_from_json(json.loads(kept))
    audit = run_audit(index, keys, features, sets=sets, recipe=recipe, looks=store.root)
    write_kept(path, json.dumps(audit_to_json(audit)).encode(), warn_once)
    return audit
