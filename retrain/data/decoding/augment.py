"""Random distortions, made repeatable: a photo's k-th copy is always the same.

Flip, crop, scale and brightness are those of TF Hub's retrain.py.
"""

from dataclasses import dataclass
from typing import Protocol

import numpy as np
from PIL import Image, ImageEnhance

from retrain.data.config import AugmentConfig, DistortionAmounts
from retrain.utils.settings import settings_in


class Resizable(Protocol):
    """A photo in RGB, or what can be one."""

    def resize(self, size: tuple[int, int], resample: Image.Resampling) -> Image.Image:
        """Return the photo in another (width, height)."""
        ...


@dataclass(frozen=True)
class Distortion(DistortionAmounts):
    """One distorted copy of each photo.

    `copy` and `seed`, with the photo's digest, decide all random choices.

    Attributes:
        flip_left_right: Mirror the copy with probability one half.
        random_crop: In percent, as in retrain.py; 0 is off, here and below.
        random_scale: In percent, as in retrain.py.
        random_brightness: In percent, as in retrain.py.
        copy: The copy's number.
        seed: Of the run.
        random_rotation: In degrees, to either side.
        random_erase: The largest share of the picture, in percent, that is painted over.
        color_jitter: How far contrast and saturation may change, in percent.
    """

    copy: int = 0
    seed: int = 0

    @property
    def text(self) -> str:
        """The canonical form, part of a recipe's text."""
        later = (self.random_rotation, self.random_erase, self.color_jitter)
        more = ",rotation={},erase={},jitter={}".format(*later) if any(later) else ""
        return (
            f"|distort:flip={int(self.flip_left_right)},crop={self.random_crop},"
            f"scale={self.random_scale},brightness={self.random_brightness},"
            f"copy={self.copy},seed={self.seed}{more}"
        )

    def apply(self, rgb: Resizable, height: int, width: int, *, digest: bytes) -> np.ndarray:
        """Distort a photo and return its pixels (height, width, 3) uint8.

        The order and formulas are those of TF Hub's retrain.py: enlarge to (1 + crop/100) *
        Uniform[1, 1 + scale/100) times the network's input, take a random window, mirror with
        probability one half, multiply by Uniform[1 - brightness/100, 1 + brightness/100). Unlike
        there, the brightened values are clipped to what a picture can hold. What retrain.py does
        not have: the enlarged photo is turned before the window is cut, its corners filled with the
        mean colour; then contrast and saturation change by factors from Uniform[1 - jitter/100, 1 +
        jitter/100), and with probability one half a rectangle is painted with the mean colour
        ("random erasing", Z. Zhong et al., AAAI 2020).

        Args:
            rgb: The photo.
            height: Of the network's input, in pixels.
            width: Of the network's input, in pixels.
            digest: Of the photo's bytes.

        Returns:
            The pixels of the distorted copy.
        """
        rng = np.random.default_rng([self.seed, self.copy, *digest])
        zoom = 1 + self.random_scale / 100 * rng.random()
        factor = (1 + self.random_crop / 100) * zoom
        tall, wide = int(factor * height), int(factor * width)
        enlarged = rgb.resize((wide, tall), Image.Resampling.BILINEAR)
        # From a second generator, so that the older distortions draw the same as before.
        more = np.random.default_rng([self.seed, self.copy, *digest, 1])
        pixels = np.asarray(self._turned(enlarged, more))
        top, left = rng.integers(tall - height + 1), rng.integers(wide - width + 1)
        pixels = pixels[top : top + height, left : left + width]
        mirrored = rng.random() < 0.5
        if self.flip_left_right and mirrored:
            pixels = pixels[:, ::-1]
        if self.random_brightness:
            spread = self.random_brightness / 100
            brightened = pixels * rng.uniform(1 - spread, 1 + spread)
            pixels = np.rint(brightened.clip(0, 255)).astype(np.uint8)
        pixels = self._erased(self._jittered(pixels, more), more)
        return np.ascontiguousarray(pixels)

    def _turned(self, picture: Image.Image, rng: np.random.Generator) -> Image.Image:
        angle = rng.uniform(-1, 1) * self.random_rotation
        if not self.random_rotation:
            return picture
        return picture.rotate(angle, Image.Resampling.BILINEAR, fillcolor=_mean(picture))

    def _jittered(self, pixels: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        spread = self.color_jitter / 100
        contrast, saturation = rng.uniform(1 - spread, 1 + spread, 2)
        if not self.color_jitter:
            return pixels
        picture = ImageEnhance.Contrast(Image.fromarray(pixels)).enhance(contrast)
        return np.asarray(ImageEnhance.Color(picture).enhance(saturation))

    def _erased(self, pixels: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        asked, share, stretch, top, left = rng.random(5)
        if not self.random_erase or asked < 0.5:
            return pixels
        height, width = pixels.shape[:2]
        side = np.sqrt(share * self.random_erase / 100)
        ratio = np.exp((2 * stretch - 1) * np.log(3))  # of height to width, 1/3 to 3
        tall = min(round(side * np.sqrt(ratio) * height), height)
        wide = min(round(side / np.sqrt(ratio) * width), width)
        first, start = int(top * (height - tall + 1)), int(left * (width - wide + 1))
        erased = pixels.copy()
        erased[first : first + tall, start : start + wide] = pixels.mean(axis=(0, 1))
        return erased


def _mean(picture: Image.Image) -> tuple[int, ...]:
    return tuple(np.asarray(picture).mean(axis=(0, 1)).astype(int).tolist())


def distortions_of(config: AugmentConfig, seed: int) -> list[Distortion]:
    """Return a distortion for each distorted copy of the photos; none if none is asked for."""
    amounts = {name: getattr(config, name) for name in settings_in(DistortionAmounts)}
    if Distortion(**amounts) == Distortion():
        return []
    return [Distortion(**amounts, copy=copy, seed=seed) for copy in range(config.distortion_copies)]
