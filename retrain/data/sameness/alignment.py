"""Alignment of pairs of small pictures: where in the other picture each pixel of the one lies.

Lucas and Kanade's method (1981) on a pyramid, for many pairs at a time: the pixels' differences are
explained by a small affine step, again and again, first at 16 x 16 pixels. The mean of both
pictures' gradients is taken (Benhimane and Malis 2004), a gain and an offset are solved for in the
same least squares, and from the second level on pixels that do not fit count less.
"""

from dataclasses import dataclass

import numpy as np

COARSE = 16  # pixels a side at the first level
# Pixels a side, steps, and the correlation that a pair must have to go on. Pairs of other pictures
# mostly end at the first level, which costs little.
FIRST = ((COARSE, 3, 0.5), (COARSE, 3, 0.78))
FINER = ((32, 4, 0.7), (64, 2, 0.65))
SMALL = 1e-3  # keeps what is divided by from being 0
LARGEST_STEP = 0.15  # of a coordinate that goes from -1 to 1


@dataclass(frozen=True)
class Aligned:
    """Pairs that could be aligned.

    Attributes:
        pairs: (p,) int64, their places among the pairs given.
        maps: (p, 2, 3) float32, from (x, y, 1) in the left picture to (x, y) in the right one; both
            go from -1 to 1 over the picture.
    """

    pairs: np.ndarray
    maps: np.ndarray


def align_coarse(left: np.ndarray, right: np.ndarray) -> Aligned:
    """Align m pairs of grey pictures (m, COARSE, COARSE) float32 and return those that fit roughly.

    Displacements of a tenth of the side are found, larger ones may not be.
    """
    maps = np.tile(np.eye(2, 3, dtype=np.float32), (len(left), 1, 1))
    found = _align(left, right, maps, levels=FIRST)
    plain = are_plain(found.maps)
    return Aligned(found.pairs[plain], found.maps[plain])


def align_finely(left: np.ndarray, right: np.ndarray, maps: np.ndarray) -> Aligned:
    """Align m pairs of grey pictures (m, S, S) float32, from the `maps` of `align_coarse` on.

    S is a multiple of 64. Returns the pairs that fit on each other.
    """
    return _align(left, right, maps, levels=FINER)


def are_plain(maps: np.ndarray) -> np.ndarray:
    """Tell which maps (m, 2, 3) may lie between a picture and its crop, or two shots of a burst."""
    size = np.linalg.det(maps[:, :, :2])
    skew = np.abs(maps[:, 0, 1]) + np.abs(maps[:, 1, 0])
    plain: np.ndarray = (size > 0.55) & (size < 1.8) & (skew < 0.3)
    return plain


def _align(
    left: np.ndarray,
    right: np.ndarray,
    maps: np.ndarray,
    *,
    levels: tuple[tuple[int, int, float], ...],
) -> Aligned:
    pairs = np.arange(len(left))
    for side, steps, least in levels:
        if not len(pairs):
            break
        ours, theirs = shrunk(left[pairs], side), shrunk(right[pairs], side)
        for _ in range(steps):
            maps = _step(ours, theirs, maps, robust=side > COARSE)
        fits = _correlation(ours, *warped(theirs, maps)) >= least
        pairs, maps = pairs[fits], maps[fits]
    return Aligned(pairs, maps)


def shrunk(pictures: np.ndarray, side: int) -> np.ndarray:
    """Return square pictures (m, S, S) shrunk to (m, side, side), a divisor of S, by averaging."""
    times = pictures.shape[1] // side
    shape = len(pictures), side, times, side, times
    means: np.ndarray = pictures.reshape(shape).mean(axis=(2, 4), dtype=np.float32)
    return means


def _grid(side: int) -> tuple[np.ndarray, np.ndarray]:
    """Return the coordinates x (1, side) and y (side, 1) of pixels, from -1 to 1."""
    along = (np.arange(side, dtype=np.float32) + 0.5) * (2 / side) - 1
    return along[None, :], along[:, None]


