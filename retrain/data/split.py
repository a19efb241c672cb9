"""The split: which photos train, which validate, which test, by a hash.

So it never depends on chance, on the order of files, or on which photos are added later.
"""

import hashlib
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from retrain.data.digests import digest_of
from retrain.data.folder import Index, Photo
from retrain.errors import counted

SETS = ("train", "validation", "test")
TRAIN, VALIDATION, TEST = range(3)
NOHASH = "_nohash_"
Tie = tuple[bytes, bytes]  # digests of two photos
LEGACY_MODULUS = 2**27  # retrain.py's MAX_NUM_IMAGES_PER_CLASS + 1


@dataclass(frozen=True)
class Split:
    """The set of each photo: `sets` (N,) int8, values TRAIN, VALIDATION, TEST, in index order."""

    sets: np.ndarray
    remarks: tuple[str, ...] = ()

    def rows(self, which: int) -> np.ndarray:
        """Return the positions (int64, ascending) of the photos of one set."""
        return np.flatnonzero(self.sets == which)

    def counts(self, labels: np.ndarray, classes: int) -> np.ndarray:
        """Count the photos by class and set, (classes, 3)."""
        table = np.zeros((classes, len(SETS)), np.int64)
        np.add.at(table, (labels, self.sets), 1)
        return table


def split_index(
    index: Index,
    digests: Mapping[str, bytes],
    testing: int,
    *,
    validation: int,
    rule: str,
    ties: Sequence[Tie] = (),
) -> Split:
    """Divide the index's photos into sets and return the split.

    `content`: a group of photos that belong together (equal bytes, the same name up to `_nohash_`,
    or a tie) is placed by a hash of the group; a class then gives its next groups to an
    asked-for set that got none, if it has a group for each set. `legacy`: the rule of TF Hub's
    retrain.py. Photos in `train/`, `validation/`, `test/` folders stay where they are; a set
    without a folder is taken from `train/`.

    Args:
        index: The photos.
        digests: The digest of each photo, by path.
        testing: Percentage of photos for the test.
        validation: Percentage of photos for validation.
        rule: `content` or `legacy`.
        ties: Photos that are to share a set, by digest; those of given sets stay where they are.

    Returns:
        The set of each photo, and remarks for the user.
    """
    given = {photo.given_set for photo in index.photos}
    testing = 0 if "test" in given else testing
    validation = 0 if "validation" in given else validation
    sets = np.array([SETS.index(photo.given_set or "train") for photo in index.photos], np.int8)
    free = np.flatnonzero(sets == TRAIN)
    photos = [index.photos[row] for row in free]
    if rule == "legacy":
        percents = [legacy_percent(os.path.join(index.typed, photo.path)) for photo in photos]
        sets[free] = [_place(percent, testing, validation) for percent in percents]
    else:
        sets[free] = _content_sets(photos, digests, testing, validation=validation, ties=ties)
    return Split(sets, (*_conflicts(index, digests, sets), *_torn(index, digests, sets, ties=ties)))


def legacy_percent(path: str) -> float:
    """Compute retrain.py's number in [0, 100] for a path as typed (its rule of 2^27)."""
    digest = hashlib.sha1(path.split(NOHASH)[0].encode("utf-8", "surrogateescape")).hexdigest()
    return (int(digest, 16) % LEGACY_MODULUS) * (100.0 / (LEGACY_MODULUS - 1))


def _place(percent: float, testing: int, validation: int) -> int:
    if percent < validation:
        return VALIDATION
    return TEST if percent < testing + validation else TRAIN


def _content_sets(
    photos: Sequence[Photo],
    digests: Mapping[str, bytes],
    testing: int,
    *,
    validation: int,
    ties: Sequence[Tie],
) -> np.ndarray:
    """Return the set of each photo, (n,) int8, by its content."""
    numbers = group_numbers(photos, digests, ties)
    sets = np.full(len(photos), TRAIN, np.int8)
    sets[numbers < testing + validation] = TEST
    sets[numbers < validation] = VALIDATION

    wanted = [which for which, share in ((TEST, testing), (VALIDATION, validation)) if share]
    labels = np.array([photo.label for photo in photos], np.int64)
    filled = np.zeros((labels.max(initial=-1) + 1, len(SETS)), bool)
    filled[labels, sets] = True
    for label in np.flatnonzero(~filled[:, [TRAIN, *wanted]].all(axis=1)):
        members, first = np.unique(numbers[labels == label], return_index=True)
        places = sets[labels == label][first].tolist()
        for number, which in _without_empty_sets(places, wanted).items():
            sets[numbers == members[number]] = which
    return sets


