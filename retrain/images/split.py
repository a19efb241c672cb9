"""Which photos train, which validate, which test: by a hash, so that it never depends on luck,
on the order of files, or on which photos are added later."""

import hashlib
import os
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from retrain.errors import UsageFault, counted
from retrain.images.tree import Index, Photo

SETS = ("train", "validation", "test")
TRAIN, VALIDATION, TEST = range(3)
NOHASH = "_nohash_"
LEGACY_MODULUS = 2**27  # ancestor: MAX_NUM_IMAGES_PER_CLASS + 1


@dataclass(frozen=True)
class Split:
    """`sets`: (N,) int8 in the index's order of photos, values TRAIN, VALIDATION, TEST."""

    sets: np.ndarray
    remarks: tuple[str, ...] = ()

    def rows(self, which: int) -> np.ndarray:
        """Positions (int64, ascending) of the photos of one set."""
        return np.flatnonzero(self.sets == which)

    def counts(self, labels: np.ndarray, classes: int) -> np.ndarray:
        """(classes, 3) photos by class and set."""
        table = np.zeros((classes, len(SETS)), np.int64)
        np.add.at(table, (labels, self.sets), 1)
        return table


def check_percentages(testing: int, validation: int) -> None:
    """Raises UsageFault unless both are percentages that leave something to train on."""
    for flag, value in (("testing", testing), ("validation", validation)):
        if not 0 <= value <= 100:
            raise UsageFault(f"--{flag}_percentage {value}: give a number from 0 to 99")
    if testing + validation >= 100:
        raise UsageFault(
            f"--testing_percentage {testing} and --validation_percentage {validation} "
            "leave nothing to train on: their sum must be under 100"
        )


def split_index(
    index: Index, digests: Mapping[str, bytes], testing: int, validation: int, rule: str
) -> Split:
    """Divides the index's photos. `rule` is `content` or `legacy`.

    `content`: a group of photos that belong together (equal bytes, or the same name up to
    `_nohash_`) is placed by a hash of the group; a class then gives its next groups to an
    asked-for set that got none, if it has a group for each set. `legacy`: the ancestor's rule.
    Photos in `train/`, `validation/`, `test/` folders stay where they are; a set without a
    folder is taken from `train/`.
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
        sets[free] = _content_sets(photos, digests, testing, validation)
    return Split(sets, _conflicts(index, digests, sets))


def legacy_percent(path: str) -> float:
    """The ancestor's number in [0, 100] for a path as typed (ancestors' retrain.py, 2^27 rule)."""
    digest = hashlib.sha1(path.split(NOHASH)[0].encode("utf-8", "surrogateescape")).hexdigest()
    return (int(digest, 16) % LEGACY_MODULUS) * (100.0 / (LEGACY_MODULUS - 1))


def _place(percent: float, testing: int, validation: int) -> int:
    if percent < validation:
        return VALIDATION
    return TEST if percent < testing + validation else TRAIN


def _percent(key: bytes) -> float:
    digest = hashlib.blake2b(key, digest_size=8).digest()
    return int.from_bytes(digest, "big") * (100.0 / 2**64)


def _content_sets(
    photos: Sequence[Photo], digests: Mapping[str, bytes], testing: int, validation: int
) -> list[int]:
    groups = _groups(photos, digests)
    place = {number: _place(number, testing, validation) for number in set(groups)}
    wanted = [which for which, share in ((TEST, testing), (VALIDATION, validation)) if share]
    by_class: dict[int, set[float]] = defaultdict(set)
    for photo, number in zip(photos, groups, strict=True):
        by_class[photo.label].add(number)
    moved: dict[float, int] = {}
    for members in by_class.values():
        moved |= _fill_empty_sets(sorted(members), place | moved, wanted)
    place |= moved
    return [place[number] for number in groups]


def _fill_empty_sets(
    members: list[float], place: Mapping[float, int], wanted: list[int]
) -> dict[float, int]:
    """Moves, for one class: each empty wanted set takes the group whose hash lies nearest to it.

    Groups are given by their hash, ascending, where validation lies lowest, then test, then
    train; that order is kept, so a larger percentage only ever adds to validation.
    """
    if len(members) < len(wanted) + 1:
        # Too few for every set: one to learn from comes first, then one to test on.
        wanted = wanted[: max(len(members) - 1, 0)]
    found = [place[number] for number in members]
    test, last = int(TEST in wanted), len(members) - 1
    low = min(max(found.count(VALIDATION), 1), last - test) if VALIDATION in wanted else 0
    high = min(max(len(members) - found.count(TRAIN), low + test), last) if test else low
    sets = [VALIDATION] * low + [TEST] * (high - low) + [TRAIN] * (len(members) - high)
    pairs = zip(members, sets, strict=True)
    return {number: which for number, which in pairs if which != place[number]}


def _groups(photos: Sequence[Photo], digests: Mapping[str, bytes]) -> list[float]:
    """For each photo the hash, in [0, 100), of the group it belongs to.

    Photos are tied by equal bytes and by equal names up to `_nohash_`; a group that is tied both
    ways takes the least of its members' hashes, so that it is the same in any order.
    """
    least: dict[bytes, bytes] = {}

    def find(key: bytes) -> bytes:
        while (parent := least.setdefault(key, key)) != key:
            key = parent
        return key

    keys: list[bytes] = []
    for photo in photos:
        content = b"content:" + digests[photo.path]
        if NOHASH in photo.path:
            name = b"name:" + os.fsencode(_shot(photo))
            low, high = sorted((find(content), find(name)), key=_rank)
            least[high] = low
            keys.append(name)
        else:
            keys.append(content)
    return [_percent(find(key)) for key in keys]


def _rank(key: bytes) -> tuple[bool, float]:
    """Names rank before contents, so that a new shot of the same name moves nothing."""
    return key.startswith(b"content:"), _percent(key)


def _shot(photo: Photo) -> str:
    """What a `_nohash_` photo shares with its siblings: its path, without a set's folder."""
    path = photo.path.split(NOHASH)[0]
    return path.split("/", 1)[1] if photo.given_set is not None else path


def _conflicts(index: Index, digests: Mapping[str, bytes], sets: np.ndarray) -> tuple[str, ...]:
    """Remarks on equal photos under two classes, or (in given sets) on both sides of the split."""
    first: dict[bytes, int] = {}
    classes: list[tuple[str, str]] = []
    leaks: list[tuple[str, str]] = []
    for row, photo in enumerate(index.photos):
        other = first.setdefault(digests[photo.path], row)
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
            f"{counted(len(leaks), 'photo')} found, byte for byte, in two sets, which flatters "
            "the accuracy "
            f"(the first: {leaks[0][0]} and {leaks[0][1]})"
        )
    return tuple(remarks)
