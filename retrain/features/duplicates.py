"""Photos that show the same picture or the same scene: found once, and kept.

The nearest neighbours by features and by small pictures, mirrored ones included, are candidates;
`data.sameness` judges their pixels. Neither sets nor labels matter, so a split can ask, too.
"""

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np

from retrain.data.decoding.decode import DECODER
from retrain.data.folder import Index
from retrain.data.looks import VERSION as LOOKS
from retrain.data.looks import Look, looks_at
from retrain.data.sameness.alignment import COARSE
from retrain.data.sameness.judge import NEITHER, PICTURE, judge
from retrain.data.split import Tie
from retrain.features.matrix import FeatureMatrix
from retrain.features.neighbours import Neighbours, nearest, unit_vectors
from retrain.utils.kept import SUFFIX, read_kept, write_kept
from retrain.utils.logs import warn_once

VERSION = 1  # of the candidates and of the verdict on them
NEIGHBOURS = 5
BY_FEATURES = 3  # of these are judged: a copy is among them
BY_LOOK = 1  # neighbours by small pictures, upright and mirrored
FOLDER = "alike"  # in the folder of features


@dataclass(frozen=True)
class Alike:
    """Two photos that show the same thing.

    Attributes:
        first: Place of the one photo among those asked about.
        second: Of the other, larger than `first`.
        picture: They are the same picture; else the same scene only.
        similarity: How alike the worst parts are but for a twentieth, in [-1, 1].
    """

    first: int
    second: int
    picture: bool
    similarity: float


def alike_photos(
    units: np.ndarray,
    keys: Sequence[bytes],
    look_of: Mapping[bytes, Look],
    *,
    folder: Path,
    neighbours: Neighbours | None = None,
) -> list[Alike]:
    """Return the pairs of photos that show the same thing: those kept before, else found now.

    Args:
        units: (n, D) float32, the features of n photos, scaled to length 1.
        keys: Their digests, all different.
        look_of: A look at each, by digest.
        folder: Of features, where the pairs are kept.
        neighbours: Their NEIGHBOURS nearest, where they are known already.

    Returns:
        The pairs, the same pictures first, and of these the most similar.
    """
    identity = hashlib.blake2b(repr((VERSION, LOOKS, DECODER)).encode(), digest_size=16)
    identity.update(b"".join(keys))
    identity.update(units.tobytes())
    path = folder / FOLDER / f"{identity.hexdigest()}{SUFFIX}"
    kept = read_kept(path, warn_once)
    if kept is not None:
        return [Alike(**pair) for pair in json.loads(kept)]
    if neighbours is None:
        neighbours = nearest(units, NEIGHBOURS)
    found = find_alike(neighbours, [look_of[key] for key in keys])
    write_kept(path, json.dumps([asdict(pair) for pair in found]).encode(), warn_once)
    return found


def duplicate_ties(
    index: Index, keys: Sequence[bytes], features: FeatureMatrix, *, folder: Path
) -> list[Tie]:
    """Return the pairs of an index's photos that show the same thing, by digest.

    Args:
        index: The photos.
        keys: Digest of each.
        features: Row i belongs to photo i.
        folder: Of features, where looks and pairs are kept; photos without a look are opened.

    Raises:
        RetrainError: A photo has gone.
    """
    rows = first_rows(keys)
    look_of = looks_at({keys[row]: index.full_path(index.photos[row]) for row in rows}, folder)
    units = unit_vectors(features, rows)
    unique = [keys[row] for row in rows]
    return [
        (unique[pair.first], unique[pair.second])
        for pair in alike_photos(units, unique, look_of, folder=folder)
    ]


def first_rows(keys: Sequence[bytes]) -> np.ndarray:
    """Return the first row of each digest, ascending."""
    return np.array(sorted({key: row for row, key in reversed([*enumerate(keys)])}.values()))


def find_alike(neighbours: Neighbours, looks: Sequence[Look]) -> list[Alike]:
    """Return the pairs among n photos that show the same thing, in the order of `alike_photos`.

    `looks`: one at each photo, in the order of the neighbours' rows.
    """

    def read(places: np.ndarray) -> np.ndarray:
        return np.stack([looks[place].pixels() for place in places.tolist()])

    count = len(looks)
    if count < 2:
        return []
    coarse = np.stack([look.coarse() for look in looks]).astype(np.float32)
    first, second = _candidates(neighbours, coarse)
    verdicts, scores = judge(first, second, coarse=coarse, read=read)
    found = np.flatnonzero(verdicts != NEITHER)
    order = found[np.lexsort((-scores[found], -verdicts[found]))]
    return [
        Alike(a, b, verdict == PICTURE, round(min(score, 1.0), 4))
        for a, b, verdict, score in zip(
            first[order].tolist(),
            second[order].tolist(),
            verdicts[order].tolist(),
            scores[order].tolist(),
            strict=True,
        )
    ]


def _candidates(neighbours: Neighbours, coarse: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the pairs worth judging as two columns of places, (m,) int64, the lesser first."""
    count = len(coarse)
    upright, mirrored = (
        _unit_rows(coarse[:, :, ::step].reshape(count, COARSE**2)) for step in (1, -1)
    )
    by_look = [nearest(upright, BY_LOOK), nearest(upright, BY_LOOK, mirrored)]
    pairs = []
    for rows in (neighbours.rows[:, :BY_FEATURES], *(found.rows for found in by_look)):
        own = np.repeat(np.arange(count), rows.shape[1])
        other = rows.ravel()
        pairs.append(np.minimum(own, other) * count + np.maximum(own, other))
    codes = np.unique(np.concatenate(pairs))
    return codes // count, codes % count


def _unit_rows(values: np.ndarray) -> np.ndarray:
    """Return rows (n, D) without their means, scaled to length 1."""
    values = values - values.mean(axis=1, keepdims=True)
    lengths = np.maximum(np.linalg.norm(values, axis=1, keepdims=True), 1)
    return np.asarray(values / lengths, np.float32)