def _without_empty_sets(places: list[int], wanted: list[int]) -> dict[int, int]:
    """Return which of a class's groups move, and where, so that no wanted set is empty.

    `places`: the set of each group in ascending order of their numbers, where validation lies
    lowest, then test, then train. That order is kept, so an empty set takes the group nearest to
    it, and a larger percentage only ever adds to validation.
    """
    count = len(places)
    # Too few for every set: training comes first, then testing.
    wanted = wanted[: max(count - 1, 0)] if count < len(wanted) + 1 else wanted
    test = int(TEST in wanted)
    low = 0
    if VALIDATION in wanted:
        low = min(max(places.count(VALIDATION), 1), count - 1 - test)
    high = min(max(count - places.count(TRAIN), low + test), count - 1) if test else low
    sets = [VALIDATION] * low + [TEST] * (high - low) + [TRAIN] * (count - high)
    pairs = zip(places, sets, strict=True)
    return {position: new for position, (old, new) in enumerate(pairs) if new != old}


def group_numbers(
    photos: Sequence[Photo], digests: Mapping[str, bytes], ties: Sequence[Tie] = ()
) -> np.ndarray:
    """Return the number of each photo's group, (n,) float64 in [0, 100), which decides its set.

    Photos are tied by equal bytes, by equal names up to `_nohash_`, and by `ties`. A group is
    known by the digest of its bytes or name, a larger one by the least of its digests, those of
    names first, so that it is the same in any order and a new shot of the same name moves nothing.
    """
    keys = [digests[photo.path] for photo in photos]
    names: set[bytes] = set()
    parent: dict[bytes, bytes] = {}

    def find(key: bytes) -> bytes:
        while key in parent:
            key = parent[key]
        return key

    def tie(one: bytes, other: bytes) -> None:
        low, high = sorted((find(one), find(other)), key=lambda k: (k not in names, k))
        if low != high:
            parent[high] = low

    for row, photo in enumerate(photos):
        if NOHASH in photo.path:
            name = digest_of(os.fsencode(_shot(photo)))
            names.add(name)
            tie(keys[row], name)
    here = set(keys) if ties else set()
    for one, other in ties:
        if one in here and other in here:
            tie(one, other)
    roots = [find(key) for key in keys] if parent else keys
    # The digest's last half: any other choice would move photos of earlier runs to other sets.
    packed = np.frombuffer(b"".join(roots), ">u8").reshape(-1, 2)
    return packed[:, 1] * (100.0 / 2**64)


def _shot(photo: Photo) -> str:
    """Return what a `_nohash_` photo shares with its siblings: its path, without a set's folder."""
    path = photo.path.split(NOHASH)[0]
    return path.split("/", 1)[1] if photo.given_set is not None else path


def _torn(
    index: Index, digests: Mapping[str, bytes], sets: np.ndarray, *, ties: Sequence[Tie]
) -> tuple[str, ...]:
    """Return a remark on tied photos that lie in two sets, because their folders say so."""
    row_of = {digests[photo.path]: row for row, photo in enumerate(index.photos)}
    rows = [(row_of[one], row_of[other]) for one, other in ties]
    torn = [(one, other) for one, other in rows if sets[one] != sets[other]]
    if not torn:
        return ()
    first = " and ".join(index.photos[row].path for row in torn[0])
    return (
        f"{counted(len(torn), 'pair')} of duplicates in two sets, as their folders say: "
        f"--keep_together moves no photo of a given set (the first: {first})",
    )


def _conflicts(index: Index, digests: Mapping[str, bytes], sets: np.ndarray) -> tuple[str, ...]:
    """Return remarks on equal photos in two classes, or (in given sets) in two sets."""
    keys = [digests[photo.path] for photo in index.photos]
    if len(set(keys)) == len(keys):
        return ()
    first: dict[bytes, int] = {}
    classes: list[tuple[str, str]] = []
    leaks: list[tuple[str, str]] = []
    for row, photo in enumerate(index.photos):
        other = first.setdefault(keys[row], row)
        pair = (index.photos[other].path, photo.path)
        if index.photos[other].label != photo.label:
            classes.append(pair)
        if sets[other] != sets[row]:
            leaks.append(pair)
    remarks = []
    if classes:
        remarks.append(
            f"{counted(len(classes), 'photo')} found, byte for byte, in two classes "
            f"(the first: {classes[0][0]} and {classes[0][1]})"
        )
    if leaks:
        remarks.append(
            f"{counted(len(leaks), 'photo')} found, byte for byte, in two sets "
            f"(the first: {leaks[0][0]} and {leaks[0][1]})"
        )
    return tuple(remarks)
