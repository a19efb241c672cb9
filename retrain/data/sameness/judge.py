"""The verdict on pairs of photos: the same picture, the same scene, or neither.

A picture that was saved anew lies exactly over the other, mirrored perhaps, and nearly all of its
blocks have the same structure. Of a crop or the next shot of a burst that holds after one was
aligned with the other. Colours must agree in either case, but for white balance and saturation.
The limits are measured by `scripts/bench_audit`.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np

from retrain.data.sameness.alignment import (
    COARSE,
    align_coarse,
    align_finely,
    are_plain,
    shrunk,
    warped,
)
from retrain.data.sameness.blocks import (
    REACH,
    Colours,
    Structure,
    colours,
    grey_and_colour,
    structure,
)
from retrain.utils.prefetch import map_ahead

NEITHER, SCENE, PICTURE = 0, 1, 2
HALF = 64  # pixels a side at which pictures that lie over each other are compared
MOST_BLOCKS = 0.05  # share of the worst blocks that a score leaves out
MOST_CAST, WORST_COLOUR = 35, 26  # of 255
COARSE_CHUNK = 512  # pairs of coarse pictures that are aligned at a time
CHUNK = 64  # pairs whose pixels are held at a time: about 50 MB

Read = Callable[[np.ndarray], np.ndarray]


@dataclass(frozen=True)
class _Hopeful:
    """Pairs that may be alike, by their coarse pictures: places, mirrored or not, and maps."""

    places: np.ndarray
    mirrored: np.ndarray
    maps: np.ndarray


def judge(
    left: np.ndarray, right: np.ndarray, *, coarse: np.ndarray, read: Read
) -> tuple[np.ndarray, np.ndarray]:
    """Judge m pairs of photos.

    Args:
        left: (m,) int64, the one photo of each pair, as a place in `coarse`.
        right: (m,) int64, the other photo.
        coarse: (n, COARSE, COARSE) float32, all photos in grey.
        read: Returns the pixels (k, 128, 128, 3) uint8 YCbCr of the photos at these places (k,).

    Returns:
        Each pair's verdict (m,) int8: NEITHER, SCENE or PICTURE. And how alike the worst of its
        textured blocks are but for a twentieth, (m,) float32 in [-1, 1].
    """
    verdicts = np.zeros(len(left), np.int8)
    scores = np.zeros(len(left), np.float32)

    def look(start: int) -> _Hopeful:
        some = slice(start, start + COARSE_CHUNK)
        found = _hopeful(coarse[left[some]], coarse[right[some]])
        return _Hopeful(found.places + start, found.mirrored, found.maps)

    def work(some: _Hopeful) -> tuple[np.ndarray, np.ndarray]:
        ours, theirs = read(left[some.places]), read(right[some.places])
        theirs[some.mirrored] = theirs[some.mirrored][:, :, ::-1]
        return _judged(ours, theirs, some.maps)

    def chunks() -> Iterator[_Hopeful]:
        for _, found in map_ahead(look, range(0, len(left), COARSE_CHUNK)):
            for start in range(0, len(found.places), CHUNK):
                some = slice(start, start + CHUNK)
                yield _Hopeful(found.places[some], found.mirrored[some], found.maps[some])

    for some, found in map_ahead(work, chunks()):
        verdicts[some.places], scores[some.places] = found
    return verdicts, scores


def _hopeful(ours: np.ndarray, theirs: np.ndarray) -> _Hopeful:
    """Return the pairs of coarse pictures (m, COARSE, COARSE) that are alike, laid over or aligned.

    Those that need no alignment get a map that moves nothing.
    """
    plain, mirrored = (_likeness(ours, theirs[:, :, ::step]) for step in (1, -1))
    flip = mirrored > plain
    theirs = np.where(flip[:, None, None], theirs[:, :, ::-1], theirs)
    maybe = np.flatnonzero(np.maximum(plain, mirrored) >= 0.4)
    aligned = align_coarse(ours[maybe], theirs[maybe])
    places = maybe[aligned.pairs]
    return _Hopeful(places, flip[places], aligned.maps)


def _likeness(ours: np.ndarray, theirs: np.ndarray) -> np.ndarray:
    """Return the correlation (m,) of coarse pictures, blurred so that a crop is alike, too."""
    first, second = (shrunk(part, COARSE // 2).reshape(len(part), -1) for part in (ours, theirs))
    first, second = (part - part.mean(axis=1, keepdims=True) for part in (first, second))
    lengths = [np.maximum(np.linalg.norm(part, axis=1), 1) for part in (first, second)]
    found: np.ndarray = np.einsum("mi,mi->m", first, second) / (lengths[0] * lengths[1])
    return found


def _judged(
    ours: np.ndarray, theirs: np.ndarray, maps: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Judge pairs of pictures (m, 128, 128, 3) uint8 YCbCr that are roughly aligned."""
    (left, left_colour), (right, right_colour) = map(grey_and_colour, (ours, theirs))
    halves = structure(shrunk(left, HALF), shrunk(right, HALF))
    verdicts = np.full(len(left), NEITHER, np.int8)
    scores = halves.least(MOST_BLOCKS)
    over = np.flatnonzero(_lie_over(halves))
    if len(over):
        colour = colours(left_colour[over], right_colour[over])
        same = _same_picture(halves.of(over), structure(left[over], right[over]), colour)
        verdicts[over[same]] = PICTURE
    rest = np.flatnonzero(verdicts == NEITHER)
    roughly = colours(left_colour[rest], right_colour[rest], maps[rest])
    rest = rest[(roughly.cast <= MOST_CAST) & (roughly.most <= 20)]
    aligned = align_finely(left[rest], right[rest], maps[rest])
    rest, maps = rest[aligned.pairs], aligned.maps
    colour = colours(left_colour[rest], right_colour[rest], maps)
    fits = _fits(colour, maps)
    rest, maps, colour = rest[fits], maps[fits], colour.of(fits)
    seen, inside = warped(shrunk(right[rest], HALF), maps)
    fits = structure(shrunk(left[rest], HALF), seen, inside, reach=1).least(0.1) >= 0.45
    rest, maps, colour = rest[fits], maps[fits], colour.of(fits)
    seen, inside = warped(right[rest], maps)
    moved = structure(left[rest], seen, inside, reach=REACH)
    verdicts[rest[_same_scene(moved, colour, maps)]] = SCENE
    scores[rest] = moved.least(MOST_BLOCKS)
    return verdicts, scores


