"""The verdict on pairs of photos: the same picture, the same scene, or neither.

A picture that was saved anew lies exactly over the other, mirrored perhaps, and nearly all of its
blocks have the same structure. Of a crop or the next shot of a burst that holds after one was
aligned with the other. Colours must agree in either case, but for white balance and saturation.
The limits are measured by `scripts/bench_audit`.
"""

from collections.abc import Callable

import numpy as np

from retrain.data.sameness.alignment import align, shrunk, warped
from retrain.data.sameness.blocks import (
    REACH,
    Colours,
    Structure,
    colours,
    grey_and_colour,
    structure,
)
from retrain.utils.prefetch import map_ahead
from retrain.utils.progress import progress

NEITHER, SCENE, PICTURE = 0, 1, 2
HALF = 64  # pixels a side at which pictures that lie over each other are compared
COARSE = 16  # pixels a side of the pictures that are looked at first
MOST_BLOCKS = 0.05  # share of the worst blocks that a score leaves out
MOST_CAST, WORST_COLOUR = 35, 26  # of 255
CHUNK = 64  # pairs whose pixels are held at a time: about 50 MB

Read = Callable[[np.ndarray], np.ndarray]


def judge(
    left: np.ndarray, right: np.ndarray, *, coarse: np.ndarray, read: Read
) -> tuple[np.ndarray, np.ndarray]:
    """Judge m pairs of photos.

    Args:
        left: (m,) int64, the one photo of each pair, as a place in `coarse`.
        right: (m,) int64, the other photo.
        coarse: (n, COARSE, COARSE) float32, all photos in grey.
        read: Returns the pixels (k, 128, 128, 3) uint8 of the photos at these places (k,).

    Returns:
        Each pair's verdict (m,) int8: NEITHER, SCENE or PICTURE. And how alike the worst of its
        textured blocks are but for a twentieth, (m,) float32 in [-1, 1].
    """
    verdicts = np.zeros(len(left), np.int8)
    scores = np.zeros(len(left), np.float32)
    plain, mirrored = (_likeness(coarse[left], coarse[right][:, :, ::step]) for step in (1, -1))
    hopeful = np.flatnonzero(np.maximum(plain, mirrored) >= 0.3)

    def work(start: int) -> tuple[np.ndarray, np.ndarray]:
        some = hopeful[start : start + CHUNK]
        ours, theirs = read(left[some]), read(right[some])
        flip = mirrored[some] > plain[some]
        theirs[flip] = theirs[flip][:, :, ::-1]
        return _judged(ours, theirs)

    with progress("Looking for copies among", len(hopeful), "pairs") as meter:
        for start, found in map_ahead(work, range(0, len(hopeful), CHUNK)):
            some = hopeful[start : start + CHUNK]
            verdicts[some], scores[some] = found
            meter.advance(len(some))
    return verdicts, scores


def coarse_of(pixels: np.ndarray) -> np.ndarray:
    """Return pictures (n, 128, 128, 3) uint8 in grey, (n, COARSE, COARSE) float32, for `judge`."""
    return shrunk(grey_and_colour(pixels)[0], COARSE)


def _likeness(ours: np.ndarray, theirs: np.ndarray) -> np.ndarray:
    """Return the correlation (m,) of coarse pictures, blurred so that a crop is alike, too."""
    first, second = (shrunk(part, COARSE // 2).reshape(len(part), -1) for part in (ours, theirs))
    first, second = (part - part.mean(axis=1, keepdims=True) for part in (first, second))
    lengths = [np.maximum(np.linalg.norm(part, axis=1), 1) for part in (first, second)]
    found: np.ndarray = np.einsum("mi,mi->m", first, second) / (lengths[0] * lengths[1])
    return found


def _judged(ours: np.ndarray, theirs: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Judge pairs of pictures (m, 128, 128, 3) uint8; see `judge`."""
    (left, left_colour), (right, right_colour) = map(grey_and_colour, (ours, theirs))
    found = structure(left, right)
    halves = structure(shrunk(left, HALF), shrunk(right, HALF))
    colour = colours(left_colour, right_colour)
    is_picture = _same_picture(halves, found, colour)
    verdicts = np.where(is_picture, PICTURE, NEITHER).astype(np.int8)
    scores = found.least(MOST_BLOCKS)
    rest = np.flatnonzero(~is_picture)
    aligned = align(left[rest], right[rest])
    rest, maps = rest[aligned.pairs], aligned.maps
    if not len(rest):
        return verdicts, scores
    colour = colours(left_colour[rest], right_colour[rest], maps)
    fits = _fits(colour, maps)
    rest, maps, colour = rest[fits], maps[fits], Colours(*(part[fits] for part in colour.parts()))
    if len(rest):
        seen, inside = warped(right[rest], maps)
        moved = structure(left[rest], seen, inside, reach=REACH)
        verdicts[rest[_same_scene(moved, colour, maps)]] = SCENE
        scores[rest] = moved.least(MOST_BLOCKS)
    return verdicts, scores


def _same_picture(halves: Structure, whole: Structure, colour: Colours) -> np.ndarray:
    """Tell which pairs (m,) that lie over each other are one picture.

    Judged at half size, because what was saved small has lost its finest lines; at whole size they
    must not be others, though. A few blocks may differ where the picture is rich, as under a
    watermark.
    """
    nearly_all = (halves.least(0.1) >= 0.87) & (halves.least(0.25) >= 0.95)
    all_of_them = halves.least(0.0) >= 0.75
    rich = halves.textured >= 40
    same_colours = (colour.cast <= MOST_CAST) & (colour.most <= 12) & (colour.worst <= WORST_COLOUR)
    same: np.ndarray = (
        (halves.textured >= 4)
        & nearly_all
        & (all_of_them | rich)
        & (whole.least(0.1) >= 0.6)
        & (halves.brightness <= 9)
        & same_colours
    )
    return same


def _fits(colour: Colours, maps: np.ndarray) -> np.ndarray:
    """Tell which aligned pairs (m,) may be one scene, by their colours and their place."""
    size = np.linalg.det(maps[:, :, :2])
    same: np.ndarray = (
        (colour.cast <= MOST_CAST)
        & (colour.most <= 14)
        & (colour.worst <= 50)
        & (size > 0.55)
        & (size < 1.8)
    )
    return same


def _same_scene(found: Structure, colour: Colours, maps: np.ndarray) -> np.ndarray:
    """Tell which aligned pairs (m,) that may be one scene are one.

    Pictures that lie over each other as they are, but differ in places, are two pictures after one
    template: forms, or products rendered with another print.
    """
    corners = np.array([(x, y, 1) for x in (-1, 1) for y in (-1, 1)], np.float32)
    away = np.abs(corners @ maps.transpose(0, 2, 1) - corners[:, :2]).max(axis=(1, 2))
    moved = away > 0.03
    same: np.ndarray = (
        (found.textured >= 10)
        & (found.least(0.1) >= 0.68)
        & (found.least(0.25) >= 0.78)
        & (found.least(MOST_BLOCKS) >= np.where(moved, 0.5, 0.8))
        & (moved | (colour.worst <= WORST_COLOUR))
    )
    return same