def warped(pictures: np.ndarray, maps: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return pictures (m, S, S) as seen through maps (m, 2, 3), and where there is any pixel.

    Interpolated bilinearly. What lies outside repeats the border and is false in the second array,
    (m, S, S) bool.
    """
    count, side, _ = pictures.shape
    x, y = _grid(side)
    parts = maps[:, :, :, None, None]
    across = (parts[:, 0, 0] * x + parts[:, 0, 1] * y + parts[:, 0, 2] + 1) * (side / 2) - 0.5
    down = (parts[:, 1, 0] * x + parts[:, 1, 1] * y + parts[:, 1, 2] + 1) * (side / 2) - 0.5
    inside = (across >= -0.5) & (across <= side - 0.5) & (down >= -0.5) & (down <= side - 0.5)
    across, down = (np.clip(part, 0, side - 1.001) for part in (across, down))
    left, top = across.astype(np.int32), down.astype(np.int32)
    across -= left
    down -= top
    place = (np.arange(count, dtype=np.int32) * side**2)[:, None, None] + top * side + left
    flat = pictures.reshape(-1)
    upper = flat[place]
    upper += (flat[place + 1] - upper) * across
    place += side
    lower = flat[place]
    lower += (flat[place + 1] - lower) * across
    seen: np.ndarray = upper + (lower - upper) * down
    return seen, inside


def _centred(pictures: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Return pictures (m, S, S) without their weighted means."""
    total = weights.sum(axis=(1, 2)) + SMALL
    mean = np.einsum("mij,mij->m", weights, pictures) / total
    centred: np.ndarray = pictures - mean[:, None, None].astype(np.float32)
    return centred


def _correlation(ours: np.ndarray, theirs: np.ndarray, inside: np.ndarray) -> np.ndarray:
    """Return the correlation (m,) of pictures where both have pixels, in [-1, 1]."""
    weights = inside.astype(np.float32)
    ours, theirs = _centred(ours, weights) * weights, _centred(theirs, weights) * weights
    product, first, second = (
        np.einsum("mij,mij->m", a, b) for a, b in ((ours, theirs), (ours, ours), (theirs, theirs))
    )
    found: np.ndarray = product / np.sqrt(first * second + SMALL)
    return found


def _step(ours: np.ndarray, theirs: np.ndarray, maps: np.ndarray, *, robust: bool) -> np.ndarray:
    """Return maps that fit better. `robust`: pixels that do not fit count less."""
    count, side, _ = ours.shape
    x, y = _grid(side)
    seen, inside = warped(theirs, maps)
    weights = inside.astype(np.float32)
    seen, ours = _centred(seen, weights), _centred(ours, weights)
    own = np.einsum("mij,mij->m", weights, seen * seen) + SMALL
    gain = np.clip(np.einsum("mij,mij->m", weights, seen * ours) / own, 0.3, 3)[:, None, None]
    left = ours - gain * seen  # what is to be explained
    if robust:
        spread = np.sqrt((weights * left**2).mean(axis=(1, 2)))[:, None, None] + 2
        weights /= 1 + (left / spread) ** 2
    gradient = 0.5 * (gain * seen + ours)
    down, across = np.gradient(gradient, 2 / side, axis=(1, 2))
    terms = np.empty((count, 8, side, side), np.float32)
    for number, term in enumerate(
        (across * x, across * y, across, down * x, down * y, down, seen, np.float32(1))
    ):
        terms[:, number] = term
    weighted = (terms * weights[:, None]).reshape(count, 8, -1)
    normal = weighted @ terms.reshape(count, 8, -1).transpose(0, 2, 1)
    wanted = weighted @ left.reshape(count, -1, 1)
    places = np.arange(8)
    normal[:, places[:6], places[:6]] *= 1 + SMALL
    normal[:, places, places] += SMALL
    step = np.linalg.solve(normal, wanted)[:, :6, 0].clip(-LARGEST_STEP, LARGEST_STEP)
    step = step.reshape(count, 2, 3)
    linear = maps[:, :, :2]
    moved: np.ndarray = maps + linear @ step
    return moved.astype(np.float32)