def _lie_over(halves: Structure) -> np.ndarray:
    """Tell in which pairs (m,) most blocks are alike as they are."""
    same: np.ndarray = (halves.least(0.1) >= 0.87) & (halves.least(0.25) >= 0.95)
    return same


def _same_picture(halves: Structure, whole: Structure, colour: Colours) -> np.ndarray:
    """Tell which pairs (m,) that lie over each other are one picture.

    Judged at half size, because what was saved small has lost its finest lines; at whole size they
    must not be others, though. A few blocks may differ where the picture is rich, as under a
    watermark.
    """
    all_of_them = halves.least(0.0) >= 0.75
    rich = halves.textured >= 40
    same_colours = (colour.cast <= MOST_CAST) & (colour.most <= 12) & (colour.worst <= WORST_COLOUR)
    same: np.ndarray = (
        (halves.textured >= 4)
        & _lie_over(halves)
        & (all_of_them | rich)
        & (whole.least(0.1) >= 0.6)
        & (halves.brightness <= 9)
        & same_colours
    )
    return same


def _fits(colour: Colours, maps: np.ndarray) -> np.ndarray:
    """Tell which aligned pairs (m,) may be one scene, by their colours and their place."""
    same: np.ndarray = (
        (colour.cast <= MOST_CAST) & (colour.most <= 14) & (colour.worst <= 50) & are_plain(maps)
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
