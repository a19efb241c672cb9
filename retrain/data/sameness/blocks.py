"""Comparison of aligned pictures block by block: their structure and their colours."""

from dataclasses import dataclass

import numpy as np

from retrain.data.sameness.alignment import shrunk, warped

BLOCKS = 8  # a side
CELLS = 16  # a side, whose colours are compared
TEXTURED = 25.0  # variance of brightness, of 255, from which a block has a structure to compare
REACH = 3  # pixels that a block's content may have moved between two shots, of 128
MOST_GAIN = 2.5  # times that one picture may have more contrast, or stronger colours
FAINT = 30.0  # keeps the strength of colours from being divided by almost nothing


@dataclass(frozen=True)
class Structure:
    """How alike the blocks of m pairs are.

    Attributes:
        alike: (m, BLOCKS ** 2) float32 in [-1, 1], the structural similarity of each block; NaN
            where neither picture has a structure, or one has no pixels.
        brightness: (m,) root mean square of the differences of the blocks' mean brightness, of 255,
            after contrast and brightness of the whole pictures were made equal.
    """

    alike: np.ndarray
    brightness: np.ndarray

    @property
    def textured(self) -> np.ndarray:
        """How many blocks of each pair have a structure, (m,) int64."""
        count: np.ndarray = np.isfinite(self.alike).sum(axis=1)
        return count

    def of(self, pairs: np.ndarray) -> "Structure":
        """Return that of some pairs."""
        return Structure(self.alike[pairs], self.brightness[pairs])

    def least(self, share: float) -> np.ndarray:
        """Return the similarity (m,) that this share of the textured blocks does not reach."""
        ordered = np.sort(self.alike, axis=1)  # NaN come last
        place = np.floor(share * self.textured).astype(np.int64)
        place = place.clip(0, np.maximum(self.textured - 1, 0))
        found: np.ndarray = np.nan_to_num(ordered[np.arange(len(ordered)), place], nan=-1.0)
        return found


def structure(
    ours: np.ndarray, theirs: np.ndarray, inside: np.ndarray | None = None, *, reach: int = 0
) -> Structure:
    """Compare grey pictures (m, S, S) float32 block by block.

    The measure is that of structural similarity (Wang et al. 2004) without brightness, after the
    contrast of the whole pictures was made equal.

    Args:
        ours: The left pictures.
        theirs: The right pictures, aligned.
        inside: (m, S, S) bool, where the right pictures have pixels; everywhere if None.
        reach: Pixels by which each block's content may have moved: the best place counts.

    Returns:
        The comparison.
    """
    inside = np.ones(ours.shape, bool) if inside is None else inside
    weights = inside.astype(np.float32)
    total = weights.sum(axis=(1, 2))[:, None, None] + 1
    ours = ours - (weights * ours).sum(axis=(1, 2))[:, None, None] / total
    theirs = theirs - (weights * theirs).sum(axis=(1, 2))[:, None, None] / total
    contrasts = [
        np.sqrt((weights * part * part).sum(axis=(1, 2))[:, None, None] / total + 1)
        for part in (ours, theirs)
    ]
    gain = np.sqrt(np.clip(contrasts[0] / contrasts[1], 1 / MOST_GAIN, MOST_GAIN))
    ours, theirs = ours / gain, theirs * gain
    whole = _blocks(weights).mean(axis=2) > 0.95
    left = _blocks(ours)
    here, centred, variance = _moments(left)
    alike = np.full(here.shape, -1, np.float32)
    for down in range(-reach, reach + 1):
        for across in range(-reach, reach + 1):
            right = _blocks(np.roll(theirs, (down, across), axis=(1, 2)))
            _, other, spread = _moments(right)
            common = np.einsum("mbp,mbp->mb", centred, other) / centred.shape[2]
            np.maximum(alike, 2 * common / (variance + spread + 1e-6), out=alike)
    there, _, spread = _moments(_blocks(theirs))
    alike[~whole | (np.maximum(variance, spread) < TEXTURED)] = np.nan
    difference = np.where(whole, here - there, 0)
    count = np.maximum(whole.sum(axis=1), 1)
    return Structure(alike, np.sqrt((difference**2).sum(axis=1) / count))


