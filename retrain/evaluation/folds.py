"""Cutting photos into folds for cross-validation."""

import hashlib
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class _Group:
    key: bytes
    counts: Counter[int]  # photos by class

    @property
    def home(self) -> int:
        """The class with most of its photos, the lowest of several."""
        return min(self.counts, key=lambda label: (-self.counts[label], label))


def folds(labels: np.ndarray, groups: Sequence[bytes | str], k: int, *, seed: int) -> np.ndarray:
    """Assign each photo to a fold and return the folds (n,) int64, 0 to k - 1.

    Class by class, its largest group first and those of one size by a hash of key and seed, each
    group joins the fold with fewest photos of that class (among equals: with fewest photos). So the
    folds of a class differ by one photo at most where no two photos share a group, and the order of
    rows does not matter. A class of fewer than k groups is missing from some folds, and with fewer
    than k groups in all some folds are empty.

    Args:
        labels: (n,) classes.
        groups: A key for each photo. Photos with one key share a fold, also when they are of
            several classes.
        k: How many folds.
        seed: Of the hash.

    Returns:
        The fold of each photo.
    """
    keys = [_as_bytes(key) for key in groups]
    counts: dict[bytes, Counter[int]] = {}
    for key, label in zip(keys, labels.tolist(), strict=True):
        counts.setdefault(key, Counter())[label] += 1
    salt = str(seed).encode()
    order = sorted(
        (_Group(key, found) for key, found in counts.items()),
        key=lambda group: (group.home, -group.counts.total(), _hash(salt, group.key)),
    )
    fold_of: dict[bytes, int] = {}
    of_class: dict[int, list[int]] = {label: [0] * k for label in set(labels.tolist())}
    total = [0] * k
    for group in order:
        here = of_class[group.home]
        fold = min(range(k), key=lambda fold: (here[fold], total[fold], fold))
        fold_of[group.key] = fold
        total[fold] += group.counts.total()
        for label, count in group.counts.items():
            of_class[label][fold] += count
    return np.array([fold_of[key] for key in keys], np.int64)


def _as_bytes(key: bytes | str) -> bytes:
    return key if isinstance(key, bytes) else key.encode("utf-8", "surrogateescape")


def _hash(salt: bytes, key: bytes) -> bytes:
    return hashlib.blake2b(salt + b"\0" + key, digest_size=16).digest()
