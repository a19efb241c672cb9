"""A dry run: which photos a run would take, how long it would work and what it would write."""

import json
import logging
import shutil
import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from retrain.artifacts.safety.verdict import unsafe_allowed
from retrain.backbones.backbone import Backbone
from retrain.backbones.sources.resolve import described, find_here
from retrain.commands.preflight import check_before, own_folders
from retrain.commands.run_record import NAME as RUN_RECORD
from retrain.config import TrainConfig
from retrain.data.decoding.augment import distortions_of
from retrain.data.digests import DIGEST_BYTES, DigestMemo
from retrain.data.file_kinds import is_side_file
from retrain.data.folder import Index, read_tree
from retrain.errors import counted
from retrain.features.extractor import Extractor
from retrain.features.matrix import FeatureMatrix
from retrain.features.rate import photos_per_second
from retrain.training.sgd import train_head
from retrain.training.solver import sgd_settings
from retrain.utils.json_types import fits
from retrain.utils.new_folders import empty_folders_removed

log = logging.getLogger(__name__)

MEASURED = 64  # photos at most that the rate is measured with
MEASURED_S = 5.0
MEASURED_STEPS = 200
STAND_INS = 1000  # random features that the head's steps are measured with
LATER = ("test and export", "other formats", "audit")  # parts of a run, as run.json calls them


@dataclass(frozen=True)
class Features:
    """The features that a run needs.

    Attributes:
        kept: How many were computed before.
        missing: How many would be computed; a photo that was never read counts as such.
        rate: Photos a second; None if nothing is missing, or it cannot be measured here.
        measured: How many photos it was measured with.
        width: Of a feature vector; None for a module that is not here.
    """

    kept: int
    missing: int
    rate: float | None
    measured: int
    width: int | None

    @property
    def bytes(self) -> int:
        """How large the missing ones will be on disk."""
        return self.missing * (4 * (self.width or 0) + DIGEST_BYTES)


def dry_run(config: TrainConfig) -> Iterator[tuple[str, str]]:
    """Yield what a run would do, in pairs of a word and a text; nothing of it is done or written.

    An archive or a URL of photos is unpacked into the cache all the same, where the run finds it.
    Raises RetrainError for what the run would refuse before its work.
    """
    with empty_folders_removed(always=True):
        check_before(config)
    index = read_tree(config.data.image_dir, own_folders(config))
    yield "Photos", _photos(index)
    if index.aside:
        yield "Set aside", f"{counted(len(index.aside), 'file')}, as {index.aside[0].path}"
    extract = config.extract
    if extract.from_scratch:
        yield "Time", "not told for simple_cnn: it depends on --epochs and --input_size"
        return
    with unsafe_allowed(allowed=extract.allow_unsafe_module, warn=log.warning):
        backbone = find_here(extract.tfhub_module, extract.input_config, extract.modules_folder)
    if backbone is None:
        yield "Module", f"{extract.tfhub_module} is not here and would be fetched first"
        yield "Time", "not told before the module is here (retrain modules fetch)"
        return
    yield "Module", described(backbone).removeprefix("Module ")
    features = _features(config, index, backbone)
    yield "Features", _of_features(features)
    head = _head_seconds(config, len(index.classes), backbone)
    if head is not None:
        steps = config.head.how_many_training_steps
        yield "Head", f"{steps:,} steps, {_duration(head)} (measured with {MEASURED_STEPS})"
    yield "Time", _time(config, features, head)
    yield "Disk", _disk(config, features, backbone)


def _photos(index: Index) -> str:
    counts = [0] * len(index.classes)
    for photo in index.photos:
        counts[photo.label] += not is_side_file(photo.path)
    named = [f"{name} {count}" for name, count in zip(index.classes, counts, strict=True)]
    more = ", ..." if len(named) > 10 else ""
    classes = counted(len(named), "class", "classes")
    return f"{counted(sum(counts), 'photo')} in {classes}: {', '.join(named[:10])}{more}"