def _blocks(pictures: np.ndarray) -> np.ndarray:
    """Cut pictures (m, S, S) into blocks (m, BLOCKS ** 2, pixels of one)."""
    count, side, _ = pictures.shape
    size = side // BLOCKS
    parts = pictures.reshape(count, BLOCKS, size, BLOCKS, size).swapaxes(2, 3)
    return parts.reshape(count, BLOCKS**2, size**2)


def _moments(blocks: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return the means (m, b) of blocks, the blocks without them, and their variances (m, b)."""
    mean = blocks.mean(axis=2)
    centred = blocks - mean[:, :, None]
    return mean, centred, np.einsum("mbp,mbp->mb", centred, centred) / blocks.shape[2]


@dataclass(frozen=True)
class Colours:
    """How far the colours of m pairs are apart, each (m,), in steps of 255.

    Attributes:
        cast: Between the mean colours, as between two white balances.
        most: What 10 % of the places differ by at the least, besides cast and strength.
        worst: What the second worst of CELLS ** 2 places differs by.
    """

    cast: np.ndarray
    most: np.ndarray
    worst: np.ndarray

    def of(self, pairs: np.ndarray) -> "Colours":
        """Return those of some pairs."""
        return Colours(self.cast[pairs], self.most[pairs], self.worst[pairs])


def colours(ours: np.ndarray, theirs: np.ndarray, maps: np.ndarray | None = None) -> Colours:
    """Compare the colours (m, s, s, 2) of pictures, of which the right ones are aligned by `maps`.

    Another white balance and stronger colours are no difference; another hue is. Without maps the
    pictures lie over each other.
    """
    left, right = _cells(ours), _cells(theirs)
    weights = np.ones((*left.shape[:3], 1), np.float32)
    if maps is not None:
        seen, insides = zip(*(warped(theirs[..., part], maps) for part in range(2)), strict=True)
        right = _cells(np.stack(seen, axis=-1))
        weights = _cells(insides[0][..., None]).round()  # of cells that are nearly whole
    total = weights.sum(axis=(1, 2), keepdims=True) + 1e-3
    means = [(weights * part).sum(axis=(1, 2), keepdims=True) / total for part in (left, right)]
    left, right = left - means[0], right - means[1]
    strengths = [np.sqrt((weights * part**2).sum(axis=(1, 2, 3))) + FAINT for part in (left, right)]
    gain = np.clip(strengths[1] / strengths[0], 1 / MOST_GAIN, MOST_GAIN)[:, None, None, None]
    apart = np.sqrt((weights * (right - gain * left) ** 2).sum(axis=3)) / np.sqrt(gain[..., 0])
    ordered = np.sort(apart.reshape(len(apart), CELLS**2), axis=1)
    cast = np.sqrt(((means[0] - means[1]) ** 2).sum(axis=(1, 2, 3)))
    return Colours(cast, ordered[:, -(CELLS**2) // 10], ordered[:, -2])


def _cells(colour: np.ndarray) -> np.ndarray:
    """Return colours (m, s, s, c) as the means of cells, (m, CELLS, CELLS, c)."""
    parts = [shrunk(colour[..., part], CELLS) for part in range(colour.shape[-1])]
    return np.stack(parts, axis=-1)


def grey_and_colour(pixels: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return brightness (m, S, S) and colour (m, S / 2, S / 2, 2) float32 of (m, S, S, 3) uint8.

    The pixels are brightness, blue and red less brightness (YCbCr), as JPEG files have them.
    """
    half = pixels.shape[1] // 2
    colour = [shrunk(pixels[..., channel], half) for channel in (1, 2)]
    return pixels[..., 0].astype(np.float32), np.stack(colour, axis=-1)
