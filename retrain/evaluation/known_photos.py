"""Which photos a classifier has seen while it was made: known by their bytes, not by name."""

from collections.abc import Container, Mapping
from pathlib import Path

from retrain.artifacts.detect import find_artefact
from retrain.artifacts.inspect.inspect import inspect_artefact
from retrain.artifacts.manifest import Manifest
from retrain.artifacts.photo_record import find_sets
from retrain.data.config import PERCENT
from retrain.data.digests import digest_of_pairs
from retrain.data.folder import Index
from retrain.data.split import SETS, TEST, split_index
from retrain.errors import RetrainError, UsageFault

SEEN = frozenset(SETS) - {SETS[TEST]}  # validation photos chose and calibrated what was trained


def sets_in_training(
    graph: Path, digests: Container[bytes], tree: tuple[Index, Mapping[str, bytes]] | None = None
) -> dict[bytes, str] | None:
    """Return the set of each of these photos that the classifier was made of, by digest.

    Args:
        graph: Its file or folder, in any format.
        digests: Of photos.
        tree: An image tree that holds them, with the digest of each of its photos by path. Where no
            record is found and just these photos were trained on, they are divided again.

    Returns:
        The sets; photos that are not in it are new to the classifier. None where nobody knows: for
        other tools' graphs, and where the record is missing.
    """
    try:
        artefact = find_artefact(graph)
        manifest = inspect_artefact(graph).contents.manifest
    except RetrainError:  # of another tool, and odd: whoever runs it may know better
        return None
    if manifest is None:
        return None
    sets = find_sets(artefact, manifest, digests)
    if sets is None and tree is not None:
        sets = _divided_again(manifest, *tree)
    return sets


def _divided_again(
    manifest: Manifest, index: Index, digests: Mapping[str, bytes]
) -> dict[bytes, str] | None:
    """Return the sets of a tree's photos if the classifier was made of just these, else None."""
    settings = manifest.training
    try:
        testing = int(PERCENT.number(settings.get("testing_percentage"), "testing"))
        validation = int(PERCENT.number(settings.get("validation_percentage"), "validation"))
    except UsageFault:
        return None
    rule = str(settings.get("split"))
    split = split_index(index, digests, testing, validation=validation, rule=rule)
    pairs = sorted(
        (digests[photo.path], SETS[which])
        for photo, which in zip(index.photos, split.sets.tolist(), strict=True)
    )
    if digest_of_pairs(pairs) != manifest.data.get("split_digest"):
        return None
    sets: dict[bytes, str] = {}
    for digest, name in pairs:
        sets[digest] = min(sets.get(digest, name), name, key=SETS.index)
    return sets