def _features(config: TrainConfig, index: Index, backbone: Backbone) -> Features:
    """Count the features that are kept, and measure how fast the others would come."""
    extract, data = config.extract, config.data
    extractor = Extractor(
        backbone, extract.features_folder, engine=extract.engine, precision=extract.precision
    )
    memo = DigestMemo(index, extractor.folder / "digests")
    known = _known(extractor, memo)
    wanted = [path for photo in index.photos if memo.known.get(path := photo.path) not in known]
    kept, missing = len(index.photos) - len(wanted), len(wanted)
    training = (100 - data.testing_percentage - data.validation_percentage) / 100
    for distortion in distortions_of(config.augment, config.batches.seed):
        copies = extractor.with_recipe(replace(extractor.recipe, distortion=distortion))
        here = len(_known(copies, memo))
        kept += here
        missing += max(0, round(len(index.photos) * training) - here)
    if not missing:
        return Features(kept, 0, None, 0, backbone.info.feature_width)
    every = wanted or [photo.path for photo in index.photos]
    some = every[:: max(1, len(every) // MEASURED)][:MEASURED]
    rate = photos_per_second(extractor, [f"{index.root}/{path}" for path in some], MEASURED_S)
    return Features(kept, missing, rate or None, len(some), backbone.info.feature_width)


def _known(extractor: Extractor, memo: DigestMemo) -> set[bytes]:
    """Return the digests of photos whose features, or why there are none, are in the store."""
    store = extractor.store
    store.refresh()
    return {key for key in memo.known.values() if key in store or key in store.failed}


def _head_seconds(config: TrainConfig, classes: int, backbone: Backbone) -> float | None:
    """Measure steps of the head on random features and return the time of all; None: not told."""
    steps = config.head.how_many_training_steps
    if not config.head.takes_steps or config.head.hidden_units or not steps:
        return None
    rng = np.random.default_rng(0)
    features = rng.random((STAND_INS, backbone.info.feature_width), np.float32)
    labels = rng.integers(0, classes, STAND_INS, np.int32)
    labels[:classes] = np.arange(min(classes, STAND_INS))
    few_steps = min(steps, MEASURED_STEPS)
    start = time.monotonic()
    train_head(
        FeatureMatrix.of(features),
        labels,
        np.arange(STAND_INS),
        validation_rows=np.arange(STAND_INS // 10),
        classes=classes,
        settings=replace(sgd_settings(config.head, config.batches), steps=few_steps),
        on_step=lambda step, head: None,
        on_evaluation=lambda result: None,
    )
    return (time.monotonic() - start) * steps / few_steps


def _of_features(features: Features) -> str:
    if not features.missing:
        return f"all {features.kept:,} are kept"
    text = f"{features.kept:,} kept, {features.missing:,} to compute"
    if features.rate is None:
        return f"{text}; none of {counted(features.measured, 'photo')} could be read"
    took = _duration(features.missing / features.rate)
    return (
        f"{text}: {took} at {features.rate:.0f} photos/s "
        f"(measured with {features.measured} of them)"
    )


def _time(config: TrainConfig, features: Features, head: float | None) -> str:
    """Add up what was measured, and name what was not."""
    known = (features.missing / features.rate if features.rate else 0.0) + (head or 0.0)
    left_out = []
    if config.network.fine_tune is not None:
        left_out.append("--fine_tune")
    if head is None:
        left_out.append("--hidden_units" if config.head.hidden_units else "the head")
    before = _later_seconds(config.graph.beside(RUN_RECORD))
    if before is None:
        left_out += ["test", "export", "audit"]
    else:
        known += before
        rest = f", with {_duration(before)} for test, export and audit as in the run before"
    text = f"about {_duration(known)}" + (rest if before is not None else "")
    return f"{text}; besides {', '.join(left_out)}" if left_out else text


def _later_seconds(record: Path) -> float | None:
    """Return how long a run before worked after its training, by its record; None without one."""
    with suppress(OSError, ValueError, KeyError, TypeError):
        seconds = json.loads(record.read_bytes())["seconds"]
        if fits(seconds, dict[str, float]):
            return float(sum(seconds.get(part, 0.0) for part in LATER))
    return None


def _disk(config: TrainConfig, features: Features, backbone: Backbone) -> str:
    """Return how large what is written will be, by the module's graph, and what is free."""
    files = 1 + len(config.exports.targets())
    graphs = files * backbone.graph_path.stat().st_size
    frequency = config.snapshots.intermediate_store_frequency
    if frequency:
        on_the_way = config.head.how_many_training_steps // frequency
        graphs += on_the_way * backbone.graph_path.stat().st_size
    places = [
        ("features", config.extract.features_folder, features.bytes),
        ("graphs", config.graph.output_graph.absolute().parent, graphs),
    ]
    texts, full = [], []
    for what, place, size in places:
        free = shutil.disk_usage(_existing(place)).free
        texts.append(f"{size / 1e6:.1f} MB of {what} in {place}" if size else f"no new {what}")
        if size > free:
            full.append(f"{place} has {free / 1e6:.0f} MB free, too little for the {what}")
    free = shutil.disk_usage(_existing(places[1][1])).free
    return "; ".join([*texts, *(full or [f"{free / 1e9:.0f} GB are free"])])


def _existing(place: Path) -> Path:
    """Return the folder, or the nearest above it that exists."""
    place = place.absolute()
    while not place.exists():
        place = place.parent
    return place


def _duration(seconds: float) -> str:
    if seconds < 90:
        return f"{seconds:.1f} s" if seconds < 10 else f"{seconds:.0f} s"
    minutes = seconds / 60
    return f"{minutes:.0f} min" if minutes < 90 else f"{minutes / 60:.1f} h"
